"""The platforms that wheels are made for: one table. A line says what LLVM, the linker and pip call a platform.

Libraries call nothing of Python's, so that one wheel serves every Python. Every function that Python calls takes
pointers, whole numbers of 64 bits and doubles, and returns a double: this is the same in all calling conventions here.
Which level a CPU can run, the library says itself (`tinynet_fast_level` in library.c).
"""

from typing import NamedTuple

V3 = "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe"
# LLVM's names of a CPU and its features, and the doubles of a register. Kernels are written for eight doubles at once:
# that is one register with AVX-512, two with AVX, and four of SSE's or of NEON's, of which there are twice as many.
# Without "-prefer-256-bit" rows of 16 took 8% less time, and rows of 256 took 20% more.
LEVELS = {
    "x86-64-v2": ("x86-64-v2", "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt", 2),
    "x86-64-v3": ("x86-64-v3", V3, 4),
    "x86-64-v4": (
        "x86-64-v4",
        f"{V3},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,-prefer-256-bit",
        8,
    ),
    "armv8-a": ("generic", "", 2),
    "wasm32": ("generic", "+simd128,+bulk-memory", 2),  # for no wheel: pages of the site (`wasm.py`)
}
X86 = "x86-64-v2", "x86-64-v3", "x86-64-v4"
ARM = ("armv8-a",)


class Platform(NamedTuple):
    levels: tuple[str, ...]  # instruction-set levels, each with all that the one before has
    triple: str  # what LLVM calls it
    zig: str  # what Zig calls it, with the oldest version of the system that has to do
    tag: str  # the end of the wheel's name
    library: str = "libtinynet_fast.so"


PLATFORMS = {
    "linux-x86_64": Platform(
        X86, "x86_64-unknown-linux-gnu", "x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64.manylinux2014_x86_64"
    ),
    "linux-aarch64": Platform(
        ARM, "aarch64-unknown-linux-gnu", "aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64.manylinux2014_aarch64"
    ),
    "musl-x86_64": Platform(X86, "x86_64-unknown-linux-gnu", "x86_64-linux-musl", "musllinux_1_1_x86_64"),
    "musl-aarch64": Platform(ARM, "aarch64-unknown-linux-gnu", "aarch64-linux-musl", "musllinux_1_1_aarch64"),
    "macos-arm64": Platform(
        ARM, "arm64-apple-macosx11.0", "aarch64-macos.11.0", "macosx_11_0_arm64", "libtinynet_fast.dylib"
    ),
    "macos-x86_64": Platform(
        X86, "x86_64-apple-macosx10.15", "x86_64-macos.10.15", "macosx_10_15_x86_64", "libtinynet_fast.dylib"
    ),
    "windows-x86_64": Platform(X86, "x86_64-w64-windows-gnu", "x86_64-windows-gnu", "win_amd64", "libtinynet_fast.dll"),
}
