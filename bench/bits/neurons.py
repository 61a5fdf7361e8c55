"""`train_neuron` on rows in memory: every engine, option, width of rows and kind of rows."""

from functools import partial

import numpy as np

from bits.rows import drawn, named, outcome, row_weights, sparse_table, stopping_after, table

SIZES = {"reference": (60, 3), "numpy": (300, 5), "strict": (900, 6), "fast": (900, 6)}
OPTIONS = [
    {},
    {"learning_rate": 0.7},
    {"learning_rate": "auto"},
    {"epochs": 9},
    {"start": True},
    {"bias": -0.5},
    {"weighted": True},
    {"l2": 0.01},
    {"l1": 0.001},
    {"l1": 0.001, "l2": 0.01},
    {"schedule": "invscaling"},
    {"schedule": "invscaling", "power_t": 0.2},
    {"schedule": "optimal", "l2": 0.01},
    {"schedule": "cosine"},
    {"average": True},
    {"average": 40},
    {"average": True, "l2": 0.01},
    {"average": True, "l1": 0.001},
    {"loss": "squared_error"},
    {"loss": "squared_error", "average": True, "l2": 0.01},
    {"shuffle": True, "seed": 3},
    {"shuffle": "blocks", "seed": 3},
    {"validation": 0.25, "seed": 3},
    {"held": True},
    {"held": True, "patience": 1, "learning_rate": 1.0, "epochs": 20},
    {"stop": 2},
    {"standardize": True},
    {"standardize": True, "l2": 0.01, "average": True, "shuffle": True, "seed": 3},
    {"labels": (1, 0)},
    {"scale": 40.0},
    {"scale": 40.0, "l2": 0.01, "average": True},
    {"scale": 1e-8},
    {"dtype": np.float32},
    {"weighted": True, "shuffle": True, "seed": 3, "average": True, "schedule": "invscaling"},
]
CHOICES = {
    "learning_rate": (0.01, 0.1, 0.1, 0.5),
    "l2": (0.0, 0.0, 1e-4, 0.05),
    "l1": (0.0, 0.0, 0.0, 1e-3),
    "schedule": (None, None, "invscaling", "optimal", "cosine"),
    "power_t": (None, None, 0.25),
    "average": (False, False, True, 30),
    "loss": (None, None, None, "squared_error"),
    "shuffle": (False, True, "blocks"),
    "validation": (None, None, 0.2),
    "standardize": (False, False, True),
    "weighted": (False, False, True),
    "start": (False, False, True),
    "dtype": (None, None, np.float32, np.int64, bool),
    "scale": (None, None, None, 30.0),
}
WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 100, 128, 200, 256, 300)
TAILS = (50, 51, 53, 255, 256, 257, 259, 511, 1025)
PENALISED = {"l2": 0.01, "average": True}


