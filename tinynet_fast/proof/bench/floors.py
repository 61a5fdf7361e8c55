"""The floors: times that no engine can beat here, for reading rows from memory and for the chain from row to row."""

from dataclasses import asdict, dataclass

import numpy as np

from tinynet_fast.proof.bench.measure import take_turns

MEGABYTES = 256  # larger than the caches of most machines
STEPS = 1_000_000


@dataclass(frozen=True)
class Floors:
    """The read bandwidth of one core in GB/s, and the nanoseconds from one row's error to the next row's."""

    gigabytes_a_second: float
    chain_ns: float

    def reading_ns(self, features: int, itemsize: int = 8) -> float:
        """Nanoseconds to read a row and its label (a float64) from memory."""
        return (features * itemsize + 8) / self.gigabytes_a_second

    def of(self, X: np.ndarray, *, chain: bool = True) -> dict[str, float]:
        """Nanoseconds a row of X, by name. Leave out the chain if no row waits for another."""
        known = {"reading memory": self.reading_ns(X.shape[1], X.itemsize)}
        return known | ({"the chain": self.chain_ns} if chain else {})

    def or_lower(self, other: "Floors") -> "Floors":
        """The better of two measurements of one machine: a disturbance only makes them worse."""
        speed = max(self.gigabytes_a_second, other.gigabytes_a_second)
        return Floors(speed, min(self.chain_ns, other.chain_ns))

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def measure_floors(rounds: int = 5, megabytes: int = MEGABYTES) -> Floors:
    """Measure in several rounds and keep the best, in which other processes disturbed least."""
    # Here, because Numba compiles it and is optional.
    from tinynet_fast.kernels.fast.floors import COEFFICIENTS, chain, read

    values = np.ones(megabytes * 125_000)
    runs = {"read": lambda: read(values), "chain": lambda: chain(STEPS, 0.3, 0.1, COEFFICIENTS)}
    seconds = {name: float(times.min()) for name, times in take_turns(runs, rounds).items()}
    return Floors(values.nbytes / seconds["read"] / 1e9, seconds["chain"] / STEPS * 1e9)
