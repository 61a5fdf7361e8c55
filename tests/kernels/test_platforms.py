"""What is made for other platforms: object files that are kept, libraries that are read, and wheels."""

import csv
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from compare import needs_numba

from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.compiler.signatures import numbered

NATIVE = Path(__file__).resolve().parents[2] / "native"
if not NATIVE.is_dir():
    pytest.skip("the folder native/ is not here", allow_module_level=True)


@pytest.fixture
def kept(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(NATIVE))
    monkeypatch.setenv("TINYNET_FAST_OBJECTS", str(tmp_path / "objects"))
    import kept

    return kept


@pytest.fixture
def libraries(monkeypatch):
    monkeypatch.syspath_prepend(str(NATIVE))
    import libraries

    return libraries


def test_an_object_file_is_kept_until_it_is_damaged(kept, monkeypatch):
    assert kept.get("name") is None
    kept.put("name", b"code")
    assert kept.get("name") == b"code"
    place = kept.folder() / "name"
    place.write_bytes(place.read_bytes()[:-1] + b"E")
    assert kept.get("name") is None
    monkeypatch.setenv("TINYNET_FAST_OBJECTS", "0")
    kept.put("other", b"code")
    assert kept.get("other") is None


def test_what_is_too_old_or_too_much_is_removed(kept, monkeypatch):
    for name in "abc":
        kept.put(name, name.encode() * 100)
    old, now = (kept.folder() / "a").stat(), kept.time.time()
    kept.os.utime(kept.folder() / "a", (now - 31 * 86400,) * 2)
    kept.os.utime(kept.folder() / "b", (now - 1000,) * 2)
    kept.tidy()
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (None, b"b" * 100, b"c" * 100)
    kept.os.utime(kept.folder() / "b", (now - 1000,) * 2)
    monkeypatch.setattr(kept, "BYTES", old.st_size + 10)
    kept.tidy()
    assert (kept.get("b"), kept.get("c")) == (None, b"c" * 100)


@needs_numba
def test_the_name_depends_on_the_kernels_sources_and_not_on_comments(kept):
    """A part of a kernel in another file counts."""
    files = {path.name for path in kept.imported(kept.KERNELS / "fast" / "network_team.py")}
    assert {"network_team.py", "network.py", "network_tiles.py", "reference.py", "point_functions.py"} <= files
    assert "neuron.py" not in files
    place = kept.folder().parent / "source.py"
    texts = "x = 1\n", "x = (\n    1  # one\n)\n", "x = 2\n"
    made = []
    for text in texts:
        place.write_text(text)
        kept.sense.cache_clear(), kept.tree.cache_clear()
        made.append(kept.sense(place))
    assert made[0] == made[1] != made[2]
    names = {kept.key({"strict.logits": ["d2"]}, level, "x") for level in ("x86-64-v2", "x86-64-v3")}
    names |= {kept.key({"strict.logits": ["f2"]}, "x86-64-v2", "x")}
    assert len(names | {kept.key({"strict.logits": ["d2"], "strict.epochs": ["d2"]}, "x86-64-v2", "x")}) == 4


@pytest.mark.skipif(native.path() is None, reason="no library here: `make native` compiles it")
def test_the_library_here_is_read_as_it_is(libraries):
    found = libraries.read(Path(native.path()))
    here = native.Library(native.path(), "")
    assert {native.symbol("x86-64-v3", n) for n, _, _ in numbered("x86-64-v3")} <= found.exported or not here.levels
    assert {name for name in found.exported if not name.startswith(("tinynet_fast_", "_"))} == set()
    assert "exp" in found.needed[""]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"machine": "aarch64"}, "it is for aarch64"),
        ({"exported": set()}, "it lacks tinynet_fast_array_type, "),
        ({"needed": {"libomp.so.5": {"exp", "log", "log1p", "pow", "tanh"}}}, "it needs the libraries libomp.so.5"),
        ({"needed": {"": {"exp", "log", "log1p", "pow", "tanh", "PyObject_Call"}}}, "it needs PyObject_Call"),
        ({"needed": {"": {"exp", "log", "pow", "tanh"}}}, "it has its own log1p"),
        ({"signed": False}, "it is not signed"),
    ],
)
def test_a_library_that_will_not_do(libraries, monkeypatch, wrong, said):
    names = {native.symbol(level, n) for level in native.LEVELS for n, _, _ in numbered(level)}
    exported = names | libraries.DATA | {"tinynet_fast_level"}
    sound = libraries.Read("x86-64", exported, {"libc.so.6": set(), "": libraries.CALLED | {"memset"}})
    monkeypatch.setattr(libraries, "read", lambda path: sound)
    libraries.check("linux-x86_64", Path("lib.so"))
    monkeypatch.setattr(libraries, "read", lambda path: sound._replace(**wrong))
    with pytest.raises(ValueError, match=f"lib.so for linux-x86_64: {said}"):
        libraries.check("linux-x86_64", Path("lib.so"))


