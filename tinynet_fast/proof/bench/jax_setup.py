"""JAX as the other contenders are: one thread, float64."""

import os
from typing import Any


def one_thread() -> Any:
    """Import JAX. It reads its number of threads from the environment when it computes for the first time."""
    os.environ.setdefault("NPROC", "1")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax
