"""`tinynet-fast evaluate`: how good a model is on rows with known labels or numbers."""

import json
from pathlib import Path
from typing import Annotated

from typer import Option

from tinynet_fast.cli.options import AsJson, DropMissing, Encoding, Jobs, LabelledRows, ModelFile, Separator
from tinynet_fast.cli.rows import one_or_all
from tinynet_fast.cli.support import check_destinations, plain_console
from tinynet_fast.models import load
from tinynet_fast.tables.evaluate import evaluate as judge
from tinynet_fast.tables.page import write_page


def evaluate(
    model: ModelFile,
    data: LabelledRows,
    target: Annotated[
        str | None, Option(help="The column of the labels or numbers, or a condition (default: what was learned).")
    ] = None,
    report: Annotated[Path | None, Option(help="Write a page with the scores and pictures, .html.")] = None,
    separator: Separator = None,
    encoding: Encoding = None,
    drop_missing: DropMissing = False,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on rows with known labels or numbers: scores with intervals, beside those of a baseline."""
    check_destinations({"the page": report}, data)
    fitted = load(model)
    found = judge(
        fitted,
        one_or_all(data),
        target,
        drop_missing=drop_missing,
        separator=separator,
        encoding=encoding,
        n_jobs=jobs,
    )
    if report is not None:
        write_page(report, found, fitted)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
        return
    console = plain_console()
    console.print(found)
    if report is not None:
        console.print(f"page: {report}", soft_wrap=True)