@pytest.mark.parametrize("zopfli", [True, False])
def test_a_zip_file_is_what_zipfile_reads(monkeypatch, tmp_path, zopfli):
    if zopfli:
        pytest.importorskip("zopfli", reason="Zopfli is not installed")
    else:
        monkeypatch.setitem(sys.modules, "zopfli.zlib", None)
    monkeypatch.syspath_prepend(str(NATIVE))
    import wheels

    wheels.deflated.cache_clear()
    contents = {"a/b.py": b"x = 1\n" * 1000, "empty": b"", "é.txt": bytes(range(256)) * 300}
    (tmp_path / "made.zip").write_bytes(wheels.zipped(list(contents.items())))
    with zipfile.ZipFile(tmp_path / "made.zip") as file:
        assert file.testzip() is None
        assert {entry.filename: file.read(entry) for entry in file.infolist()} == contents
        assert {entry.external_attr >> 16 for entry in file.infolist()} == {0o100644}
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert file.infolist()[0].compress_size < 100
    wheels.deflated.cache_clear()


def test_a_wheel_holds_the_library_and_says_for_which_platform(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(NATIVE))
    import wheels

    info, plain, library = "tinynet_fast-1.0.dist-info", tmp_path / "plain.whl", tmp_path / "libtinynet_fast.so"
    library.write_bytes(b"code")
    with zipfile.ZipFile(plain, "w") as wheel:
        wheel.writestr("tinynet_fast/__init__.py", "")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n\n")
        wheel.writestr(f"{info}/RECORD", "")
    made = wheels.pack(plain, library, "manylinux_2_17_x86_64.manylinux2014_x86_64", tmp_path)
    assert made.name == "tinynet_fast-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    with zipfile.ZipFile(made) as wheel:
        assert wheel.read("tinynet_fast/kernels/libtinynet_fast.so") == b"code"
        told = wheel.read(f"{info}/WHEEL").decode().split("\n")
        recorded = [row[0] for row in csv.reader(wheel.read(f"{info}/RECORD").decode().splitlines())]
        assert sorted(recorded) == sorted(wheel.namelist())
    assert told[1:] == [
        "Root-Is-Purelib: false",
        "Tag: py3-none-manylinux_2_17_x86_64",
        "Tag: py3-none-manylinux2014_x86_64",
        "",
    ]


ASSEMBLY = """
import re
import sys
sys.path.insert(0, {native!r})
import compile, record
if {slowly}:
    compile.quickly = lambda: None
compile.prepare()
from llvmlite import binding as llvm
kernels, level, triple = {{"fast.network.update"}}, "x86-64-v3", "x86_64-unknown-linux-gnu"
made = {{(name, words): each for name in kernels for words in compile.kernels_of(level)[name]
        for each in compile.record(name, {{words}}).values()}}
code = compile.optimised_entries(level, triple, kernels, made)
print(re.sub(r"B[0-9]+v[0-9]+", "", compile.machine_for(level, triple).emit_assembly(code)))
"""


@needs_numba
@pytest.mark.skipif(UNCOMPILED, reason="its processes compile whatever is said to this one: `make test` runs it")
def test_numba_records_the_same_code_in_less_time():
    """With and without the parts of Numba that `record.py` replaces, LLVM writes the same instructions."""
    pytest.importorskip("llvmlite")
    ref, comp = (
        subprocess.run(
            [sys.executable, "-c", ASSEMBLY.format(native=str(NATIVE), slowly=slowly)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"NUMBA_DISABLE_JIT": "0"},
        ).stdout
        for slowly in (True, False)
    )
    assert len(ref) > 10_000
    assert comp == ref
