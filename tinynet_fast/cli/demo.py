"""`tinynet-fast demo`: the two tutorials' problems, then the same loop on a million rows."""

import math
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tinynet_fast.kernels import reference
from tinynet_fast.rows import datasets
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.neuron import train_neuron

ROWS, SAMPLE = 1_000_000, 20_000


def run_demo(console: Console) -> bool:
    """Print the demonstration. Return False if the compiled weights are not those of the plain loop."""
    _one_neuron(console)
    _network(console)
    return _million_rows(console)


def _one_neuron(console: Console) -> None:
    table = datasets.study_hours()
    result = train_neuron(table.X, table.y, weights=0.1, learning_rate=0.1, epochs=1000)
    console.print("\n[bold]One neuron[/bold]: hours of study in, pass or fail out, 1,000 epochs")
    console.print(_losses(result.loss_history, (0, 100, 200, 900), "total loss"))
    console.print(f"weight {result.model.weights[0]:.6f}, bias {result.model.bias:.6f}")
    for hours, actual in zip(table.X[:, 0], table.y, strict=True):
        probability = result.model.predict_proba([hours])[0]
        console.print(f"  {hours:g} hours: probability of a pass {probability:.4f}, actual {actual}")
    console.print(f"  2.5 hours, never seen: {result.model.predict_proba([2.5])[0]:.4f}, a pass")


def _network(console: Console) -> None:
    table = datasets.height_weight()
    result = train_mlp(table.X, table.y, hidden=(4,), learning_rate=0.15, epochs=4000, seed=42)
    console.print("\n[bold]A network[/bold]: height and weight in, four hidden units, 4,000 epochs")
    console.print(_losses(result.loss_history, (0, 400, 3600), "mean cross-entropy"))
    for row, probability, actual in zip(table.X, result.model.predict_proba(table.X), table.y, strict=True):
        console.print(f"  height {row[0]:+g}, weight {row[1]:+g}: probability {probability:.4f}, actual {actual}")


def _losses(history: np.ndarray, epochs: tuple[int, ...], title: str) -> Table:
    shown = Table("epoch", title)
    for epoch in epochs:
        shown.add_row(str(epoch), f"{history[epoch]:.4f}")
    return shown


def _million_rows(console: Console) -> bool:
    rows = datasets.make_pass_fail(ROWS, n_features=2, seed=1)
    options: dict[str, Any] = {"learning_rate": 0.01, "epochs": 1}
    console.print(f"\n[bold]The same loop on real sizes[/bold]: {ROWS:,} rows, 2 inputs, one epoch")
    sample = slice(0, SAMPLE)
    seconds, ref = _plain_loop(rows.X[sample], rows.y[sample], options["learning_rate"])
    compiled = train_neuron(rows.X[sample], rows.y[sample], **options)
    whole = train_neuron(rows.X, rows.y, **options)

    shown = Table("who", "rows", "seconds", "rows per second")
    shown.add_row("plain Python loop", f"{SAMPLE:,}", f"{seconds:.4f}", f"{SAMPLE / seconds:,.0f}")
    name = f"compiled loop ({whole.engine})"
    shown.add_row(name, f"{ROWS:,}", f"{whole.seconds:.4f}", f"{ROWS / whole.seconds:,.0f}")
    console.print(shown)
    comp = np.append(compiled.model.weights, compiled.model.bias)
    difference = float(np.linalg.norm(comp - ref) / np.linalg.norm(ref))
    same = difference <= 1e-12 and math.isfinite(difference)
    verdict = "equal to the last bit" if difference == 0 else f"{difference:.1e} apart, norm-wise"
    console.print(f"weights of both on the first {SAMPLE:,} rows: {verdict}" + ("" if same else " - NOT THE SAME"))
    speed_up = (seconds / SAMPLE) / (whole.seconds / ROWS)
    console.print(f"[bold]{speed_up:.0f} times the plain loop's rows per second, to the same weights[/bold]")
    console.print("weights found " + _rounded(whole.model.weights, whole.model.bias), end=", ")
    console.print("weights that drew the labels " + _rounded(rows.weights, rows.bias))
    return same


def _plain_loop(X: np.ndarray, y: np.ndarray, rate: float) -> tuple[float, np.ndarray]:
    """Seconds and weights of the reference kernel alone, on lists that are made before the clock starts."""
    rows, labels, step = X.tolist(), y.tolist(), [rate] * len(y)
    weights, bias = [0.0] * X.shape[1], [0.0]
    start = perf_counter()
    reference.sgd_epochs(rows, labels, step, weights, bias, [0.0])
    return perf_counter() - start, np.array(weights + bias)


def _rounded(weights: np.ndarray, bias: float) -> str:
    return "(" + ", ".join(f"{v:.3f}" for v in (*weights, bias)) + ")"
