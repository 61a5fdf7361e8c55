"""The core of the benchmarks: problems, contenders, checks of equality, timing in turns. `tinynet-fast bench` runs it.

Benchmarks that need other libraries or much time are in the repository's `bench/` folder. They use this core.
"""
