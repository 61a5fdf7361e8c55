"""Write figures into the README and the site's pages: `python bench/readme.py bench/results/<date>-<cpu>.json`.

Without an argument the newest file is used. The pages name the file, and a test compares their figures and pictures
with that file.
"""

import sys
import textwrap
from functools import partial
from pathlib import Path

import pages

from tinynet_fast.proof.bench.core import results_of
from tinynet_fast.proof.bench.machine import LIBRARIES
from tinynet_fast.proof.bench.show import number

SHOWN_WIDTHS = (2, 16, 64, 256)
ALT = {  # what a picture shows, for those who cannot see it
    "rows-per-second": "Rows per second of each contender, on a log scale",
    "features": "Cost of a row against its number of inputs, with both floors",
    "rows": "Cost of a row of two inputs against the number of rows",
    "log-loss": "Log loss above the least against the seconds of a whole call, for each solver",
}
SHOWN = "fast", "plain @njit loop", "scikit-learn", "PyTorch", "plain Python loop"  # in the README
SMALL = {
    "train_neuron": "small: train_neuron, an epoch",
    "train_mlp": "small: train_mlp, a full batch",
} | {f"SGDClassifier.{method}": f"small: SGDClassifier.{method}" for method in ("fit", "partial_fit", "predict_proba")}
NAMES = {
    "fast": "tinynet_fast, `fast`",
    "strict": "tinynet_fast, `strict`",
    "plain @njit loop": "the plain loop under `@njit`",
    "C, gcc -O3 -ffast-math": "the plain loop in C, `gcc -O3 -march=native -ffast-math`",
    "JAX, lax.scan": "the plain loop in JAX, `lax.scan` under `jit`",
    "scikit-learn": "scikit-learn's `SGDClassifier`",
    "plain Python loop": "the plain Python loop, on lists",
    "reading memory": "floor: reading the rows from memory",
    "the chain": "floor: the chain from row to row",
}


def table(head, rows):
    """Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def prose(*words):
    """A paragraph, wrapped like the rest of the page."""
    return textwrap.fill(" ".join(words).replace(" x ", " × "), 120, break_on_hyphens=False) + "\n"


def times(result, who):
    """A contender's figure, and its ratio to ours."""
    figure = result.of(who)
    return "" if figure is None else f"{number(figure.median)} ({number(result.ratio(who))}×)"


def neurons(document):
    results = [r for r in results_of(document, "one neuron, an epoch") if r.features in SHOWN_WIDTHS]
    rows = []
    for figure in results[0].figures:
        bold = "**" if figure.who == "fast" else ""
        cells = [f"{bold}{number(r.of(figure.who).median)}{bold}" for r in results]
        rows.append([NAMES.get(figure.who, figure.who), *cells])
    rows += [[NAMES[floor], *(number(r.floors[floor]) for r in results)] for floor in results[0].floors]
    apart = max(f.apart for r in results for f in r.figures if f.limit <= 1e-9)
    stated = [f"; {f.who} within {f.apart:.0e}, because {f.remark}" for f in results[0].figures if f.limit > 1e-9]
    words = (
        "One neuron, nanoseconds per row, for one epoch of per-row SGD: the same rows, the same updates, one thread.",
        "The contenders took turns, and the table shows medians. Each contender first learned the plain loop's weights",
        f"(within {apart:.0e}{''.join(stated)}).",
    )
    return prose(*words) + "\n" + table(["", *(f"{r.rows:,} × {r.features}" for r in results)], rows)


def options(document):
    costs = [f"{r.problem} {number(r.figures[0].median)}" for r in results_of(document, "one neuron, options")]
    by_rows = [
        f"{r.rows:,} rows {number(r.figures[0].median)} ({number(r.of('strict').median)})"
        for r in results_of(document, "one neuron, by rows")
    ]
    return prose(
        f"`fast` with options, nanoseconds per row: {'; '.join(costs)}.",
        f"2 features and different numbers of rows: {'; '.join(by_rows)}; in brackets `strict`, which tells how fast",
        "this shared machine was at the time.",
    )


def networks(document):
    peers = ("C, gcc -O3 -ffast-math", "JAX", "NumPy", "PyTorch", "scikit-learn")
    rows = [
        [r.problem, f"**{number(r.figures[0].median)}**", *(times(r, who) for who in peers)]
        for r in results_of(document, "networks, an epoch")
    ]
    words = (
        "Networks, nanoseconds per row and epoch, float64, one thread each. All start from the same weights and end at",
        "the same weights (within 1e-9; within 1e-6 for scikit-learn's Adam, which adds its epsilon to another root).",
        "The number in brackets is the ratio to tinynet_fast.",
    )
    return prose(*words) + "\n" + table(["", "tinynet_fast", "C", "JAX", "NumPy", "PyTorch", "`MLPClassifier`"], rows)


