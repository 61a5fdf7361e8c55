"""The benchmarks' core: contenders and problems, equality before time, turns, floors. `tinynet-fast bench` runs it.

The families that want peers or much time are in the repository's `bench/` folder and are built on this.
"""
