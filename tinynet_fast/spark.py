"""Training on a Spark cluster: frames whose partitions the executors read through Arrow (`pip install '.[spark]'`).

Spark schedules the tasks, places the data and recovers from failures. The computing is in `cluster/`. The executors
need this package, too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.cluster import train
from tinynet_fast.cluster.learned import are_numbers
from tinynet_fast.cluster.number_columns import NumbersAlone, Targets, columns_of, number_names, of_targets
from tinynet_fast.cluster.readers import (
    BatchLabels,
    PackedReader,
    ParquetLabels,
    ParquetNumbers,
    ParquetReader,
    are_paths,
    need,
    parquet_files,
    target_layout,
)
from tinynet_fast.cluster.scoring import check_has_probabilities
from tinynet_fast.cluster.spark_frames import arrow_schema, is_frame, partition_id, scored, session_of
from tinynet_fast.cluster.state import pack, unpack
from tinynet_fast.cluster.tasks import Group, Share, Task, in_turn, work
from tinynet_fast.models import MLP, Model, Neuron
from tinynet_fast.models.base import check_model
from tinynet_fast.rows.files import Library
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.result import TrainingResult
from tinynet_fast.training.sweep_result import SweepResult

__all__ = ["predict", "predict_proba", "sweep", "train_mlp", "train_neuron", "udf"]

pa = Library("pyarrow")

ANSWER = "shard int, content binary"  # the schema of a task's answer: one row, with arrays in NumPy's format
NUMBER = "row number within the partition"
ROW_BITS = 33  # of a `monotonically_increasing_id`: the row within its partition


def train_neuron(
    frame: Any,
    y: str | Sequence[str],
    *,
    features: Sequence[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> TrainingResult[Neuron]:
    """Train one neuron on the partitions of a Spark frame.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame, path or list of paths
        Paths, patterns, folders and URLs stand for Parquet files. A shard is then a file, which a Python process of the
        executor reads itself, through fsspec. Files come in natural order (part.2 before part.10), and folders called
        name=value give columns, as for `tinynet_fast.train_neuron`. Files without rows are skipped.
        For a frame, a shard is a partition, in the order of their numbers. Every pass is a Spark job that asks for the
        rows again, and so is every sync with mode="average" and every partition with "chain": cache the frame. If its
        rows come in another order each time (after a shuffle that is not cached), each run has another result. Such a
        frame is refused if the number of rows in a partition changes.
    y : str or list of str
        The column of labels; with output="linear" that of the numbers, or the columns of several.
    features : sequence of str, optional
        The columns to learn from, which hold numbers. If left out: all except the labels' column and an index that
        pandas or Dask wrote into a file. (A Spark frame does not know that a column with a name was an index: leave it
        out yourself.)
    storage_options : dict, optional
        For fsspec, if there are paths.
    mode : {"chain", "average"}
        As for `tinynet_fast.dask.train_neuron`, with the same bits. In segments, "chain" runs a few jobs over all
        partitions at once. In turn it runs a job of one task for each partition (neighbouring small files are one
        task): each takes Spark about 0.13 s, and one executor works at a time. A task has only one partition of a
        frame, so segments end before the first small one.
    syncs : int
        How often "average" takes the mean in an epoch. Each time is a job, in which every partition drops the rows that
        are not in its share before they become Arrow.
    **options
        As for `tinynet_fast.dask.train_neuron`.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ValueError, TrainingDivergedError
        As for `tinynet_fast.dask.train_neuron`.
    """
    return train.neuron(SparkShards(frame, y, features, storage_options, are_numbers(options)), **options)


def train_mlp(
    frame: Any,
    y: str | Sequence[str],
    *,
    features: Sequence[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> TrainingResult[MLP]:
    """Train a network on the partitions of a Spark frame.

    Parameters
    ----------
    frame, y, features, storage_options
        As for `train_neuron`.
    **options
        As for `tinynet_fast.dask.train_mlp`.

    Returns
    -------
    TrainingResult
    """
    return train.network(SparkShards(frame, y, features, storage_options, are_numbers(options)), **options)


def sweep(
    frame: Any,
    y: str,
    *,
    features: Sequence[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> SweepResult:
    """Train a neuron for every combination of options in one pass.

    Parameters
    ----------
    frame, y, features, storage_options
        As for `train_neuron`.
    **options
        As for `tinynet_fast.dask.sweep`.

    Returns
    -------
    SweepResult
    """
    return train.sweep(SparkShards(frame, y, features, storage_options), **options)


def predict_proba(model: Model, frame: Any, *, features: Sequence[str] | None = None) -> Any:
    """The frame with a column "probability" (double), that of the second label. Lazy; rows stay on the executors.

    Parameters
    ----------
    model : Neuron or MLP
        With two labels; use `predict` if there are more.
    frame : pyspark.sql.DataFrame
    features : sequence of str, optional
        The columns that are the model's inputs, in its order. If left out, they are found by the model's names. The
        frame's other columns are kept as they are.

    Raises
    ------
    ValueError
        At once, if the frame lacks a column that the model needs.
    """
    check_has_probabilities(model)
    _check_one_output(model)
    return scored(model, frame, features, "probability", "double")


def _check_one_output(model: Model) -> None:
    if model.n_outputs > 1:
        what, known = ("number", "predicts") if model.numbers else ("probability", "knows")
        several = f"{model.n_outputs} {'numbers' if model.numbers else 'labels'}"
        raise ValueError(f"a column holds one {what} a row, and the model {known} {several}: predict")


def predict(model: Model, frame: Any, *, features: Sequence[str] | None = None) -> Any:
    """The frame with a column "prediction": the label of each row, of the same type as the training labels.

    Numbers are doubles. For several numbers a row there is a column for each: `prediction_`, and the name of the target
    or its place.

    Parameters
    ----------
    model : Neuron or MLP
        A model of labels or of numbers.
    frame, features
        As for `predict_proba`.
    """
    check_model(model)
    kinds = {"f": "double", "i": "long", "u": "long", "b": "boolean", "U": "string"}
    return scored(model, frame, features, "prediction", kinds[model.labels.dtype.kind])


def udf(model: Model) -> Any:
    """The model as a function of columns, for `select`, `where` or SQL. It returns the probability of the second label.

    Of a model of numbers it returns the number.

    The columns are those that the model reads, in its order (`model.columns.names` if it was trained on a table, else
    its inputs). A query with a null or a NaN among them fails, unless the model fills missing values.

    Parameters
    ----------
    model : Neuron or MLP
        With two labels, or of one number.

    Examples
    --------
    >>> score = tinynet_fast.spark.udf(model)  # doctest: +SKIP
    >>> frame.select("id", score("x0", "x1").alias("p"))  # doctest: +SKIP
    """
    check_model(model)
    _check_one_output(model)
    answer = model.predict if model.numbers else model.predict_proba
    if not model.numbers:
        check_has_probabilities(model)
    session_of(None)

    def probability(*columns: Any) -> Any:
        if model.columns is None:
            rows = np.column_stack([column.to_numpy() for column in columns])
        else:
            rows = need("pandas", "spark").DataFrame(dict(zip(model.columns.names, columns, strict=True)))
        return need("pandas", "spark").Series(answer(rows) if len(rows) else np.empty(0))

    functions = need("pyspark.sql.pandas.functions", "spark")
    return functions.pandas_udf(probability, "double", functions.PandasUDFType.SCALAR)


@dataclass(frozen=True)
class _Worker:
    """On an executor: do a task on the rows of a partition. The partition's number says which group of shares it has.

    If `groups` is None, the task is on the labels of all rows of the partition. If there are `urls`, the partition's
    rows are in its file, which is read here. `read` is one of `readers.py`. The answer is one row; see `ANSWER`.
    """

    task: Any  # a broadcast of a `Task`
    groups: dict[int, Group] | None
    read: Callable[..., Iterable[Any]]
    urls: list[str] | None

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        shard = partition_id()
        group = [Share(shard)] if self.groups is None else self.groups.get(shard)
        if group is not None:
            content = pack(in_turn(group, lambda share: work(self.task.value, self._blocks(share, batches), share)))
            yield pa.RecordBatch.from_pydict({"shard": pa.array([shard], pa.int32()), "content": pa.array([content])})
        for _ in batches:  # Spark keeps a Python process only if that has read all; a new process takes about a second
            pass

    def _blocks(self, share: Share, batches: Iterable[Any]) -> Iterable[Any]:
        """The blocks of a share's rows, or of its labels."""
        return self.read(share, batches if self.urls is None else self.urls[share.shard])