def predictions(document):
    rows = []
    for r in results_of(document, "prediction, many rows"):
        cells = [times(r, who) for who in ("NumPy", "scikit-learn", "PyTorch")]
        ours = f"**{number(r.figures[0].median)}**"
        rows.append([r.problem.replace(" x ", " × "), ours, *cells, number(r.floors["reading memory"])])
    one = [
        f"{r.features} inputs {number(r.figures[0].median)} µs ({r.ratio('scikit-learn'):.0f}×)"
        for r in results_of(document, "prediction, one row")
    ]
    head = ["", "tinynet_fast", "NumPy's formula", "scikit-learn", "PyTorch", "floor: reading"]
    words = f"A single row given as a list (in brackets: the ratio of scikit-learn's time to ours): {', '.join(one)}."
    return "`predict_proba`, nanoseconds per row:\n\n" + table(head, rows) + "\n" + prose(words)


def sweeps(document):
    rows = [
        [r.problem.replace(" x ", " × "), f"**{r.figures[0].median:.2f}**"]
        + [f"{r.ratio(who):.0f}×" for who in ("our own fits", "scikit-learn")]
        for r in results_of(document, "sweep")
    ]
    folds = results_of(document, "cross-validation")[0]
    head = "`sweep`, one epoch, one thread: nanoseconds per row and model. Separate fits take this many times as long:"
    words = (
        f"Cross-validation ({folds.problem}): {folds.ratio('GridSearchCV'):.0f} times as fast as scikit-learn's",
        "`GridSearchCV` over `SGDClassifier` on the same folds.",
    )
    return prose(head) + "\n" + table(["", "sweep", "our own fits", "scikit-learn's"], rows) + "\n" + prose(*words)


def losses(document):
    result = results_of(document, "time to a log loss, everything counted")[0]
    rows = [
        [f.who, number(f.median), f"{f.median / result.figures[0].median:.1f}×", f.remark.split()[1]]
        for f in result.figures
    ]
    words = (
        f"Milliseconds of a whole call, {result.problem}, each solver with its defaults. Their updates differ, and so",
        "do the losses they end at: the last column shows how far above the least log loss of these rows each ends.",
    )
    return prose(*words) + "\n" + table(["", "ms", "", "above the least"], rows)


def estimators(document):
    words = []
    for family in ("SGDClassifier", "SGDClassifier on CSR, 50 values a row", "MLPClassifier"):
        name, _, rest = family.partition(" ")
        found = [f"{r.problem.partition(':')[0]} {r.ratio('scikit-learn'):.1f}×" for r in results_of(document, family)]
        words.append(f"`{name}` {rest}{': ' if rest else ''}{'; '.join(found)}")
    return prose(
        f"The drop-in estimators learn the same weights as scikit-learn's, this many times as fast. {'. '.join(words)}."
    )


def small(document):
    """Calls on few rows; nothing if the results are older than this family."""
    if SMALL["train_neuron"] not in document["families"]:
        return ""
    words = []
    for name, family in SMALL.items():
        found = [
            f"{r.rows:,} rows {number(r.figures[0].median)} ({', '.join(map(str, peers(r)))})"
            for r in sorted(results_of(document, family), key=lambda r: r.rows)
        ]
        words.append(f"`{name}` {'; '.join(found)}")
    return prose(
        "Whole calls on few rows of 8 inputs, microseconds (in brackets how many times as long the plain Python loop",
        f"on lists and scikit-learn take): {'. '.join(words)}.",
    )


def peers(result):
    """The ratios of all contenders beside ours."""
    for figure in result.figures[1:]:
        name = "the loop" if figure.who == "plain Python loop" else figure.who
        yield f"{name} {result.ratio(figure.who):.1f}×"


def files(document):
    results, words = results_of(document, "files, an epoch"), []
    for r in results:
        name, bare = r.problem.split(".")[1].split(",")[0], r.figures[2]
        words.append(f"{name} {number(r.figures[0].median)} (`{bare.who}` {number(bare.median)})")
    peak, n = results[0].facts["peak_memory_mb"], results[0].rows
    return prose(
        "Files of 16 inputs, nanoseconds per row for an epoch of training, everything counted (in brackets: what a",
        f"library needs for a bare read): {', '.join(words)}.",
        f"Peak memory while training from Parquet: {peak['n']:.0f} MB for {n:,} rows, {peak['2n']:.0f} MB for twice as",
        f"many; {peak['imports']:.0f} MB of this is used before the first row is read.",
    )


def start(document):
    first, fit, compiled = results_of(document, "cold start, fresh process")
    memory = results_of(document, "memory beyond the rows")
    peers = ", ".join(f"{f.who} {number(f.median)}" for f in first.figures[1:])
    fits = ", ".join(f"{f.who} {number(f.median)}" for f in fit.figures[1:])
    words = [
        f"In a fresh process, milliseconds: `import tinynet_fast` {number(first.figures[0].median)} ({peers});",
        f"import and a first fit {number(fit.figures[0].median)} ({fits}),",
        f"or {number(compiled.figures[0].median)} if the kernel has to be compiled.",
    ]
    extra = [f"{number(r.figures[0].median)} MB for {r.problem}" for r in memory]
    return prose(*words, f"Memory that training needs beyond the rows: {', '.join(extra)}.")


