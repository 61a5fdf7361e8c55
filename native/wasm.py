"""A kernel in WebAssembly: `python native/wasm.py FOLDER` writes neuron.wasm, and neuron.mjs, which trains with it.

It is the code of the other libraries for another machine, and for no wheel. `node neuron.mjs neuron.wasm` reads a
problem from its standard input and prints the weights that were trained. JavaScript brings `exp` and the like.
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import compile

from tinynet_fast.kernels.compiler.native import symbol
from tinynet_fast.kernels.compiler.signatures import numbered

KERNEL, SIGNATURE = "fast.neuron.narrow_epochs", "d2 d1 d1 dw1 dw1 dw1 d1 t2 t0"
TRIPLE = "wasm32-unknown-unknown"
PROGRAM = """\
import { readFileSync } from "node:fs"
const given = JSON.parse(readFileSync(0, "utf8"))
const names = ["exp", "log", "log1p", "expm1", "pow", "tanh"]
const env = Object.fromEntries(names.map((name) => [name, Math[name]]))
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { env })
const { memory, __heap_base, ENTRY: train } = instance.exports
let free = (Number(__heap_base.value) + 63) & ~63
memory.grow(16)
const put = (numbers) => {
  const array = new Float64Array(memory.buffer, free, numbers.length)
  array.set(numbers)
  free += (8 * numbers.length + 63) & ~63
  return array
}
const X = put(given.X.flat()), rest = given.rest.map(put)
train(X.byteOffset, given.X.length, given.X[0].length, ...rest.flatMap((array) => [array.byteOffset, array.length]))
console.log(JSON.stringify(rest.slice(2, 5).map((array) => Array.from(array))))
"""


def make(folder):
    """Write the module and the program that runs it."""
    folder.mkdir(parents=True, exist_ok=True)
    number = next(n for n, name, signature in numbered("") if (name, signature) == (KERNEL, SIGNATURE))
    compile.prepare()
    code = compile.optimised_entries("wasm32", TRIPLE, KERNEL, compile.record(KERNEL, [SIGNATURE]))
    made = folder / "neuron.o"
    made.write_bytes(compile.object_code(code.as_bitcode(), "wasm32", TRIPLE))
    entry = symbol("wasm32", number)
    command = [sys.executable, "-m", "ziglang", "wasm-ld", str(made), "-o", str(folder / "neuron.wasm"), "--no-entry"]
    command += [f"--export={entry}", "--export=__heap_base", "--allow-undefined", "--strip-all"]
    subprocess.run(command, check=True)
    (folder / "neuron.mjs").write_text(PROGRAM.replace("ENTRY", entry))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
