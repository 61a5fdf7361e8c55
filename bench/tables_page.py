"""Text of the benchmark on tables: all tables, and the blocks of the site's page. `tables.py` measures."""

import textwrap

import numpy as np
import pages

PAGE = "docs/benchmarks/tables.md"
HIDDEN = 32
NEURON, NETWORK = "train", f"train, hidden={HIDDEN}"
LINEAR, TREES, MLP = "LogisticRegression", "HistGradientBoosting", "MLPClassifier"
CONTENDERS = NEURON, LINEAR, NETWORK, MLP, TREES
WORSE = 0.02  # a share of the other's log loss


def mean(values):
    return float(np.mean(values))


def both(document):
    return document["two"] | document["more"]


def losses(found, who):
    return [table["scores"][who]["log_loss"] for table in found.values()]


def beside(found, ours, theirs):
    """How two contenders compare: a line on the means, and the tables on which ours is worst, with standard errors."""
    more, errors = {}, {}
    for name, table in found.items():
        pair = np.array([table["scores"][who]["log_losses"] for who in (ours, theirs)])
        more[name] = pair[0].mean() / pair[1].mean() - 1.0
        errors[name] = np.std(pair[0] - pair[1], ddof=1) / np.sqrt(pair.shape[1]) / pair[1].mean()
    above = sorted((name for name in found if more[name] > WORSE), key=more.get, reverse=True)
    return {
        "means": (mean(losses(found, ours)), mean(losses(found, theirs))),
        "lower": sum(share < 0.0 for share in more.values()),
        "tables": len(found),
        "worse": {name: (more[name], errors[name]) for name in above},
    }


def line(found, ours, theirs):
    compared = beside(found, ours, theirs)
    ours_mean, theirs_mean = compared["means"]
    worse = [f"{name} {share:+.1%} ± {error:.1%}" for name, (share, error) in compared["worse"].items()]
    words = f"{ours_mean:.4f}, {theirs} {theirs_mean:.4f}; lower on {compared['lower']} of {compared['tables']} tables"
    return f"- {ours}: mean log loss {words}; more than {WORSE:.0%} above it: {', '.join(worse) or 'none'}"


def table_of(found, title, figure, digits):
    """A figure of all contenders on all tables, in Markdown."""
    head = ["table", "rows", "columns", *CONTENDERS]
    lines = [f"## {title}\n", f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for name, table in found.items():
        values = [f"{table['scores'][who][figure]:.{digits}f}" for who in CONTENDERS]
        lines.append(f"| {name} | {table['rows']:,} | {table['columns']} | {' | '.join(values)} |")
    means = [f"**{mean([table['scores'][who][figure] for table in found.values()]):.{digits}f}**" for who in CONTENDERS]
    lines.append(f"| **mean** | | | {' | '.join(means)} |")
    return "\n".join(lines) + "\n"


def times(document):
    """Where the times were taken."""
    busy = f" (their load was {document['load']}: other programs ran too)" if document["load"] > 2.0 else ""
    return f"{document['machine']['cores']} shared cores{busy}"


def page(document):
    """The Markdown file beside the results."""
    two, more, seeds = document["two"], document["more"], document["seeds"]
    lines = [
        f"# Tables as people have them, {document['machine']['cpu']}\n",
        f"Each model learns with its defaults from four of {document['folds']} stratified folds and is judged on the "
        f"other. Seeds that dealt the rows to folds: {', '.join(map(str, seeds))}. The times are of "
        f"{times(document)}. After ±: the standard error of the difference, over the "
        "folds.\n",
    ]
    groups = (("Two labels", two), ("More labels", more), ("All tables", both(document)))
    for name, found in groups:
        if found:
            pairs = ((NEURON, LINEAR), (NETWORK, MLP), (NETWORK, TREES))
            lines += [f"{name}:\n", *(line(found, ours, theirs) for ours, theirs in pairs), ""]
    for name, found in groups[:2]:
        if found:
            lines += [
                table_of(found, f"Log loss: {name.lower()}", "log_loss", 4),
                table_of(found, f"Accuracy: {name.lower()}", "accuracy", 3),
                table_of(found, f"Seconds to train: {name.lower()}", "seconds", 2),
            ]
    return "\n".join(lines)


def block(document, path):
    """The block with the means."""
    two, more, every = document["two"], document["more"], both(document)
    rows = [table["rows"] for table in every.values()]
    head = ["", f"two labels, {len(two)} tables", f"more labels, {len(more)} tables", "digits, accuracy", "seconds"]
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for who in CONTENDERS:
        name = f"**`{who}`**" if who in (NEURON, NETWORK) else who
        cells = [f"{mean(losses(two, who)):.3f}", f"{mean(losses(more, who)):.3f}"]
        cells.append(f"{more['digits']['scores'][who]['accuracy']:.3f}")
        cells.append(f"{np.median([table['scores'][who]['seconds'] for table in every.values()]):.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    intro = paragraph(
        f"How good are the models of `train`? {len(every)} tables that ship in Python packages, of {min(rows):,} to "
        f"{max(rows):,} rows, many with texts and missing values, were each cut into {document['folds']} parts. Each "
        "model learned from all parts but one with its defaults, and was judged on that one. scikit-learn's models "
        "have their usual pipelines (medians, standardised inputs, an input for each level). The table shows the mean "
        "log loss (lower is better), "
        f"and the median time of a training on {times(document)}:"
    )
    networks = sentence(every, NETWORK, MLP)
    words = paragraph(f"{sentence(two, NEURON, LINEAR)} {networks} To repeat this, run `make bench-tables`.")
    return intro + "\n" + "\n".join(lines) + "\n\n" + words


def sentence(found, ours, theirs):
    """How ours and theirs compare, in words."""
    compared = beside(found, ours, theirs)
    words = (
        f"The log loss of `{ours}` is lower than that of {theirs} on {compared['lower']} of {compared['tables']} tables"
    )
    worse = [f"{name} ({share:.1%})" for name, (share, _) in compared["worse"].items()]
    if not worse:
        return f"{words}, and on none more than {WORSE:.0%} higher."
    noise = sum(share < 2.0 * error for share, error in compared["worse"].values())
    chance = f" For {noise} of these, the difference is less than two standard errors." if noise else ""
    return f"{words}, and more than {WORSE:.0%} higher on {len(worse)}: {', '.join(worse)}.{chance}"


def paragraph(text):
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False) + "\n"


def with_blocks(text, path):
    """The site's page, with its blocks written from a results file."""
    text = pages.with_block(text, "tables", "tables.py", path, block)
    return pages.with_block(text, "all tables", "tables.py", path, pages.whole)
