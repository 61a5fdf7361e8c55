"""Which kernels there are, and for which arguments: what is compiled ahead of time, and what `warmup` has compiled.

A signature is written as `jit.compiled` reads it. `AHEAD` is in the library of a wheel. What else trainers and
estimators call, `LATER`, is left out of it for its size, some hundred kilobytes each for three instruction sets: one
class against the rest, bootstraps of more than one register, the shapes of narrow networks except that of the
tutorials, and what rows of float32 have beside plain training and prediction. Another kernel does the work of such a
kernel if there is one: a copy of the rows in float64 is trained on (`jit.for_rows`). Without Numba, narrow networks
also take the kernels of all networks, and many neurons go one register at a time.
"""

from itertools import product
from zlib import crc32

EITHER = "df"  # rows of float64, of float32
PLACES = "il"  # where sparse rows have their values: int32, int64
MIXED = (("f", "d"), ("d", "f"))  # rows of one type, and networks through which they go in the other
NARROW = (1, 2, 3, 4)
TURNED = range(1, 10)  # widths of rows that `segments.py` turns
KEPT_AND_KIND = ((0, 0), (1, 0), (0, 1), (0, 2))  # whether rows' sums are kept, and the kind of the loss
NOT_AHEAD = [each for each in product(EITHER, (1, 2, 3, 4)) if each != ("d", 1)]  # registers of neurons that draw rows
FOLDED_AND_KIND = ((0, 0), (1, 0), (0, 1))  # whether neurons hold out folds, and the kind: of linear ones none does
# What kernels take after their rows. They ask for it in these words, so that what is asked for is what was compiled.
NEURON, REGULARIZED = "d1 d1 dw1 dw1 dw1 d1", "d1 d2 dw1 dw1 dw1 dw1 dw1 d1 d0"
NETWORK, NARROW_NETWORK = "d1 d1 d2 d2 d1 l2 dw2 {scratch}w1 dw1 dw1", "d1 d1 d2 d1 dw2 dw1 dw1 dw1"
MANY_NETWORKS = "d1 d1 d1 d2 l2 d3 d3 d2 l2 dw3 dw1 dw2 dw2"
NETWORK_TEAM = f"{NETWORK} lw1 dw2 dw2 l0"
STRICT_NETWORK, STRICT_UPDATE = "d2 d1 d1 d2 d2 d1 l2 fw1 dw1 dw1 dw1 fw1 fw1 dw1 dw1", "d0 d1 d1 l2 fw1 dw1 dw1 dw1"
STRICT_LOGITS = "d2 l2 f1 fw1 fw1 dw2"
PENALISED = "d2 d1 d1 d2 d2 d2 l2 dw2 dw1 dw1 dw1 dw1"
PENALISED_NETWORKS = "d2 d1 d1 d1 d2 l2 d3 d3 d3 l2 dw3 dw1 dw2 dw2 dw2"
MANY_NETWORKS_UPDATE = "d2 d2 l2 dw3 dw1 dw2"
SPARSE_NEURON = "l1 l1 d1 d2 d1" + " dw1" * 6
MODELS, CLASSES = "d1 d1 d1 d2 dw2 dw2", "d1 d2 d2 dw2 dw2"
EXACT = "{f}1 {f}1 B1 lw1 lw1 d1 {f}w1 {f}w1 {f}w1 dw1 l0"
EXACT_DENSE, EXACT_SPARSE = "{f}2 " + EXACT, "{f}1 i1 i1 " + EXACT
SEGMENTS = "d1 d1 l1 l0 dw2 dw1 dw1"
SOFTMAX = "d1 d2 dw2 dw2 dw1"

