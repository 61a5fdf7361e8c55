"""`tinynet-fast train` for rows that do not fit in memory: numbers, read while they are trained on."""

from contextlib import closing
from typing import Any

import numpy as np

from tinynet_fast.models import Model, Neuron
from tinynet_fast.rows.formats import Source
from tinynet_fast.rows.stream import HoldOut, StreamRows
from tinynet_fast.rows.stream_targets import StreamNumbers
from tinynet_fast.tables.number_report import NumberReport, loss_of
from tinynet_fast.tables.options import NUMBERS
from tinynet_fast.tables.report import Report
from tinynet_fast.tables.split import SHARE
from tinynet_fast.tables.train import trainer_for
from tinynet_fast.training.losses import choose_loss
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.result import TrainingResult

EPOCHS = 5  # passes over rows that do not fit in memory, if the number is not given
NEURON = {"learning_rate": "auto", "average": True, "epochs": EPOCHS}
NETWORK = {
    "activation": "relu",
    "init": "he",
    "optimizer": "adam",
    "learning_rate": 0.001,
    "batch_size": 32,
    "epochs": EPOCHS,
}
FOR_NUMBERS = {"standardize_y": True}  # it takes one more pass


def train_streamed(
    source: Source, given: dict[str, Any], target: str, validation: float | None
) -> tuple[TrainingResult[Any], Report | NumberReport | None]:
    """Train in the order of the file, or by blocks if rows are shuffled, and judge the model on rows held out.

    Returns the result and the report. The report is None if no rows were held out, or if rows can be read only once.
    """
    share = SHARE if validation is None else validation or None
    options = dict(given)
    options["shuffle"] = "blocks" if options.get("shuffle") else False
    if not source.repeatable:
        share = None
    numbers = options.get("output") == NUMBERS
    trainer = trainer_for(options, 0 if numbers else 2)
    defaults: dict[str, Any] = NEURON if source.repeatable else {}
    options = (NETWORK if trainer is train_mlp else defaults) | options
    if numbers and source.repeatable and options.get("loss") != "poisson":
        options = FOR_NUMBERS | options
    result = trainer(source, None, validation=share, **options)
    result.model.training |= {"target": target, "validation": validation}
    if not source.repeatable or share is None:
        return result, None
    hold_out = HoldOut(share, result.seed or 0)
    rows = source.as_sparse() if isinstance(result.model, Neuron) else source
    if numbers:
        report: Any = _number_report(rows, result.model, hold_out, target)
    else:
        report = _report(StreamRows(rows, result.model.labels, hold_out), result.model)
    if report is not None:
        about = {"target_mean": report.baseline.mean} if numbers else {"label_shares": report.baseline.shares}
        result.model.training |= about
    return result, report


def _number_report(source: Source, model: Model, hold_out: HoldOut, target: str) -> NumberReport | None:
    """Read the rows once more, and return a report of those held out; None if there are none."""
    name, shape = loss_of(model)
    total, count, predictions, numbers = 0.0, 0, [], []
    wanted = StreamNumbers(source.n_targets, [target], choose_loss(name, NUMBERS).is_of_counts)
    with closing(StreamRows(source, wanted, hold_out).split_pieces()) as pieces:
        for trained, held in pieces:
            if trained is not None and len(trained[1]):
                total, count = total + float(trained[1].sum()), count + len(trained[1])
            if held is not None and len(held[1]):
                predictions.append(model.predict(held[0]))
                numbers.append(held[1])
    if not numbers:
        return None
    return NumberReport.of(np.concatenate(predictions), np.concatenate(numbers), total / count, (name, shape), target)


def _report(rows: StreamRows, model: Model) -> Report | None:
    """Read the rows once more, and return a report of those held out; None if there are none."""
    counts, probabilities, codes = np.zeros(len(model.labels)), [], []
    with closing(rows.split_pieces()) as pieces:
        for trained, held in pieces:
            if trained is not None and len(trained[1]):
                counts += np.bincount(trained[1], minlength=len(counts))
            if held is not None and len(held[1]):
                probabilities.append(model.label_probabilities(held[0]))
                codes.append(held[1])
    if not codes:
        return None
    P, y = np.concatenate(probabilities), np.concatenate(codes)
    return Report.of(model.labels, P, y.astype(np.intp), counts / counts.sum(), model.threshold)
