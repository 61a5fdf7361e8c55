"""What compiles kernels, and what Numba and LLVM need for it: the only place with tricks. No arithmetic of models."""