def _quoted(name: str) -> str:
    """A column's name in quotes, because Spark would take what follows a dot for a field."""
    return "`" + name.replace("`", "``") + "`"


def _gone(shard: int) -> ValueError:
    return ValueError(f"partition {shard}: it is no longer there: cache the frame, or write it to files first")


class SparkShards:
    """The partitions of a Spark frame; see `Cluster` in `cluster/tasks.py`."""

    divisible = True
    read: Callable[..., Iterable[Any]]  # a reader of rows, and one of their labels or numbers alone
    read_target: Callable[..., Iterable[Any]]

    def __init__(
        self,
        frame: Any,
        y: Any,
        features: Sequence[str] | None,
        storage_options: dict[str, Any] | None = None,
        numbers: bool = False,
    ) -> None:
        self.functions = need("pyspark.sql.functions", "spark")
        self.urls: list[str] | None = None
        if are_paths(frame):
            session = session_of(None)
            targets = self._open_files(session, frame, y, features, storage_options or {}, numbers)
        elif is_frame(frame):
            session = session_of(frame)
            targets = self._open_frame(frame, y, features, numbers)
        else:
            raise ValueError(f"frame is a {type(frame).__name__}; a Spark frame or paths of Parquet files are needed")
        if not hasattr(session, "sparkContext"):
            raise ValueError("a Spark Connect session cannot run a job on one partition: use a classic session")
        self.context = session.sparkContext
        self.groups = self.urls is not None  # a task has the rows of one partition of a frame, and may read any file
        columns = columns_of(self.layout, targets)
        self.names: list[str] | None = columns["names"]
        self.n_features, self.dtype = columns["n_features"], columns["dtype"]
        self.n_targets, self.target_names = columns["n_targets"], columns["target_names"]

    def _open_files(
        self, session: Any, paths: Any, y: Any, features: Sequence[str] | None, options: dict[str, Any], numbers: bool
    ) -> Targets | None:
        self.urls, self.layout = parquet_files(paths, y, features, options, numbers)
        self.frame = self.target_frame = session.range(0, len(self.urls), 1, len(self.urls))
        if not numbers:
            self.read, self.read_target = ParquetReader(self.layout, options), ParquetLabels(self.layout, options)
            return None
        targets = Targets.among(self.layout, number_names("paths", y), self.layout.first)
        self.read = ParquetReader(self.layout, options, targets)
        self.read_target = ParquetNumbers(self.layout, options, targets)
        return targets

    def _open_frame(self, frame: Any, y: Any, features: Sequence[str] | None, numbers: bool) -> Targets | None:
        self.layout = layout = target_layout("a frame", y, features, numbers)
        layout.check_schema("the frame", arrow_schema(frame, layout))
        col, kind = self.functions.col, "float" if layout.dtype == np.float32 else "double"

        def packed(names: list[str]) -> Any:
            # Spark turns a list of 16 numbers into Arrow in a quarter less time than 16 columns.
            return self.functions.array(*(col(_quoted(name)).cast(kind) for name in names)).alias("X")

        if not numbers:
            self.frame = frame.select(packed(layout.names), col(_quoted(y)).alias("y"))
            self.target_frame = self.frame.select("y")
            self.read, self.read_target = PackedReader(layout), BatchLabels(layout)
            return None
        targets = Targets.among(layout, number_names("a frame", y), "the frame")
        self.frame, self.target_frame = frame.select(packed(layout.names)), frame.select(packed(targets.names))
        self.read = PackedReader(layout, targets)
        self.read_target = NumbersAlone(PackedReader(of_targets(layout, targets), targets.alone))
        return targets

    def labels(self, task: Task) -> list[Arrays]:
        """Run a job that reads one column. A partition without rows may have no answer."""
        answers = self._answers(task, None)
        return [answers.get(i, {}) or self._nothing(task, i) for i in range(max(answers, default=-1) + 1)]

    def each(self, task: Task, groups: Sequence[Group]) -> list[Arrays]:
        """Run one job; return the answers in the order of the groups. A group's first shard says which task it has."""
        answers = self._answers(task, groups)
        firsts = [group[0].shard for group in groups]
        gone = [shard for shard in firsts if shard not in answers]
        if gone:
            raise _gone(gone[0])
        return [answers[shard] for shard in firsts]

    def _answers(self, task: Task, groups: Sequence[Group] | None) -> dict[int, Arrays]:
        broadcast = self.context.broadcast(task)  # its file stays on the client until it is destroyed
        try:
            rows = self._mapped(broadcast, groups).collect()
        finally:
            broadcast.destroy()
        return {row["shard"]: unpack(bytes(row["content"])) for row in rows}

    def one(self, task: Task, group: Group, after: Group = ()) -> Arrays:
        """Run a job of one task, for the partition of the group's first share alone."""
        broadcast, shard = self.context.broadcast(task), group[0].shard
        try:
            rdd = self._mapped(broadcast, [group]).rdd
            if shard >= rdd.getNumPartitions():
                raise _gone(shard)
            rows = self.context.runJob(rdd, list, [shard])
        finally:
            broadcast.destroy()
        return unpack(bytes(rows[0]["content"]))

    @staticmethod
    def _nothing(task: Task, shard: int) -> Arrays:
        return work(task, iter(()), Share(shard))

    def _mapped(self, broadcast: Any, groups: Sequence[Group] | None) -> Any:
        by_shard = None if groups is None else {group[0].shard: group for group in groups}
        worker = _Worker(broadcast, by_shard, self.read_target if groups is None else self.read, self.urls)
        shares = None if groups is None else [group[0] for group in groups]
        return self._selected(shares).mapInArrow(worker, ANSWER)

    def _selected(self, shares: Sequence[Share] | None) -> Any:
        """The frame with the rows of the shares alone; other rows are dropped before they become Arrow."""
        if self.urls is not None:
            return self.frame
        if shares is None:
            return self.target_frame
        if all(share.start == 0 and share.whole for share in shares):
            return self.frame
        f = self.functions
        most = max(share.shard for share in shares) + 1
        starts, stops = [0] * most, [0] * most
        for share in shares:
            starts[share.shard], stops[share.shard] = share.start, share.start + share.rows
        place, row = f.spark_partition_id() + 1, f.monotonically_increasing_id().bitwiseAND(f.lit((1 << ROW_BITS) - 1))
        # As one text: a literal for each partition would take the client 0.8 ms.
        low, high = (f.element_at(f.expr(f"array({', '.join(map(str, cuts))})"), place) for cuts in (starts, stops))
        # Rows are numbered in a column. The condition uses the number twice; without a column the second one would not
        # count the rows for which the first comparison is false.
        # The sample holds all rows. Without it, if the client holds the rows (a small pandas frame), Spark's optimizer
        # would select them on the client, where all are partition 0.
        numbered = self.frame.sample(fraction=1.0, seed=0).withColumn(NUMBER, row)
        return numbered.where((f.col(NUMBER) >= low) & (f.col(NUMBER) < high)).drop(NUMBER)