def neuron(n, d, *, dtype=None, scale=1.0, seed=None, weighted=False, held=False, start=False, stop=0, **options):
    """Train on a table. `weighted`, `held`, `start` and `stop` stand for the rows, weights and callbacks they need."""
    from tinynet_fast import train_neuron

    X, y = table(n, d, seed=seed or 0, dtype=dtype or np.float64, scale=scale)
    if weighted:
        options["sample_weight"] = row_weights(n)
    if held:
        options["validation"] = table(n // 3, d, seed=99)
    if start:
        options["weights"] = np.linspace(-0.4, 0.5, d)
    if stop:
        options["callback"] = stopping_after(stop)
    result = train_neuron(X, y, **{"epochs": 3, "seed": seed} | options)
    return outcome(result, X, y)


def sparse_neuron(n, d, dtype=np.float64, places=np.int32, weighted=False, **options):
    """Train on CSR rows."""
    from tinynet_fast import train_neuron

    X, y = sparse_table(n, d, dtype=dtype, places=places)
    if weighted:
        options["sample_weight"] = row_weights(n)
    return outcome(train_neuron(X, y, **{"epochs": 3} | options), X, y)


def arranged(order, n=400, d=5, **options):
    """Rows that lie in memory in another order."""
    from tinynet_fast import train_neuron

    X, y = table(n, d)
    X = {
        "F": np.asfortranarray,
        "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
        "reversed": lambda X: X[::-1, ::-1],
        "other byte order": lambda X: X.astype(">f8"),
        "list": lambda X: X.tolist(),
        "long double": lambda X: X.astype(np.longdouble),
        "float16": lambda X: X.astype(np.float16),
    }[order](X)
    return {"result": train_neuron(X, y, epochs=3, **options), "X": np.asarray(X, dtype=np.float64)}


def combinations(engine, count):
    """(name, options) of random combinations."""
    rng = np.random.default_rng([7, sorted(SIZES).index(engine)])
    for seed in range(count):
        options = drawn(rng, CHOICES)
        if options.get("schedule") == "optimal":
            options |= {"l2": options.get("l2", 1e-3)}
        if options.get("scale") and options.get("dtype") is bool:
            del options["scale"]
        n, d = SIZES[engine]
        if engine in ("fast", "strict"):
            n, d = int(rng.choice([50, 257, 600, 1100])), int(rng.choice([1, 2, 3, 4, 5, 8, 13, 33, 90]))
        yield f"{named(options)}/{n} x {d}/seed {seed}", {"n": n, "d": d, "seed": seed} | options


def problems():
    for engine, (n, d) in SIZES.items():
        for options in OPTIONS:
            yield f"neuron/{engine}/{named(options)}", partial(neuron, n, d, engine=engine, **options)
        for name, options in combinations(engine, {"fast": 50, "strict": 25}.get(engine, 12)):
            yield f"neuron/{engine}/{name}", partial(neuron, engine=engine, **options)
    yield from widths()
    yield from sparse()
    for order in ("F", "strided", "reversed", "other byte order", "list", "long double", "float16"):
        yield f"neuron/arranged/{order}", partial(arranged, order)
        yield f"neuron/arranged/{order}, shuffle", partial(arranged, order, shuffle=True, seed=1)


def widths():
    """Every width of rows that a kernel is made for, and every place where rows or inputs can be left over."""
    for d in WIDTHS:
        for dtype in (np.float64, np.float32):
            for options in ({}, {"average": True}, PENALISED):
                name = f"neuron/widths/{np.dtype(dtype).name}/{d}/{named(options)}"
                yield name, partial(neuron, 300, d, dtype=dtype, learning_rate=0.02, **options)
        yield f"neuron/widths/l2/{d}", partial(neuron, 130, d, l2=0.01, learning_rate=0.02)
        yield f"neuron/widths/strict/{d}", partial(neuron, 130, d, engine="strict", learning_rate=0.02)
    for n in TAILS:
        for d in (1, 3, 7, 40):
            yield f"neuron/tails/{n} x {d}", partial(neuron, n, d, learning_rate=0.02)
        yield f"neuron/tails/{n} x 6/{named(PENALISED)}", partial(neuron, n, 6, learning_rate=0.02, **PENALISED)


def sparse():
    """Rows that are stored as CSR."""
    cases = [
        {},
        {"dtype": np.float32},
        {"places": np.int64},
        {"dtype": np.float32, "places": np.int64},
        {"l2": 0.01},
        {"l1": 0.001},
        {"l1": 0.001, "l2": 0.01, "average": True},
        {"average": True},
        {"average": 30, "l2": 0.01},
        {"loss": "squared_error"},
        {"schedule": "invscaling"},
        {"shuffle": True, "seed": 1},
        {"validation": 0.2, "seed": 1},
        {"weighted": True},
        {"learning_rate": 20.0},
        {"learning_rate": "auto"},
    ]
    for engine in ("fast", "strict", "numpy", "reference"):
        n = 80 if engine in ("numpy", "reference") else 600
        for options in cases:
            yield f"neuron/sparse/{engine}/{named(options)}", partial(sparse_neuron, n, 40, engine=engine, **options)
