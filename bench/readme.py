"""Write the README's figures from the newest results file: `python bench/readme.py` after `neuron.py --json`."""

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


def newest():
    return json.loads(sorted((ROOT / "bench" / "results").glob("*.json"))[-1].read_text(encoding="utf-8"))


def number(value):
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def figures(results):
    """The tables, in Markdown."""
    facts = results["machine"]
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
    libraries = ", ".join(f"{name} {facts[name]}" for name in ("numpy", "numba", "scikit-learn"))
    lines += [
        "",
        f"Measured on 2 shared cores of an {facts['cpu']}, Python {facts['python']}, {libraries}.",
        f"Memory beyond the rows: {results['memory_mb']:.0f} MB at 1,000,000 × 2.",
    ]
    return "\n".join(lines) + "\n"


def with_figures(readme, results):
    head, _, rest = readme.partition(START)
    _, _, tail = rest.partition(END)
    return head + START + "\n" + figures(results) + "\n" + END + tail


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_figures(path.read_text(encoding="utf-8"), newest()), encoding="utf-8")
