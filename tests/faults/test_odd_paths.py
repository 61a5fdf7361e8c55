"""Where files cannot be written, or not as usual: full disks, folders without rights, pipes, devices, links."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from tinynet_fast import load, train_neuron
from tinynet_fast.models.files import _prefix, atomic_file
from tinynet_fast.scoring import predict_file

resource = pytest.importorskip("resource", reason="rights, pipes and devices are others on this system")
X, Y = np.arange(8.0).reshape(-1, 1), np.arange(8) > 3
MODEL = train_neuron(X, Y, epochs=1).model
WRITERS = {
    "model": lambda path: MODEL.save(path),
    "predictions": lambda path: predict_file(MODEL, X, path),
    "checkpoint": lambda path: train_neuron(X, Y, epochs=1, checkpoint=path),
}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def in_a_child(work):
    """The error of `work` in a child process, as (kind, errno, filename), or None: for what a process cannot undo."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            work()
            said = None
        except Exception as error:
            said = type(error).__name__, getattr(error, "errno", str(error)), getattr(error, "filename", None)
        os.write(write, json.dumps(said).encode())
        os._exit(0)
    os.close(write)
    with open(read) as pipe:
        said = json.load(pipe)
    os.waitpid(child, 0)
    return said and tuple(said)


@pytest.mark.parametrize("limit", [0, 1, 100])
@pytest.mark.parametrize("name", WRITERS)
def test_files_that_may_not_grow(name, limit, tmp_path):
    """A disk that takes no more, as the system itself says it: the limit of a file's size needs no rights."""
    path = tmp_path / "file"
    path.write_text("old")
    if name == "checkpoint":
        path.unlink()

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        WRITERS[name](path)

    before = contents(tmp_path)
    assert in_a_child(work) == ("OSError", errno.EFBIG, str(path))
    assert contents(tmp_path) == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="tmpfs is Linux's")
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk(name, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a file system can be mounted by root only")
    try:
        (disk / "rest").write_bytes(bytes(4096))
        path = disk / "file"
        if name == "checkpoint":
            (disk / "rest").write_bytes(bytes(8192))
        else:
            path.write_text("old")
        before = contents(disk)
        with pytest.raises(OSError, match="No space left on device") as info:
            WRITERS[name](path)
        assert info.value.filename == str(path)
        assert contents(disk) == before
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_that_may_not_be_written_to(name):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        path = Path(folder) / "file"
        if name != "checkpoint":
            path.write_text("old")
        os.chmod(folder, 0o555)

        def work():
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            WRITERS[name](path)

        before = contents(Path(folder))
        assert in_a_child(work) == ("PermissionError", errno.EACCES, str(path))
        assert contents(Path(folder)) == before
        os.chmod(folder, 0o755)


@pytest.mark.parametrize("name", WRITERS)
def test_paths_that_name_no_file(name, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for path, kinds in [
        (tmp_path / ("x" * 256), OSError),
        (tmp_path / ("x/" * 2500) / "file", OSError),
        (tmp_path / "none" / "file", (ValueError, OSError)),
        (tmp_path / "file" / "file", (ValueError, OSError)),
        (tmp_path / "folder", (ValueError, OSError)),
        (tmp_path / "a\0b", ValueError),
    ]:
        with pytest.raises(kinds) as info:
            WRITERS[name](path)
        said = getattr(info.value, "filename", None) or str(info.value)
        assert str(path) in said or "null" in said or (name == "checkpoint" and str(path).startswith(said))
        assert ".tmp" not in str(info.value)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("name", ["é" * 120, "x" * 250, "-", "a b\nc", "$HOME", "\udcff"])
def test_names_that_are_unusual(name, tmp_path):
    for writer in WRITERS.values():
        path = tmp_path / name
        writer(path)
        assert [each.name for each in tmp_path.iterdir()] == [name]
        path.unlink()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_devices():
    for name in ("model", "predictions"):
        with pytest.raises(OSError, match="No space left on device") as info:
            WRITERS[name]("/dev/full")
        assert info.value.filename == "/dev/full"
        WRITERS[name]("/dev/null")
    for device in ("/dev/full", "/dev/null"):
        assert stat.S_ISCHR(os.stat(device).st_mode)
        with pytest.raises(ValueError, match=f"{device}: no regular file"):
            WRITERS["checkpoint"](device)


def test_a_pipe_with_a_name(tmp_path):
    path, seen = tmp_path / "pipe", []
    os.mkfifo(path)
    for name in ("model", "predictions"):
        reader = threading.Thread(target=lambda: seen.append(path.read_text()))
        reader.start()
        WRITERS[name](path)
        reader.join(20)
    assert [text[:4] for text in seen] == ['{\n "', "row,"]
    with pytest.raises(ValueError, match="pipe: no regular file"):
        WRITERS["checkpoint"](path)
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize("name", WRITERS)
def test_links(name, tmp_path):
    """The file that a link names is replaced and not the link; there need not be such a file yet."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link, far, broken = tmp_path / "link", tmp_path / "far", tmp_path / "broken"
    link.symlink_to(folder / "file")
    far.symlink_to(link)
    broken.symlink_to(tmp_path / "none" / "file")
    for _ in range(2):
        for path in (link, far):
            WRITERS[name](path)
            assert path.is_symlink()
            assert json.loads(link.read_text()) if name != "predictions" else link.read_text().startswith("row")
        assert [each.name for each in folder.iterdir()] == ["file"]
    with pytest.raises(FileNotFoundError) as info:
        WRITERS[name](broken)
    assert info.value.filename == str(broken)
    assert broken.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["broken", "elsewhere", "far", "link"]


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_left_over_beside_the_file_that_a_link_names(name, tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder / "file")
    left = folder / f"{_prefix(folder / 'file', child.pid)}0123.tmp"
    earlier = folder / f"{_prefix(folder / 'file', os.getpid())}0123.tmp"  # a container's processes have few numbers
    for path in (left, earlier):
        path.write_text("")
    os.utime(earlier, (0, 0))
    WRITERS[name](tmp_path / "link")
    assert [each.name for each in folder.iterdir()] == ["file"]


def test_what_may_not_be_removed_is_left():
    """What another user's process left in a folder for all stops nobody."""
    if os.getuid():
        pytest.skip("two users are needed")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o1777)
        path = Path(folder) / "c"
        left = Path(folder) / f"{_prefix(path, child.pid)}0123.tmp"
        left.write_text("")

        def work():
            os.setgid(65534)
            os.setuid(65534)
            for writer in WRITERS.values():
                path.unlink(missing_ok=True)
                writer(path)

        assert in_a_child(work) is None
        assert left.exists()


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_rights(mask, tmp_path):
    """A new file has the rights that `open` gives, and an old one keeps its own, from the first byte on."""
    old = os.umask(mask)
    try:
        path = tmp_path / "m.json"
        for rights in (None, 0o600, 0o664, 0o640, 0o444):
            if rights is not None:
                path.chmod(rights)
            with atomic_file(path) as file:
                file.write("secret")
                file.flush()
                held = [each.stat().st_mode & 0o777 for each in tmp_path.glob(".*")]
            assert path.stat().st_mode & 0o777 == (0o666 & ~mask if rights is None else rights)
            assert held[0] & ~(0o666 & ~mask if rights is None else rights) == 0
    finally:
        os.umask(old)


def test_nobody_sets_the_umask(tmp_path, monkeypatch):
    """To ask for it is to set it, and two threads that do so at once can leave it at 0."""
    monkeypatch.setattr(os, "umask", None)
    for name, writer in WRITERS.items():
        writer(tmp_path / name)
    assert load(tmp_path / "model").n_features == 1
