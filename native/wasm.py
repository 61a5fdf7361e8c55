"""The kernels of engine="portable" in WebAssembly, for pages: `python native/wasm.py kernels.js` writes a script.

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
from tinynet_fast.kernels.compiler.signatures import DIRECT

LEVEL, TRIPLE = "wasm32", "wasm32-unknown-unknown"
# All kernels that the engine has under these names, and functions of one number.
SIGNATURES = {name[len("portable.") :]: words[0] for name, words in DIRECT.items() if name.startswith("portable.")}
SIGNATURES |= {"sigmoid": "d0", "cross_entropy": "d0 d0", "row_loss": "d0 d0 d0 d0 d0"}
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


def module():
    """The bytes of the module; they are kept between builds."""
    of_kernels, own = kept.key("portable.wasm", [*SIGNATURES.items()], LEVEL, TRIPLE), kept.sense(Path(__file__))
    name = hashlib.sha256(repr((of_kernels, own, version("ziglang"))).encode()).hexdigest()
    found = kept.get(name)
    if found is None:
        found = linked(object_file())
        kept.put(name, found)
        kept.tidy()
    return found


def object_file():
    """Compile the kernels, with one copy of what they share."""
    compile.prepare()
    recorded = {}
    for name, words in SIGNATURES.items():
        recorded[name] = compile.record(f"portable.{name}", [words])[words], words
    return compile.object_code(compile.joined(LEVEL, TRIPLE, recorded).as_bitcode(), LEVEL, TRIPLE)


def linked(code):
    """A module that exports the kernels, its memory, and where the memory is free. It imports nothing."""
    with TemporaryDirectory() as folder:
        source, made = Path(folder, "kernels.o"), Path(folder, "kernels.wasm")
        source.write_bytes(code)
        command = [sys.executable, "-m", "ziglang", "wasm-ld", source, "-o", made, "--no-entry", "--strip-all"]
        command += [f"--export={name}" for name in ("__heap_base", *SIGNATURES)]
        subprocess.run(command, check=True)
        return made.read_bytes()


def write(path):
    """Write the script, unless it is there already: then a page that is built again does not see a new file."""
    made = {"signatures": SIGNATURES, "numbers": NUMBERS, "activations": point_functions.ACTIVATIONS}
    made |= {"module": base64.b64encode(module()).decode()}
    text = SCRIPT.replace("{made}", json.dumps(made, indent=0))
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
