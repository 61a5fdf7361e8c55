"""The proof: the engines compared with the reference, one training step number by number, and benchmarks."""
