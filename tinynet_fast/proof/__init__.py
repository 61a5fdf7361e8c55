"""Evidence: one training step number by number, the engines against the reference, and benchmarks."""