# Called by name alone: Numba takes these for the arrays that come, which are writeable.
DIRECT = {
    "strict.sgd_epochs": ["d2 d1 d1 dw1 dw1 dw1"],
    "strict.sgd_linear_epochs": ["d2 d1 d1 dw1 dw1 dw1"],
    "strict.sgd_regularized_epochs": ["d2 d1 d2 d1 dw1 dw1 dw1 dw1 dw1"],
    "strict.logits": ["d2 d1 d1 dw1"],
    "strict.sgd_softmax_epochs": ["d2 d1 d2 dw2 dw2 dw2 dw1 dw1"],
    "strict.network_epochs": ["d2 d1 d1 d2 d2 d1 l2 dw2 dw2 dw1 dw1"],
    "strict.network_update": ["d0 d1 d1 l2 dw2"],
    "strict.network_logits": ["d2 l2 d1 dw2 dw2"],
    "strict.sparse_rescale": ["dw1 dw1 dw1"],
    "fast.row_order.shuffle": ["lw1 l0"],
    "fast.row_order.permutations": ["lw1 lw1 lw2"],
    "exact.stops": ["d1 dw1 d0"],
    "fast.row_order.fill_schedule": ["l0 d0 d0 d0 d0 d0 d1 d0 d0 l0 dw2"],
    "fast.objective.sgd_logits_epoch": ["d2 d1 d2 d0 dw1 dw1 dw1 dw1 dw1 d1 dw1 dw1"],
    "fast.floors.read": ["d1"],
    "fast.floors.chain": ["l0 d0 d0 d1"],
    "fast.objective.objective": ["d1 d1 d2 d1 d0 d0 d1 d1 dw1"],
}
# With strict's arguments, and sparse rows whose places are int32.
DIRECT |= {f"portable.{name[7:]}": words for name, words in DIRECT.items() if name.startswith("strict.")}
DIRECT |= {
    "portable.sgd_sparse_epochs": [f"d1 i1 {SPARSE_NEURON}"],
    "portable.sparse_logits": ["d1 i1 l1 l1 d1 d1 dw1"],
    "portable.powers": ["d1 d1 dw1"],
    "portable.cosines": ["d1 dw1"],
    "portable.probabilities": ["dw2 l0"],
}
AHEAD = DIRECT | {
    "exact.run_dense": [EXACT_DENSE.format(f=f) for f in EITHER],
    "exact.run_sparse": [EXACT_SPARSE.format(f=f) for f in EITHER],
    "fast.neuron.narrow_epochs": [
        f"{f}2 {NEURON} t{width} t{kind}" for f, width, kind in product(EITHER, NARROW, (0, 1))
    ],
    "fast.neuron.wide_epochs": [f"{f}2 {NEURON} t{kind}" for f in EITHER for kind in (0, 1)],
    "fast.row_lengths.largest_square_norm": [f"{f}2 d1 dw1 t{width}" for f in EITHER for width in (0, *NARROW)],
    "fast.regularized_neuron.narrow_epochs": [
        f"d2 {REGULARIZED} t{width} t{kept} t{kind}" for width in NARROW for kept, kind in KEPT_AND_KIND
    ],
    "fast.regularized_neuron.wide_epochs": [
        *(f"d2 {REGULARIZED} t{kept} t{kind}" for kept, kind in KEPT_AND_KIND),
        f"f2 {REGULARIZED} t0 t0",
    ],
    "fast.network.epochs": [f"{f}2 {NETWORK}".format(scratch=f) for f in EITHER],
    "fast.softmax_neuron.epochs": [f"d2 {SOFTMAX} t{k} t1 t0" for k in (1, 2)],  # up to 16 labels
    "fast.many_networks.epochs": [f"d2 {MANY_NETWORKS}"],
    "fast.many_networks.update": [MANY_NETWORKS_UPDATE],
    "fast.penalised_passes.passes": [PENALISED],
    "fast.penalised_networks.passes": [PENALISED_NETWORKS],
    "fast.network_team.shared_epochs": [f"d2 {NETWORK_TEAM}".format(scratch="d")],
    "fast.network.update": ["d0 d1 d1 l2 dw2 dw1"],
    "fast.network.logits": [f"{f}2 l2 {f}1 {f}w1 dw2" for f in EITHER],
    "fast.narrow_network.narrow_epochs": [f"d2 {NARROW_NETWORK} t2 t4"],
    "fast.many_neurons.train_plain": [
        *(f"d2 {MODELS} t{k} t{folded} t{kind}" for k in (1, 2, 3, 4) for folded, kind in FOLDED_AND_KIND),
        *(f"d2 {MODELS} t1 t{draws} t0" for draws in (2, 3)),
    ],
    "fast.many_neurons.train_penalised": [
        *(f"d2 {MODELS} t{k} t{folded} t{kind}" for k in (1, 2, 3, 4) for folded, kind in FOLDED_AND_KIND),
        f"d2 {MODELS} t1 t2 t0",
    ],
    "fast.segments.train_narrow": [f"d2 {SEGMENTS} t0 t{kind} t{width}" for width, kind in product(TURNED, (0, 1))],
    "fast.segments.train_wide": [f"d2 {SEGMENTS} t0 t{kind}" for kind in (0, 1)],
    "fast.prediction.probabilities": [f"{f}2 d1 d1 dw1" for f in EITHER],
    "fast.prediction.pairs": [f"{f}2 d1 d1 dw1 dw2" for f in EITHER],
    "fast.row_order.gather_rows": [f"{f}2 {y}1 l1 {f}w2 dw1" for f in EITHER for y in "dB"],
    "fast.objective.square_norms": [f"{f}2 dw1" for f in EITHER],
    "strict.sgd_sparse_epochs": [f"d1 {k}1 {SPARSE_NEURON}" for k in PLACES],
    "fast.sparse.epochs": [f"d1 {k}1 {SPARSE_NEURON}" for k in PLACES],
    "fast.sparse.logits": [f"d1 {k}1 l1 l1 d1 d1 dw1" for k in PLACES],
    "fast.sparse.largest_square_norm": [f"{f}1 l1 d1 dw1" for f in EITHER],
    "fast.floors.plain_njit": [f"{f}2 d1 d0 dw1 d0 l0" for f in EITHER],
    "fast.columns.put_eight": ["d1 " * 8 + "dw2 l0"],
    "fast.columns.put_one": [f"{f}1 {f}w2 l0" for f in EITHER],
}
LATER = {
    "fast.regularized_neuron.narrow_epochs": [
        f"f2 {REGULARIZED} t{width} t{kept} t{kind}" for width in NARROW for kept, kind in KEPT_AND_KIND
    ],
    "fast.regularized_neuron.wide_epochs": [f"f2 {REGULARIZED} t{kept} t{kind}" for kept, kind in KEPT_AND_KIND[1:]],
    "strict.sgd_sparse_epochs": [f"f1 {k}1 {SPARSE_NEURON}" for k in PLACES],
    "fast.sparse.epochs": [f"f1 {k}1 {SPARSE_NEURON}" for k in PLACES],
    "fast.sparse.logits": [f"f1 {k}1 l1 l1 d1 d1 dw1" for k in PLACES],
    "fast.network.epochs": [f"{f}2 {NETWORK}".format(scratch=s) for f, s in MIXED],
    "fast.network_team.shared_epochs": [f"{f}2 {NETWORK_TEAM}".format(scratch=s) for f, s in (*MIXED, ("f", "f"))],
    "fast.network.logits": [f"{f}2 l2 {s}1 {s}w1 dw2" for f, s in MIXED],
    "strict_single.epochs": [STRICT_NETWORK],
    "strict_single.update": [STRICT_UPDATE],
    "strict_single.logits": [STRICT_LOGITS],
    "fast.narrow_network.narrow_epochs": [
        f"{f}2 {NARROW_NETWORK} t{inputs} t{units}"
        for f, inputs, units in product(EITHER, NARROW, NARROW)
        if (f, inputs, units) != ("d", 2, 4)
    ],
    "fast.many_neurons.train_plain": [
        *(f"f2 {MODELS} t{k} t{folded} t{kind}" for k in (1, 2, 3, 4) for folded, kind in FOLDED_AND_KIND),
        *(
            f"{f}2 {MODELS} t{k} t{draws} t0"
            for f, k, draws in product(EITHER, (1, 2, 3, 4), (2, 3))
            if f + str(k) != "d1"
        ),
    ],
    "fast.many_neurons.train_penalised": [
        *(f"f2 {MODELS} t{k} t{folded} t{kind}" for k in (1, 2, 3, 4) for folded, kind in FOLDED_AND_KIND),
        *(f"{f}2 {MODELS} t{k} t2 t0" for f, k in NOT_AHEAD),
    ],
    "fast.segments.train_narrow": [
        f"{f}2 {SEGMENTS} t{stepped} t{kind} t{width}"
        for f, stepped, kind, width in product(EITHER, (0, 1), (0, 1), TURNED)
        if (f, stepped) != ("d", 0)
    ],
    "fast.segments.train_wide": [
        f"{f}2 {SEGMENTS} t{stepped} t{kind}"
        for f, stepped, kind in product(EITHER, (0, 1), (0, 1))
        if (f, stepped) != ("d", 0)
    ],
    "fast.many_networks.epochs": [f"f2 {MANY_NETWORKS}"],
    "fast.one_vs_rest.fast_epoch": [
        f"{f}2 {CLASSES} t{k} t{averaged} t{watched}"
        for f, k, averaged, watched in product(EITHER, (1, 2, 3, 4), (0, 1), (0, 1))
    ],
    "fast.one_vs_rest.strict_epoch": [
        f"{f}2 {CLASSES} t{k} t{averaged} t{watched}"
        for f, k, averaged, watched in product(EITHER, (1, 2, 3, 4), (0, 1), (0, 1))
    ],
    "fast.softmax_neuron.epochs": [  # up to 4 registers of labels; groups of 3 or 4 for more
        f"{f}2 {SOFTMAX} t{k} t{single} t{averaged}"
        for f, (k, single), averaged in product(EITHER, ((1, 1), (2, 1), (3, 1), (4, 1), (3, 0), (4, 0)), (0, 1))
        if (f, averaged) != ("d", 0) or k > 2
    ],
}