def machine(document):
    facts, read = document["machine"], f"{document['floors']['gigabytes_a_second']:.1f} GB/s"
    versions = ", ".join(f"{name} {facts[name]}" for name in (*LIBRARIES, "gcc") if name in facts)
    days = sorted({family["date"] for family in document["families"].values()})
    cpu = f"{facts['cores']} shared cores of an {facts['cpu']} ({facts['architecture']})"
    return prose(
        f"Measured on {' to '.join(dict.fromkeys((days[0], days[-1])))} on {cpu}. One core reads {read}.",
        f"Python {facts['python']}, {versions}.",
    )


def headline(document, path):
    """One sentence and one picture for the first screen."""
    bars = f"![{ALT['rows-per-second']}]({picture(path, 'rows-per-second')})\n"
    return prose(*shortest(document)) + "\n" + bars


def shortest(document):
    """What a row costs here and elsewhere, in a sentence or two."""
    result = next(r for r in results_of(document, "one neuron, an epoch") if r.features == 2)
    loop, sklearn = (
        f"{number(result.of(who).median)} ns ({number(result.ratio(who))} times as long)"
        for who in ("plain Python loop", "scikit-learn")
    )
    return (
        f"On rows of {result.features} inputs, training takes {number(result.figures[0].median)} ns per row. The same",
        f"updates take {loop} in the plain Python loop, and {sklearn} in {NAMES['scikit-learn']}:",
    )


def first_page(document, path):
    """The same for the site's first page, which draws the picture itself."""
    return prose(*shortest(document)) + "\n" + drawing("rows-per-second", path)


def speed(document, path):
    """The README's small table."""
    results = [r for r in results_of(document, "one neuron, an epoch") if r.features in SHOWN_WIDTHS]
    rows = [[NAMES.get(who, who), *(number(r.of(who).median) for r in results)] for who in SHOWN]
    return table(["nanoseconds per row", *(f"{r.features} inputs" for r in results)], rows)


def figures(document, path):
    """All tables in short, in Markdown, with a heading for each family."""
    found = {title: "\n".join(filter(None, (part(document) for part in parts))) for title, parts in PARTS.items()}
    return "\n".join(f"## {title}\n\n{text}" for title, text in found.items() if text)


def floors(document, path):
    """The picture of cost and floors, and the floors of this machine in words."""
    results = {r.features: r for r in results_of(document, "one neuron, an epoch")}
    near, wide = results[2], results[max(results)]
    fast, far = near.figures[0].median, wide.figures[0].median
    chain, reading = near.floors["the chain"], wide.floors["reading memory"]
    return (
        drawing("features", path)
        + "\n"
        + prose(
            f"On the machine of the benchmarks the chain takes {chain:.1f} ns, and a row of {near.features} features",
            f"{fast:.1f} ns. A row of {wide.features} features is read in {reading:.0f} ns and takes {far:.0f} ns,",
            f"{far / reading:.1f} times its floor.",
        )
    )


def other_pictures(document, path):
    """The other pictures of a results file."""
    return drawing("rows", path) + "\n" + drawing("log-loss", path)


def picture(path, name):
    """The link from the README to a picture beside a results file."""
    return pages.link(path.with_name(f"{path.stem}-{name}.png"))


def drawing(name, path):
    """A picture that the site draws of a results file when it is built."""
    return f"```{{drawing}} {name}\n:results: {pages.link(path)}\n:alt: {ALT[name]}\n```\n"


PARTS = {
    "One neuron": (neurons, options),
    "Networks": (networks,),
    "Predictions": (predictions,),
    "Sweeps and cross-validation": (sweeps,),
    "Whole calls, by the loss that they reach": (losses,),
    "Estimators": (estimators,),
    "Calls on few rows": (small,),
    "Files": (files,),
    "First calls and memory": (start,),
    "The machine": (machine,),
}
BLOCKS = {
    "README.md": {"headline": headline, "speed": speed},
    "docs/index.md": {"headline": first_page},
    "docs/fast/floors.md": {"floors": floors},
    "docs/benchmarks/figures.md": {"figures": figures, "pictures": other_pictures},
    "docs/benchmarks/all-figures.md": {"all figures": pages.whole},
}


def with_blocks(page, text, path):
    """The text of a page, with its blocks written again from a results file."""
    for name, write in BLOCKS[page].items():
        text = pages.with_block(text, name, "readme.py", path, write)
    return text


def newest():
    """The newest file that `run.py` wrote. The names of these files begin with the day."""
    return sorted((pages.ROOT / "bench" / "results").glob("[0-9]*.json"))[-1]


if __name__ == "__main__":
    chosen = Path(sys.argv[1]).resolve() if sys.argv[1:] else newest()
    for page in BLOCKS:
        pages.update(page, partial(with_blocks, page), chosen)
