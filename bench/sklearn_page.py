"""Text of the comparison with scikit-learn's linear estimators: the page of all cases, and the README's block.

`sklearn_exact.py` measures.
"""

import re
import textwrap

import pages

MARKS = "<!-- scikit-learn: written by bench/sklearn_exact.py -->\n", "<!-- end of scikit-learn -->"
HEAD = "fit", "scikit-learn, ms", "exact, ms", "exact, times as fast", "fast, times as fast", "fast: ran", "fast: apart"
# In the README's table: what a row is called, the group, and the words that its cases contain.
SHORT = (
    ("16 inputs", "dense rows, two labels", " x 16,"),
    ("64 inputs", "dense rows, two labels", " x 64,"),
    ("256 inputs", "dense rows, two labels", " x 256,"),
    ("CSR rows", "CSR rows, two labels", ""),
    ("hinge and the other losses of classes", "losses", ""),
    ("`SGDRegressor`", "SGDRegressor", ""),
    ("3 and 10 labels", "more than two labels", ""),
    ("150 rows and fewer", "small fits", "0 x 4,"),
)


def spread(figures):
    """A ratio with its quartiles."""
    return f"{figures['ratio']:.2f} ({figures['low']:.2f} to {figures['high']:.2f})"


def cells(found):
    figures = found["figures"]
    exact, fast = figures["exact"], figures.get("fast")
    mark = f", below {found['least']}" if exact["ratio"] < found["least"] else ""
    before = f"{figures['scikit-learn']['ms']:.2f}", f"{exact['ms']:.2f}", spread(exact) + mark
    return found["name"], *before, *((spread(fast), fast["ran"], f"{fast['apart']:.0e}") if fast else ("", "", ""))


def line(found):
    """One line for a case, printed as soon as the case is measured."""
    name, before, after, exact, fast, ran, apart = cells(found)
    words = f"{name}: {before} ms, exact {after} ms, {exact}"
    return f"{words}; fast {fast} by {ran!r}, {apart} apart" if fast else words


def table(found):
    lines = [f"| {' | '.join(HEAD)} |", "|" + " --- |" * len(HEAD)]
    return "\n".join(lines + [f"| {' | '.join(cells(case))} |" for case in found]) + "\n"


def page(document):
    """The Markdown file beside the results."""
    facts = ", ".join(f"{name} {value}" for name, value in document["machine"].items())
    lines = [
        f"# Our linear estimators beside scikit-learn's, {document['machine']['cpu']}\n",
        paragraph(
            "A whole call of `fit`, ten epochs unless tolerances say otherwise, in CPU time. A figure is the median of "
            f"{document['rounds']} rounds in which the classes took turns; in brackets are the quartiles. Before, "
            '`engine="exact"` had shown the bits of scikit-learn\'s weights, and "fast" weights that are at most 1e-10 '
            f"apart. The load of the machine was {document['load']}. Machine: {facts}."
        ),
    ]
    for title, found in document["groups"].items():
        lines += [f"## {title}\n", table(found)]
    return "\n".join(lines)


def block(document, path):
    """The README's block: the lowest and the highest ratio of each kind of rows."""
    head = "whole calls of `fit`", "`exact`, times as fast as scikit-learn", "`fast`"
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for name, group, words in SHORT:
        found = [case["figures"] for case in document["groups"].get(group, []) if words in case["name"]]
        if found:
            ratios = ([case[engine]["ratio"] for case in found if engine in case] for engine in ("exact", "fast"))
            exact, fast = map(extremes, ratios)
            lines.append(f"| {name} | {exact} | {fast} |")
    words = (
        f"[All {sum(map(len, document['groups'].values()))} fits]({path.with_suffix('.md').relative_to(pages.ROOT)}); "
    )
    return "\n".join(lines) + "\n\n" + paragraph(f"{words}to repeat this, run `make bench-sklearn`.")


def extremes(ratios):
    if not ratios:
        return ""
    low, high = min(ratios), max(ratios)
    return f"{low:.2f}" if len(ratios) == 1 else f"{low:.2f} to {high:.2f}"


def paragraph(text):
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False) + "\n"


def source(readme):
    """The results file that the README's block links to."""
    start = readme.index(MARKS[0])
    return (pages.ROOT / re.search(r"\((bench/results/sklearn-\S+)\.md\)", readme[start:])[1]).with_suffix(".json")


def with_block(readme, path):
    """The README, with its block written from a results file."""
    return pages.with_block(readme, path, MARKS, block)
