"""Hooks on everything that writing a file asks of the system, so that a test can stop or fail it there.

A hook is called with the operation's name and "before", "half" (of a write, when half of it is in the file) or "after".
What it raises takes the operation's place.
"""

import io
import os
from contextlib import contextmanager
from unittest import mock

from tinynet_fast.models import files

POINTS = (
    ("open", "before"), ("open", "after"), ("write", "before"), ("write", "half"), ("write", "after"),
    ("fsync", "before"), ("fsync", "after"), ("chmod", "before"), ("chmod", "after"), ("replace", "before"),
    ("replace", "after"),
)  # fmt: skip


def _around(name, call, hook, wanted=lambda *arguments: True):
    def wrapped(*arguments, **options):
        if not wanted(*arguments):
            return call(*arguments, **options)
        hook(name, "before")
        found = call(*arguments, **options)
        hook(name, "after")
        return found

    return wrapped


def _for_writing(path, flags=0, *rest):
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def _temporary(path, *rest):
    """Whether this is the file that is being written: others may be removed or changed, too."""
    return str(path).endswith(".tmp")


@contextmanager
def hooked(hook):
    """Call `hook` around each operation of a file that `modelfile.atomic_file` writes."""

    class Halves(io.FileIO):
        """Writes what it is given in two halves."""

        def write(self, data):
            hook("write", "before")
            data = memoryview(data).cast("B")
            done = 0
            for end, when in ((len(data) // 2, "half"), (len(data), "after")):
                while done < end:
                    done += super().write(data[done:end])
                hook("write", when)
            return done

    class Raw(files._Raw, Halves):
        """The package's file, whose `super().write` is the one above."""

    with (
        mock.patch.object(files, "_Raw", Raw),
        mock.patch.object(os, "open", _around("open", os.open, hook, _for_writing)),
        mock.patch.object(os, "fsync", _around("fsync", os.fsync, hook)),
        mock.patch.object(os, "chmod", _around("chmod", os.chmod, hook, _temporary)),
        mock.patch.object(os, "replace", _around("replace", os.replace, hook, _temporary)),
        mock.patch.object(os, "unlink", _around("unlink", os.unlink, hook, _temporary)),
    ):
        yield
