"""The problems of `same_bits.py`, and how their results are recorded."""
