"""Wheels for all platforms, made on one machine: `python native/wheels.py --help`, or `make wheels`.

`compile.py` has LLVM write the object files, Zig links them (`pip install ziglang`), and what is in a wheel without a
library is packed with each library, by Zopfli if it is installed (`pip install zopfli`). A library needs nothing but
the system's C library, and `check` makes sure of it.
"""

import argparse
import base64
import hashlib
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import compile
import entries
from libraries import MATHEMATICS, check
from platforms import PLATFORMS

from tinynet_fast.kernels.compiler.native import symbol
from tinynet_fast.kernels.compiler.signatures import numbered

UCRT = "api-ms-win-crt-math-l1-1-0.dll"
ZIG = [sys.executable, "-m", "ziglang"]
HERE = Path(__file__).resolve().parent
LINKING = {
    "linux": ["-lm", "-Wl,--no-undefined", "-Wl,-Bsymbolic", "-Wl,-z,noexecstack", "-Wl,--gc-sections"],
    "musl": ["-Wl,-Bsymbolic", "-Wl,-z,noexecstack", "-Wl,--gc-sections"],
    "macos": ["-Wl,-install_name,@rpath/libtinynet_fast.dylib", "-Wl,-dead_strip"],
    "windows": ["-Wl,--gc-sections"],
}
TIME = (0, 33)  # of files in a wheel, 1 January 1980: the same sources make the same bytes


def objects(names, folder):
    """Compile for the platforms, and return their object files."""
    triples = {PLATFORMS[name].triple: PLATFORMS[name].levels for name in names}
    levels = list(dict.fromkeys(level for its in triples.values() for level in its))
    compile.build(levels, triples, folder)
    single = len(triples) == 1
    return {
        name: [
            (folder if single else folder / PLATFORMS[name].triple) / file
            for file in compile.object_files(PLATFORMS[name].levels)
        ]
        for name in names
    }


def link(name, files, folder):
    """The platform's library, made of its object files."""
    platform, place = PLATFORMS[name], folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "entries.h").write_text(entries.table())
    if name.startswith("windows"):
        files = [*windows_files(platform.levels, place), *files]
    made, response = place / platform.library, place / "objects.rsp"
    response.write_text("\n".join(f'"{path.as_posix()}"' for path in files))
    command = [*ZIG, "cc", "-target", platform.zig, "-shared", "-O2", "-s", "-g0"]
    command += [
        "-fvisibility=hidden",
        f"-I{place}",
        str(HERE / "library.c"),
        f"@{response}",
        *LINKING[name.split("-")[0]],
    ]
    subprocess.run([*command, "-o", str(made)], check=True, cwd=place)
    return made


def windows_files(levels, place):
    """What Windows needs besides: the names of the entries that are exported, and where mathematics is imported from.

    Without the second, Zig brings `exp` and `log` of its own, and Python's have other last bits.
    """
    exports, library, definition = place / "exports.c", place / "libmathematics.a", place / "mathematics.def"
    names = [symbol(level, number) for level in levels for number, *_ in numbered(level)]
    lines = "".join(f'    ".ascii \\" -export:{name}\\"\\n"\n' for name in names)
    exports.write_text(f'__asm__(".section .drectve,\\"yn\\"\\n"\n{lines}    ".text\\n");\n')
    definition.write_text("\n".join([f"LIBRARY {UCRT}", "EXPORTS", *sorted(MATHEMATICS)]) + "\n")
    command = [*ZIG, "dlltool", "-m", "i386:x86-64", "-d", str(definition), "-l", str(library), "-D", UCRT]
    subprocess.run(command, check=True)
    return [exports, library]


def plain_wheel(folder):
    """A wheel of this tree without a library."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    command += ["--config-settings=wheel.cmake=false", "--wheel-dir", str(folder), str(HERE.parent)]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def pack(plain, library, tag, folder):
    """A wheel of what is in `plain`, and of a library."""
    with zipfile.ZipFile(plain) as wheel:
        contents = {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}
    info = next(name for name in contents if name.endswith(".dist-info/WHEEL")).rpartition("/")[0]
    told = contents[f"{info}/WHEEL"].decode()
    told = re.sub(r"(?m)^(Tag|Root-Is-Purelib):.*\n", "", told).rstrip("\n") + "\nRoot-Is-Purelib: false\n"
    contents[f"{info}/WHEEL"] = (told + "".join(f"Tag: py3-none-{each}\n" for each in tag.split("."))).encode()
    contents[f"tinynet_fast/kernels/{library.name}"] = library.read_bytes()
    contents.pop(f"{info}/RECORD")
    lines = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in sorted(contents.items())]
    contents[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    made = folder / f"{info.removesuffix('.dist-info')}-py3-none-{tag}.whl"
    made.write_bytes(zipped(sorted(contents.items(), key=lambda item: (item[0].startswith(info), item[0]))))
    return made


def zipped(contents):
    """A zip file of these names and bytes. Python's `zipfile` cannot write what Zopfli compresses."""
    files, directory = [], []
    at = 0
    for name, data in contents:
        told, small = name.encode(), deflated(data)
        both = struct.pack("<5H3I2H", 20, 0x800, 8, *TIME, zlib.crc32(data), len(small), len(data), len(told), 0)
        files += [b"PK\3\4", both, told, small]
        directory += [b"PK\1\2\x14\3", both, struct.pack("<3H2I", 0, 0, 0, 0o100644 << 16, at), told]
        at = sum(map(len, files[-4:])) + at
    listed = b"".join(directory)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(contents), len(contents), len(listed), at, 0)
    return b"".join([*files, listed, end])


@cache
def deflated(data):
    """Bytes after "deflate", which pip can read. Zopfli's are fewer: by 3% for Python, by 6% for kernels."""
    try:
        from zopfli.zlib import compress
    except ImportError:
        return zlib.compress(data, 9)[2:-4]
    return compress(data, numiterations=5)[2:-4]


def _digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("dist"), help="where the wheels go")
    parser.add_argument("--platforms", default=",".join(PLATFORMS), help="with commas between them; all")
    arguments = parser.parse_args()
    names = arguments.platforms.split(",")
    unknown = set(names) - set(PLATFORMS)
    if unknown:
        parser.error(f"no such platforms: {', '.join(sorted(unknown))}; there are {', '.join(PLATFORMS)}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    work = HERE.parent / "build" / "wheels"
    files = objects(names, work / "objects")
    with tempfile.TemporaryDirectory() as place:
        plain = plain_wheel(Path(place))
        for name in names:
            library = link(name, files[name], work)
            check(name, library)
            made = pack(plain, library, PLATFORMS[name].tag, arguments.folder)
            sizes = [path.stat().st_size / 1e6 for path in (made, library)]
            print("{}: {:.2f} MB, of which {:.2f} MB unpacked is the library".format(made.name, *sizes), flush=True)
