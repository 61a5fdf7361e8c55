"""Pipes and standard input are read once and train as the same bytes in a file do; addresses are refused at once."""

import gc
import gzip
import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tables import gather

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import open_source
from tinynet_fast.rows.pipes import is_pipe, local_path
from tinynet_fast.scoring import predict_file

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3000, 2))
TEXT = "a,b,t\n" + "".join(f"{a!r},{b!r},{'no' if a < 0.2 * b else 'yes'}\n" for a, b in X.tolist())


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Where pipes are copied to; nothing may be left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    if list(folder.iterdir()):
        gc.collect()  # of a process with all tests' modules it takes a third of a second
    assert list(folder.iterdir()) == []


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text(TEXT)
    return path


@contextmanager
def pipe(folder, name="pipe", data=None):
    """A named pipe into which a thread writes once."""
    path = folder / name
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(TEXT.encode() if data is None else data,), daemon=True)
    writer.start()
    yield path
    writer.join(10)
    assert not writer.is_alive()


@pytest.mark.parametrize(
    "options",
    [{"epochs": 1}, {"epochs": 3, "standardize": True}, {"epochs": 2, "validation": 0.2, "seed": 1}],
)
def test_a_named_pipe_trains_as_a_file(tmp_path, plain, options):
    ref = train_neuron(plain, "t", **options)
    with pipe(tmp_path) as path:
        comp = train_neuron(path, "t", **options)
    assert_array_equal(comp.model.weights, ref.model.weights)
    assert comp.rows == ref.rows


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("pipe.csv", bytes),
        ("pipe.csv.gz", gzip.compress),
        ("pipe.tsv", lambda data: data.replace(b",", b"\t")),
    ],
)
def test_a_pipe_is_what_its_name_says(tmp_path, plain, name, pack):
    ref = train_mlp(plain, "t", hidden=3, epochs=2, seed=0)
    with pipe(tmp_path, name, pack(TEXT.encode())) as path:
        comp = train_mlp(path, "t", hidden=3, epochs=2, seed=0)
    assert_array_equal(comp.model.weights[0], ref.model.weights[0])


def test_open_source_and_predict_file_read_a_pipe(tmp_path, plain):
    model = train_neuron(plain, "t", epochs=1).model
    predict_file(model, plain, tmp_path / "ref.csv")
    with pipe(tmp_path) as path:
        predict_file(model, path, tmp_path / "comp.csv")
    assert (tmp_path / "comp.csv").read_bytes() == (tmp_path / "ref.csv").read_bytes()
    with pipe(tmp_path, "other") as path:
        assert_array_equal(gather(open_source(path, features=["a", "b"]))[0], X)


def test_errors_name_the_pipe_and_the_line(tmp_path):
    bad = TEXT.replace("no", "no\n1,,yes", 1)
    line = bad[: bad.index("1,,yes")].count("\n") + 1
    with (
        pipe(tmp_path, data=bad.encode()) as path,
        pytest.raises(TableError, match=rf"^{path}, line {line}, column 'b': the value is missing"),
    ):
        train_neuron(path, "t", epochs=1)
    with pipe(tmp_path, "empty", b"") as path, pytest.raises(TableError, match=f"^{path}: the file is empty"):
        train_neuron(path, "t", epochs=1)


def test_a_pipe_resumes_from_a_checkpoint_of_the_same_rows(tmp_path, plain):
    ref = train_neuron(plain, "t", epochs=4)
    with pipe(tmp_path) as path:
        train_neuron(path, "t", epochs=2, checkpoint=tmp_path / "run.json")
    path.unlink()
    with pipe(tmp_path) as path:
        comp = train_neuron(path, "t", epochs=4, checkpoint=tmp_path / "run.json")
    assert_array_equal(comp.model.weights, ref.model.weights)
    path.unlink()
    other = TEXT.replace("0.1", "0.2", 1).encode()
    with pipe(tmp_path, data=other) as path, pytest.raises(ValueError, match=r"run\.json"):
        train_neuron(path, "t", epochs=5, checkpoint=tmp_path / "run.json")


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input(plain, name):
    code = (
        "import sys; from tinynet_fast import train_neuron\n"
        f"print(train_neuron({name!r}, 't', epochs=2).model.weights.tolist())"
    )
    ref = train_neuron(plain, "t", epochs=2).model.weights.tolist()
    found = subprocess.run([sys.executable, "-c", code], input=TEXT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(ref)
    with plain.open() as file:
        found = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(ref)
    found = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "TableError: standard input: the file is empty" in found.stderr


def test_a_terminal_is_not_read(monkeypatch):
    pty = pytest.importorskip("pty")
    _, terminal = pty.openpty()
    with open(terminal) as screen:
        monkeypatch.setattr(sys, "stdin", screen)
        with pytest.raises(TableError, match="standard input is a terminal; pipe a CSV file into it"):
            local_path("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(TableError, match="there is no standard input to read"):
        local_path("-")


def test_what_is_no_pipe(tmp_path, plain):
    assert not is_pipe(str(plain))
    assert not is_pipe(str(tmp_path / "none.csv"))
    assert local_path(plain) == plain
    with pytest.raises(TableError, match="/dev/zero: this is a device"):
        train_neuron("/dev/zero", "t")


@pytest.mark.parametrize("train", [train_neuron, train_mlp, open_source])
@pytest.mark.parametrize("path", ["s3://bucket/rows.csv", "gs://bucket/part-*.parquet", Path("abfs://box/a.csv")])
def test_addresses_are_refused_with_the_module_that_reads_them(train, path):
    with pytest.raises(TableError, match=r"only files on this machine are read here.*tinynet_fast\.dask or tiny"):
        train(path, "t")
    with pytest.raises(TableError, match="leave file:// out and name the path"):
        train("file:///data/a.csv", "t")


@pytest.mark.skipif(os.name == "nt", reason="files have no limit here")
def test_a_full_disk_for_the_copy(tmp_path):
    """The error names what was copied and the folder, and the copy is gone."""
    program = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from tinynet_fast.cli.app import main\n"
        "sys.argv = ['tinynet-fast', 'train', '-', '--target', 'y']\n"
        "main()"
    )
    folder = tmp_path / "copies"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program], input="x,y\n" + "1,a\n2,b\n" * 1000, text=True, capture_output=True,
        cwd=tmp_path, env=os.environ | {"TMPDIR": str(folder)},
    )  # fmt: skip
    assert done.returncode == 2
    assert re.fullmatch(r"tinynet-fast: standard input: .*, while it was copied into .*tinynet_fast-.*\n", done.stderr)
    assert list(folder.iterdir()) == []
