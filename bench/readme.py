"""Write the README's figures from the newest results files: `python bench/readme.py` after `neuron.py --json FILE`.

A file in `results` is named after what was measured, then the day and the machine: neuron-..., network-..., sweep-...
"""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- figures: written by bench/readme.py -->\n", "<!-- end of figures -->"
WHO = {
    "fast": "tinynet_fast, `fast`",
    "strict": "tinynet_fast, `strict`",
    "plain njit": "the plain loop under `@njit`",
    "scikit-learn": "scikit-learn's `SGDClassifier`",
    "numpy": "NumPy, a row at a time",
    "plain Python loop": "the plain Python loop, on lists",
}


PEERS = {"numpy": "NumPy", "pytorch": "PyTorch", "scikit-learn": "scikit-learn"}


def newest():
    """The newest results of each kind."""
    folder = ROOT / "bench" / "results"
    kinds = {kind: sorted(folder.glob(f"{kind}-*.json"))[-1] for kind in ("neuron", "network", "sweep")}
    return {kind: json.loads(path.read_text(encoding="utf-8")) for kind, path in kinds.items()}


def number(value):
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def neuron_figures(results):
    """One neuron: training and prediction."""
    training = [r for r in results["training"] if r["dtype"] == "float64"]
    lines = [
        "Nanoseconds a row for one epoch of per-row SGD, one thread, medians of contenders that took turns, each shown",
        "to give the same weights first:",
        "",
        "| | " + " | ".join(f"{r['rows']:,} × {r['features']}" for r in training) + " |",
        "|---" * (len(training) + 1) + "|",
    ]
    for name, shown in WHO.items():
        cells = [r["ns_a_row"][name] for r in training]
        bold = "**" if name == "fast" else ""
        lines.append(f"| {shown} | " + " | ".join(f"{bold}{number(c)}{bold}" for c in cells) + " |")
    reads = " | ".join(number(r["read_once_ns_a_row"]) for r in training)
    lines += [f"| floor: reading the rows once from memory | {reads} |", ""]
    single = next(r for r in results["training"] if r["dtype"] == "float32")
    double = next(r for r in training if r["features"] == single["features"])
    ratio = double["ns_a_row"]["fast"] / single["ns_a_row"]["fast"]
    lines += [
        f"Rows of float32 are read as they are: {single['features']} inputs take 1 / {ratio:.1f} of that time.",
        "",
    ]
    lines += [
        "`predict_proba`, nanoseconds a row, and microseconds for a single row given as a list:",
        "",
        "| | tinynet_fast | NumPy's formula | scikit-learn | reading once | one row | scikit-learn's one row |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results["prediction"]:
        cells = [number(r["ns_a_row"][who]) for who in ("tinynet_fast", "numpy", "scikit-learn", "read")]
        cells += [f"{v:.1f} µs" for v in r["us_one_row"].values()]
        lines.append(f"| {r['rows']:,} × {r['features']} | " + " | ".join(cells) + " |")
    return lines


def network_figures(results):
    """Networks beside NumPy, PyTorch and scikit-learn."""
    lines = [
        "Networks, nanoseconds a row and epoch, beside the tutorial's loop in NumPy, PyTorch and scikit-learn's",
        "`MLPClassifier`, one thread each, float64, from the same weights to the same weights:",
        "",
        "| | tinynet_fast | " + " | ".join(PEERS.values()) + " |",
        "|---" * (len(PEERS) + 2) + "|",
    ]
    for r in results["results"]:
        cost = r["ns_a_row"]
        cells = [f"**{number(cost['fast'])}**"]
        cells += [f"{number(cost[who])} ({number(cost[who] / cost['fast'])}×)" if who in cost else "" for who in PEERS]
        layers = "-".join(map(str, (r["inputs"], *r["hidden"], 1)))
        lines.append(f"| {r['work'].partition(':')[0]}: {r['rows']:,} rows, {layers} | " + " | ".join(cells) + " |")
    return lines


def sweep_figures(results):
    """Many neurons in one pass."""
    lines = [
        "`sweep` over 32 learning rates, one epoch, one thread: nanoseconds a row and model, and how many times as",
        "long thirty-two separate fits take:",
        "",
        "| | sweep | our own fits | scikit-learn's |",
        "|---|---|---|---|",
    ]
    for r in results["sweep"]:
        cost = r["ns_a_row_and_model"]
        cells = [f"{cost[who] / cost['sweep']:.0f}×" for who in ("train_neuron", "scikit-learn")]
        lines.append(f"| {r['rows']:,} × {r['features']} | **{cost['sweep']:.2f}** | " + " | ".join(cells) + " |")
    folds, auto = results["cross_validation"]["seconds"], results["auto"]
    faster = folds["GridSearchCV"] / folds["sweep"]
    above, sooner = auto["above_least"], auto["seconds"]["L-BFGS"] / auto["seconds"]["auto"]
    return [
        *lines,
        "",
        f"Five-fold cross-validation of eight rates, 500,000 × 16, two cores: {faster:.0f} times as fast as",
        "scikit-learn's `GridSearchCV` over `SGDClassifier` on the same folds.",
        '`learning_rate="auto"` and one averaged pass over 500,000 × 16, everything counted, come within',
        f"{above:.2%} of the least log loss in 1 / {sooner:.1f} of the time of scikit-learn's `LogisticRegression()`.",
    ]


def figures(results):
    """The tables, in Markdown."""
    facts, libraries = results["network"]["machine"], ("numpy", "numba", "scikit-learn", "torch")
    lines = [
        *neuron_figures(results["neuron"]),
        "",
        *network_figures(results["network"]),
        "",
        *sweep_figures(results["sweep"]),
        "",
        f"Measured on 2 shared cores of an {facts['cpu']}, Python {facts['python']}, "
        + ", ".join(f"{name} {facts[name]}" for name in libraries)
        + ".",
        f"Memory beyond the rows: {results['neuron']['memory_mb']:.0f} MB at 1,000,000 × 2.",
    ]
    return "\n".join(lines) + "\n"


def with_figures(readme, results):
    head, _, rest = readme.partition(START)
    _, _, tail = rest.partition(END)
    return head + START + "\n" + figures(results) + "\n" + END + tail


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_figures(path.read_text(encoding="utf-8"), newest()), encoding="utf-8")
