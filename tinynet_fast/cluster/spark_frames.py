"""Spark frames: their sessions, the Arrow types of their columns, and predictions beside their rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.cluster.inspection import place
from tinynet_fast.cluster.readers import need
from tinynet_fast.cluster.scoring import input_columns, number_columns
from tinynet_fast.cluster.tasks import text_of
from tinynet_fast.columns import Columns
from tinynet_fast.models import Model
from tinynet_fast.rows.files import Library, TableError
from tinynet_fast.rows.formats.arrow import Layout
from tinynet_fast.rows.tables import Table, column_of

pa = Library("pyarrow")


def is_frame(frame: Any) -> bool:
    """Whether it is a Spark frame."""
    return hasattr(frame, "mapInArrow") and hasattr(frame, "schema")


def session_of(frame: Any) -> Any:
    """The session of a frame, or the running one if `frame` is None; ValueError if there is none, or it was stopped."""
    if frame is not None:
        session = frame.sparkSession
    else:
        sessions = need("pyspark.sql", "spark").SparkSession
        session = sessions.getActiveSession()
        if session is None:  # only the first thread has an active session
            session = getattr(sessions, "_instantiatedSession", None)
        if session is None:
            raise ValueError("there is no Spark session: start one (SparkSession.builder.getOrCreate())")
    if not hasattr(session, "sparkContext"):
        return session  # Spark Connect
    if session.sparkContext._jsc is None:
        what = "the frame's Spark session" if frame is not None else "the Spark session"
        raise ValueError(f"{what} was stopped: start one (SparkSession.builder.getOrCreate()) and make the frame anew")
    return session


def partition_id() -> int:
    """On an executor: the number of the partition whose rows are read."""
    return int(need("pyspark", "spark").TaskContext.get().partitionId())


def arrow_schema(frame: Any, layout: Layout) -> Any:
    """The Arrow types of the frame's columns.

    Columns of types that Arrow does not have are left out; TableError if such a column is to be learned from.
    """
    to_arrow = need("pyspark.sql.pandas.types", "spark").to_arrow_type
    fields = []
    for field in frame.schema.fields:
        kind = field.dataType.simpleString()
        if kind.startswith("timestamp"):  # Spark does not convert it without a time zone
            fields.append(pa.field(field.name, pa.timestamp("us")))
            continue
        try:
            fields.append(pa.field(field.name, to_arrow(field.dataType)))
        except Exception:
            if field.name == layout.target:
                raise TableError(f"the frame, column {field.name!r}: it holds {kind}: use numbers or text") from None
            if layout.open_ended or field.name in layout.names:
                raise TableError(
                    f"the frame, column {field.name!r}: the column holds {kind}, no numbers: convert it, or leave it "
                    "out of the features"
                ) from None
    return pa.schema(fields)


@dataclass(frozen=True)
class _Scorer:
    """On an executor: add a column of predictions to each batch, or several columns of numbers.

    `names` are the names of the frame's columns, `places` the places of the inputs among them. Columns are taken by
    place, because Spark does not find a column whose name has a dot or a backtick in it.
    """

    model: Model
    names: list[str]
    places: list[int]
    names_added: list[str]
    kind: str

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        shard, row = partition_id(), 0
        layout = Layout(None, [self.names[i] for i in self.places])
        types = {"double": pa.float64(), "long": pa.int64(), "boolean": pa.bool_(), "string": pa.string()}
        answer = self.model.predict_proba if self.names_added == ["probability"] else self.model.predict
        for batch in batches:
            inputs = [batch.column(i) for i in self.places]
            if self.model.columns is not None:
                X = _encoded(self.model.columns, inputs, shard, row)
            else:
                if layout.first == "":
                    layout.check_schema(
                        "the frame", pa.schema(zip(layout.names, (x.type for x in inputs), strict=True))
                    )
                X = _inputs(layout, inputs, shard, row)
            row += len(X)
            values = answer(X) if len(X) else np.empty(0)
            of_each = values.reshape(len(X), -1).T if len(X) else [values] * len(self.names_added)
            added = [pa.array(column.tolist(), types[self.kind]) for column in of_each]
            yield pa.RecordBatch.from_arrays([*batch.columns, *added], [*self.names, *self.names_added])


def _inputs(layout: Layout, columns: list[Any], shard: int, row: int) -> np.ndarray:
    """The inputs in a batch. Its first row is row `row` of the partition."""
    try:
        return layout.block(columns, None, row, lambda i: place(shard, row + i)).X
    except TableError as error:
        raise TableError(text_of(error)) from None


def _encoded(columns: Columns, inputs: list[Any], shard: int, row: int) -> np.ndarray:
    """The inputs that a person's columns in a batch make. Its first row is row `row` of the partition."""
    read = {name: column_of(column) for name, column in zip(columns.names, inputs, strict=True)}
    rows = len(inputs[0])
    return columns.encode(Table(read, rows, lambda i: place(shard, row + i), place(shard, row)))


def scored(model: Model, frame: Any, features: Sequence[str] | None, name: str, kind: str) -> Any:
    """The frame with one more column, which holds the model's predictions, or with one for each number of several."""
    if not is_frame(frame):
        raise ValueError(f"frame is a {type(frame).__name__}; a Spark frame is needed: spark.read.parquet reads")
    session_of(frame)
    columns = list(frame.columns)
    names = input_columns(model, columns, features)
    twice = next((column for i, column in enumerate(columns) if column in columns[:i]), None)
    if twice is not None:
        raise ValueError(f"the frame has several columns named {twice!r}: rename or drop one")
    added = number_columns(model, name) if model.numbers and model.n_outputs > 1 else [name]
    there = next((column for column in added if column in columns), None)
    if there is not None:
        raise ValueError(f"the frame has a column {there!r} already: rename it first")
    types = need("pyspark.sql.types", "spark")
    schema = types.StructType([*frame.schema.fields])
    for column in added:
        schema = schema.add(column, kind)
    scorer = _Scorer(model, columns, [columns.index(column) for column in names], added, kind)
    return frame.toDF(*(f"c{i}" for i in range(len(columns)))).mapInArrow(scorer, schema)
