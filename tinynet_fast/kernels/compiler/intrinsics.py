"""What Numba has no word for: a float's bits, a fused multiply-add, memory that does not overlap, a prefetch.

Each has a plain Python twin.

The twins stand in where compiling is switched off (NUMBA_DISABLE_JIT=1), so that coverage can see the kernels' lines.
"""

import numpy as np

from tinynet_fast.kernels.compiler.jit import UNCOMPILED, written_in

if UNCOMPILED:

    def as_bits(x):
        return np.float64(x).view(np.uint64)

    def as_double(x):
        return np.uint64(x).view(np.float64)

    def fma(x, y, z):
        return x * y + z

    def input_at(X, offset):
        return np.float64(X.reshape(-1)[offset])

    def weight_at(weights, j):
        return weights[j]

    def put_weight(weights, j, w):
        weights[j] = w

    def prefetch(X, offset):
        pass

    def prefetch_far(X, offset):
        pass

else:
    as_bits, as_double, fma, input_at, weight_at, put_weight, prefetch, prefetch_far = written_in(
        "intrinsics_llvm", "as_bits as_double fma input_at weight_at put_weight prefetch prefetch_far"
    )
