"""Everything that Numba would compile when it is first called, compiled now and kept in its cache."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from tinynet_fast.kernels.compiler import jit, native
from tinynet_fast.kernels.compiler.signatures import AHEAD, DIRECT, LATER


def kernels_to_compile() -> list[tuple[str, str]]:
    """("module.kernel", signature) of all that trainers and estimators call and the library here, if any, has not."""
    table = [
        (name, signature)
        for kernels in (AHEAD, LATER)
        for name, signatures in kernels.items()
        for signature in signatures
    ]
    return [entry for entry in table if not native.find(*entry)]


def compile_all(entries: list[tuple[str, str]]) -> Iterator[str]:
    """Compile them, or find them in the cache, one after the other; gives the name of each when it is done.

    OSError where there is nowhere to keep them.
    """
    for name, signature in entries:
        module, _, kernel = name.rpartition(".")
        function = getattr(import_module(f"tinynet_fast.kernels.{module}"), kernel)
        if not _is_cached(function.dispatcher):
            raise OSError(
                "there is nowhere to keep compiled kernels: neither the package's folder nor the user's cache folder "
                "can be written to; set NUMBA_CACHE_DIR to a folder that can, now and when the kernels are used"
            )
        compiled = function.dispatcher
        if name in DIRECT:
            compiled.compile(jit.numba_types(_writeable(signature)))
        else:
            compiled = function.compiled(signature)
        refused = getattr(getattr(compiled, "_cache", None), "refused", None)
        if refused:
            raise refused
        yield name


def _is_cached(dispatcher: Any) -> bool:
    return bool(getattr(getattr(dispatcher, "_cache", None), "cache_path", None))


def _writeable(signature: str) -> str:
    """The signature of the arrays that come where Numba is not told what to compile."""
    words = signature.split()
    return " ".join(word if word[-1] == "0" or "w" in word else f"{word[0]}w{word[1:]}" for word in words)
