"""`tinynet-fast warmup`: compile the kernels now, so that nobody waits for them later."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tinynet_fast.kernels.compiler import jit, native
from tinynet_fast.kernels.compiler.interrupts import done
from tinynet_fast.kernels.compiler.warmup import compile_all, kernels_to_compile
from tinynet_fast.rows.team import threads_for


def warm_up(console: Console, jobs: int = -1) -> None:
    """Compile the kernels that the installation lacks, with a progress bar, and say what was done.

    `jobs` processes share the work, -1 means one for each core.
    """
    processes = threads_for(jobs)
    library = native.library()
    if library is not None:
        console.print(f"The library of compiled kernels is here, and runs as {library.level}.")
    if jit.UNCOMPILED:
        raise ValueError("NUMBA_DISABLE_JIT is set: kernels run as plain Python, and there is nothing to compile")
    if not jit.has_numba():
        if library is None:
            raise jit.MissingCompilerError("a kernel")
        console.print("What it leaves out needs Numba, which is not installed: nothing more to do.")
        return
    entries, started = kernels_to_compile(), time.perf_counter()
    columns = TextColumn("compiling"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=len(entries))
        for k, name in enumerate(compile_all(entries, processes), 1):
            bar.update(task, advance=1, description=name)
            done(f"{k} of {len(entries)} kernels are in Numba's cache; warmup compiles the others if you run it again")
    spent = time.perf_counter() - started
    console.print(f"{len(entries)} kernels are in Numba's cache, after {spent:.1f} s.")
