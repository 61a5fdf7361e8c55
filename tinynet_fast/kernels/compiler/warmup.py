"""Everything that Numba would compile when it is first called, compiled now and kept in its cache."""

import multiprocessing
import signal
from collections.abc import Iterator
from importlib import import_module
from multiprocessing.connection import wait
from typing import Any

from tinynet_fast.kernels.compiler import jit, native
from tinynet_fast.kernels.compiler.signatures import AHEAD, DIRECT, LATER

TOGETHER = 4  # entries that a process takes at a time


def kernels_to_compile() -> list[tuple[str, str]]:
    """("module.kernel", signature) of all that trainers and estimators call and the library here, if any, has not."""
    table = [
        (name, signature)
        for kernels in (AHEAD, LATER)
        for name, signatures in kernels.items()
        for signature in signatures
    ]
    return [entry for entry in table if not native.find(*entry)]


def compile_all(entries: list[tuple[str, str]], processes: int = 1) -> Iterator[str]:
    """Compile them, or find them in the cache; gives the name of each when it is done.

    With more than one process, each takes the next few entries of the list, whose neighbours have parts in common.
    OSError if there is nowhere to keep them.
    """
    for name in dict.fromkeys(name for name, _ in entries):
        if not _is_cached(_kernel(name).dispatcher):
            raise OSError(
                "there is nowhere to keep compiled kernels: neither the package's folder nor the user's cache folder "
                "can be written to; set NUMBA_CACHE_DIR to a folder that can, now and when the kernels are used"
            )
    processes = min(processes, -(-len(entries) // TOGETHER))
    yield from map(compile_one, entries) if processes <= 1 else _shared(entries, processes)


def _shared(entries: list[tuple[str, str]], processes: int) -> Iterator[str]:
    """What `compile_all` gives, from processes that ask for more entries when they have compiled some.

    Pipes and not a pool: an interrupt ends the processes at once, and a pool would leave semaphores behind.
    """
    parts = (entries[i : i + TOGETHER] for i in range(0, len(entries), TOGETHER))
    context = multiprocessing.get_context("spawn")
    workers: dict[Any, Any] = {}
    try:
        for _ in range(processes):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(theirs,), daemon=True)
            worker.start()
            theirs.close()
            workers[ours] = worker
        while workers:
            ready: list[Any] = wait(list(workers))
            for pipe in ready:
                yield from _received(pipe)
                part = next(parts, None)
                pipe.send(part)
                if part is None:
                    workers.pop(pipe).join()
    finally:
        for worker in workers.values():
            worker.terminate()


def _received(pipe: Any) -> list[str]:
    """The names that a process has compiled since it was last asked. OSError if it failed."""
    try:
        done = pipe.recv()
    except EOFError:
        raise OSError("a process that compiled kernels was killed; fewer --jobs need less memory") from None
    if isinstance(done, Exception):
        raise done
    return list(done)


def _work(pipe: Any) -> None:
    """What each process does: compile what comes through the pipe, until None comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is told too, and ends this one
    pipe.send([])
    while part := pipe.recv():
        try:
            pipe.send([compile_one(entry) for entry in part])
        except Exception as error:
            pipe.send(error)


def compile_one(entry: tuple[str, str]) -> str:
    """Compile an entry, or find it in the cache, and return its name. OSError if it cannot be kept."""
    name, signature = entry
    function = _kernel(name)
    compiled = function.dispatcher
    if name in DIRECT:
        compiled.compile(jit.numba_types(_writeable(signature)))
    else:
        compiled = function.compiled(signature)
    refused = getattr(getattr(compiled, "_cache", None), "refused", None)
    if refused:
        raise refused
    return name


def _kernel(name: str) -> Any:
    module, _, kernel = name.rpartition(".")
    return getattr(import_module(f"tinynet_fast.kernels.{module}"), kernel)


def _is_cached(dispatcher: Any) -> bool:
    return bool(getattr(getattr(dispatcher, "_cache", None), "cache_path", None))


def _writeable(signature: str) -> str:
    """The signature of the arrays that come where Numba is not told what to compile."""
    words = signature.split()
    return " ".join(word if word[-1] == "0" or "w" in word else f"{word[0]}w{word[1:]}" for word in words)
