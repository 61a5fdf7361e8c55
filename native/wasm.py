"""The kernels of engine="portable" in WebAssembly, for pages: `python native/wasm.py kernels.js` writes a script.

With --sweeps the module has the kernels that train neurons side by side, which no page needs and a test runs.

It is the code of the other libraries for another machine, and for no wheel. The module imports nothing: exp and the
like are in it, so that a browser gives the bits that Python gives. The script is plain JavaScript with the module as
base64, because a page that is opened from a folder cannot read other files. `docs/_static/learn/tinynet.js` uses it.
"""

import base64
import hashlib
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent))

import compile
import kept

from tinynet_fast.kernels import layout, point_functions, reference
from tinynet_fast.kernels.compiler.signatures import DIRECT, MODELS

LEVEL, TRIPLE = "wasm32", "wasm32-unknown-unknown"
# All kernels that the engine has under these names, and functions of one number.
SIGNATURES = {name[len("portable.") :]: words[0] for name, words in DIRECT.items() if name.startswith("portable.")}
SIGNATURES |= {"sigmoid": "d0", "cross_entropy": "d0 d0", "row_loss": "d0 d0 d0 d0 d0"}
# What the sweeps of proof/portable.py call: of folds and then of all rows, of numbers, and of penalties.
SIDE_BY_SIDE = (
    ("train_plain", "t2 t1 t0"),
    ("train_plain", "t1 t0 t0"),
    ("train_plain", "t1 t0 t1"),
    ("train_penalised", "t1 t0 t0"),
)
SWEEPS = {f"{name} {lengths}": f"d2 {MODELS} {lengths}" for name, lengths in SIDE_BY_SIDE}
# Codes and places in arrays, which `tinynet.js` uses under their names.
NUMBERS = {
    name: value
    for module in (layout, point_functions, reference)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, int)
}
SCRIPT = """\
/* Written by native/wasm.py. The kernels' signatures are those of tinynet_fast/kernels/compiler/signatures.py. */
globalThis.TinyNetKernels = {made}
"""


def module(signatures):
    """The bytes of the module with these kernels; they are kept between builds."""
    of_kernels, own = kept.key({"portable.wasm": [*signatures.items()]}, LEVEL, TRIPLE), kept.sense(Path(__file__))
    name = hashlib.sha256(repr((of_kernels, own, version("ziglang"))).encode()).hexdigest()
    found = kept.get(name)
    if found is None:
        found = linked(object_file(signatures), signatures)
        kept.put(name, found)
        kept.tidy()
    return found


def object_file(signatures):
    """Compile the kernels, with one copy of what they share."""
    compile.prepare()
    from tinynet_fast.kernels import portable
    from tinynet_fast.kernels.compiler import jit

    functions, made = vars(portable.many_neurons()) | vars(portable), {}
    for name, words in signatures.items():
        function, kinds = functions[name.split()[0]], jit.numba_types(words)
        function.dispatcher.compile(kinds)
        made[name] = function.dispatcher.overloads[kinds], words
    return compile.object_code(compile.joined(LEVEL, TRIPLE, made).as_bitcode(), LEVEL, TRIPLE)


def linked(code, signatures):
    """A module that exports the kernels, its memory, and where the memory is free. It imports nothing."""
    with TemporaryDirectory() as folder:
        source, made = Path(folder, "kernels.o"), Path(folder, "kernels.wasm")
        source.write_bytes(code)
        command = [sys.executable, "-m", "ziglang", "wasm-ld", source, "-o", made, "--no-entry", "--strip-all"]
        command += [f"--export={name}" for name in ("__heap_base", *signatures)]
        subprocess.run(command, check=True)
        return made.read_bytes()


def write(path, signatures):
    """Write the script, unless it is there already: then a page that is built again does not see a new file."""
    made = {"signatures": signatures, "numbers": NUMBERS, "activations": point_functions.ACTIVATIONS}
    made |= {"module": base64.b64encode(module(signatures)).decode()}
    text = SCRIPT.replace("{made}", json.dumps(made, indent=0))
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), SWEEPS if sys.argv[2:] == ["--sweeps"] else SIGNATURES)
