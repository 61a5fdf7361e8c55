"""What no engine can go below on this machine: reading the rows from memory, and the chain from a row to the next."""

from dataclasses import asdict, dataclass

import numpy as np

from tinynet_fast.proof.bench.measure import take_turns

MEGABYTES = 256  # larger than the caches of most
STEPS = 1_000_000


@dataclass(frozen=True)
class Floors:
    """Measured here: read bandwidth of one core in GB/s, and nanoseconds from a row's error to the next row's."""

    gigabytes_a_second: float
    chain_ns: float

    def reading_ns(self, features: int, itemsize: int = 8) -> float:
        """Nanoseconds to read a row and its label (a float64) from memory."""
        return (features * itemsize + 8) / self.gigabytes_a_second

    def of(self, X: np.ndarray, *, chain: bool = True) -> dict[str, float]:
        """Nanoseconds a row of X by name; without the chain where no row waits for another."""
        known = {"reading memory": self.reading_ns(X.shape[1], X.itemsize)}
        return known | ({"the chain": self.chain_ns} if chain else {})

    def or_lower(self, other: "Floors") -> "Floors":
        """The lower of two measurements of one machine: whatever disturbed one can only have raised it."""
        speed = max(self.gigabytes_a_second, other.gigabytes_a_second)
        return Floors(speed, min(self.chain_ns, other.chain_ns))

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def measure_floors(rounds: int = 5, megabytes: int = MEGABYTES) -> Floors:
    """The best of several rounds: a floor is what is there when nobody else takes from it."""
    from tinynet_fast.kernels.fast.floors import COEFFICIENTS, chain, read

    values = np.ones(megabytes * 125_000)
    runs = {"read": lambda: read(values), "chain": lambda: chain(STEPS, 0.3, 0.1, COEFFICIENTS)}
    seconds = {name: float(times.min()) for name, times in take_turns(runs, rounds).items()}
    return Floors(values.nbytes / seconds["read"] / 1e9, seconds["chain"] / STEPS * 1e9)