# Kernels that sum in order or wait for memory, for which AVX-512 can do little: with v4, v3's run. (The kernels of
# `portable` have the same bits at every level.)
NARROW_ENOUGH = (
    "portable.", "strict.", "exact.", "fast.row_order.", "fast.columns.", "fast.objective.", "fast.sparse.",
    "fast.row_lengths.",
)  # fmt: skip


# What the library lacks for v2, which is for CPUs made before 2013, besides neurons of several registers: sweeps of
# networks, and segments of long runs, which are 380 kB there; softmax neurons; networks and penalties for rows of
# float32. Numba compiles them.
LATER_FOR_V2 = "fast.many_networks.", "fast.penalised_networks.", "fast.segments.", "fast.softmax_neuron."
SINGLE_LATER_FOR_V2 = "fast.network.", "fast.regularized_neuron."


# Kernels whose every sum waits for the one before: with v3 as well, v2's run. They took about as long
# as with v3 (0.77 to 1.04 times), at 4 to 256 inputs. (Networks took 1.5 times as long, and losses with l2 1.1 times.)
PLAIN_ENOUGH = (
    *(f"{engine}.{name}" for engine in ("strict", "portable") for name in (
        "sgd_epochs", "sgd_linear_epochs", "sgd_sparse_epochs", "logits", "sparse_", "network_update",
    )),
    "portable.powers", "portable.cosines", "portable.probabilities", "exact.", "fast.row_order.", "fast.sparse.epochs",
    "fast.sparse.logits",
)  # fmt: skip


def is_ahead(name: str, signature: str, level: str) -> bool:
    """Whether the library has it for an instruction-set level."""
    if level == "x86-64-v4":
        return not name.startswith(NARROW_ENOUGH)
    if level == "x86-64-v3":
        return not name.startswith(PLAIN_ENOUGH)
    if level != "x86-64-v2":
        return True
    if name.startswith("fast.many_neurons."):
        return signature.split()[-3] == "t1"
    return not name.startswith(LATER_FOR_V2) and not (name.startswith(SINGLE_LATER_FOR_V2) and signature[0] == "f")


def numbered(level: str) -> list[tuple[int, str, str]]:
    """(number, "module.kernel", signature) of the library's entries; the number is in the names of their symbols.

    It depends on the entry alone, so that object files can be kept when others are added.
    """
    table = [(name, signature) for name, signatures in AHEAD.items() for signature in signatures]
    return [(crc32(f"{name} {words}".encode()), name, words) for name, words in table if is_ahead(name, words, level)]
