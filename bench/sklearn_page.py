"""Text of the comparison with scikit-learn's linear estimators: all cases, and the blocks of the site's page.

`sklearn_exact.py` measures.
"""

import textwrap

import pages

PAGE = "docs/benchmarks/estimators.md"
HEAD = "fit", "scikit-learn, ms", "exact, ms", "exact, times as fast", "fast, times as fast", "fast: ran", "fast: apart"
# In the short table: what a row is called, the group, and the words that its cases contain.
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
    """The short table: the lowest and the highest ratio of each kind of rows."""
    head = "whole calls of `fit`", "`exact`, times as fast as scikit-learn", "`fast`"
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for name, group, words in SHORT:
        found = [case["figures"] for case in document["groups"].get(group, []) if words in case["name"]]
        if found:
            ratios = ([case[engine]["ratio"] for case in found if engine in case] for engine in ("exact", "fast"))
            exact, fast = map(extremes, ratios)
            lines.append(f"| {name} | {exact} | {fast} |")
    fits = sum(map(len, document["groups"].values()))
    return "\n".join(lines) + "\n\n" + paragraph(f"These are {fits} fits. To repeat them, run `make bench-sklearn`.")


def extremes(ratios):
    if not ratios:
        return ""
    low, high = min(ratios), max(ratios)
    return f"{low:.2f}" if len(ratios) == 1 else f"{low:.2f} to {high:.2f}"


def paragraph(text):
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False) + "\n"


def with_blocks(text, path):
    """The site's page, with its blocks written from a results file."""
    text = pages.with_block(text, "scikit-learn", "sklearn_exact.py", path, block)
    return pages.with_block(text, "all fits", "sklearn_exact.py", path, pages.whole)
