"""`train_mlp` on rows in memory: every engine, option, shape of network and number of classes."""

from functools import partial

import numpy as np

from bits.rows import drawn, named, outcome, row_weights, stopping_after, table

SIZES = {"reference": (40, 3), "numpy": (200, 5), "strict": (300, 6), "fast": (600, 6)}
OPTIONS = [
    {},
    {"activation": "tanh"},
    {"activation": "relu", "init": "he"},
    {"init": "glorot"},
    {"init_scale": 0.05},
    {"learning_rate": 0.9},
    {"batch_size": 1},
    {"batch_size": 8},
    {"batch_size": 37},
    {"batch_size": 37, "shuffle": True},
    {"batch_size": 32, "momentum": 0.9},
    {"batch_size": 32, "momentum": 0.9, "nesterov": True},
    {"batch_size": 32, "optimizer": "adam", "learning_rate": 0.01},
    {"optimizer": "adam", "learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-6},
    {"batch_size": 32, "optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.1, "l2": 0.01},
    {"l2": 0.01},
    {"batch_size": 16, "l2": 0.01},
    {"weight_decay": 0.1},
    {"dropout": 0.3},
    {"dropout": 0.3, "batch_size": 16, "shuffle": True},
    {"batch_size": 16, "schedule": "invscaling"},
    {"batch_size": 16, "schedule": "invscaling", "power_t": 0.2},
    {"batch_size": 16, "schedule": "cosine"},
    {"loss": "squared_error"},
    {"loss": "squared_error", "batch_size": 8},
    {"weighted": True},
    {"weighted": True, "batch_size": 16},
    {"start": True},
    {"shuffle": "blocks", "batch_size": 16},
    {"validation": 0.25},
    {"held": True, "patience": 1, "batch_size": 4, "learning_rate": 2.0, "epochs": 30},
    {"stop": 2},
    {"standardize": True},
    {"labels": (1, 0)},
    {"scale": 40.0},
    {"dtype": np.float32},
    {"classes": 3},
    {"classes": 7, "batch_size": 16, "shuffle": True},
    {"classes": 3, "optimizer": "adam", "learning_rate": 0.01, "weighted": True, "dropout": 0.2},
]
CHOICES = {
    "activation": (None, "tanh", "relu"),
    "batch_size": (None, 1, 5, 32, 64, 130),
    "learning_rate": (0.01, 0.1, 0.4),
    "optimizer": (None, None, "adam"),
    "momentum": (0.0, 0.0, 0.9),
    "nesterov": (False, True),
    "l2": (0.0, 0.0, 0.01),
    "weight_decay": (0.0, 0.0, 0.1),
    "dropout": (0.0, 0.0, 0.0, 0.25),
    "schedule": (None, None, "invscaling", "cosine"),
    "loss": (None, None, "squared_error"),
    "init": (None, "glorot", "he"),
    "shuffle": (False, True, "blocks"),
    "validation": (None, None, 0.2),
    "standardize": (False, False, True),
    "weighted": (False, False, True),
    "dtype": (None, None, np.float32, np.int8),
    "classes": (None, None, 3, 10),
    "hidden": (None, (1,), (3,), (8,), (33,), (4, 2), (9, 16, 5)),
}
SHAPES = [(5,), (7,), (8,), (9,), (16,), (17,), (32,), (33,), (64,), (100,), (1, 1), (4, 4), (8, 3), (16, 16, 8)]


def network(
    n, d, *, classes=2, dtype=None, scale=1.0, seed=5, weighted=False, held=False, start=False, stop=0, **options
):
    """Train on a table; see `neurons.neuron`."""
    from tinynet_fast import train_mlp

    X, y = table(n, d, classes, seed=seed, dtype=dtype or np.float64, scale=scale)
    if weighted:
        options["sample_weight"] = row_weights(n)
    if held:
        options["validation"] = table(n // 3, d, classes, seed=99)
    if start:
        rng = np.random.default_rng(seed)
        options |= {"hidden": (3,), "weights": [rng.standard_normal((d, 3)), rng.standard_normal((3, 1))]}
        options["biases"] = [rng.standard_normal(3), rng.standard_normal(1)]
    if stop:
        options["callback"] = stopping_after(stop)
    return outcome(train_mlp(X, y, **{"epochs": 4, "seed": seed, "hidden": (5,)} | options), X, y)


def combinations(engine, count):
    """(name, options) of random combinations."""
    rng = np.random.default_rng([8, sorted(SIZES).index(engine)])
    for seed in range(count):
        options = drawn(rng, CHOICES)
        if options.get("optimizer") == "adam":
            options |= {"learning_rate": 0.005}
            options.pop("momentum", None)
        if "momentum" not in options:
            options.pop("nesterov", None)
        if "classes" in options:
            options.pop("loss", None)
        n, d = SIZES[engine]
        if engine in ("fast", "strict"):
            n, d = int(rng.choice([50, 130, 257, 400])), int(rng.choice([1, 2, 4, 5, 11, 40]))
        yield f"{named(options)}/{n} x {d}/seed {seed}", {"n": n, "d": d, "seed": seed} | options


def problems():
    for engine, (n, d) in SIZES.items():
        for options in OPTIONS:
            yield f"network/{engine}/{named(options)}", partial(network, n, d, engine=engine, **options)
        for name, options in combinations(engine, {"fast": 50, "strict": 20}.get(engine, 10)):
            yield f"network/{engine}/{name}", partial(network, engine=engine, **options)
    yield from shapes()


def shapes():
    """Networks that a kernel is made for, and wide ones."""
    for inputs in (1, 2, 3, 4):
        for units in (1, 2, 3, 4):
            make = partial(network, 300, inputs, hidden=(units,))
            yield f"network/narrow/{inputs}-{units}-1", make
            yield f"network/narrow/{inputs}-{units}-1, float32", partial(make, dtype=np.float32)
            yield f"network/narrow/{inputs}-{units}-1, tanh", partial(make, activation="tanh", batch_size=7)
            yield f"network/narrow/{inputs}-{units}-1, batches", partial(make, batch_size=50, activation="relu")
    for hidden in SHAPES:
        name = f"network/shapes/{named({'hidden': hidden})}"
        yield f"{name}/2 inputs", partial(network, 150, 2, hidden=hidden, batch_size=40)
        yield f"{name}/50 inputs, 4 classes", partial(network, 150, 50, hidden=hidden, classes=4, batch_size=40)
    for d in (1, 8, 17, 64, 150, 300):
        yield f"network/shapes/{d} inputs", partial(network, 150, d, hidden=(12,))
        yield f"network/shapes/{d} inputs, float32", partial(network, 150, d, hidden=(12,), dtype=np.float32)
