"""The shards of a Dask collection: sends tasks to its workers, and finds the shards' rows and labels."""

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import numpy as np

from tinynet_fast.cluster.number_columns import NumbersAlone, Targets, columns_of, number_names, of_targets
from tinynet_fast.cluster.readers import (
    ArrayNumbers,
    ArrayReader,
    FrameLabels,
    FrameReader,
    ParquetLabels,
    ParquetNumbers,
    ParquetReader,
    are_paths,
    array_labels,
    need,
    parquet_files,
    target_layout,
)
from tinynet_fast.cluster.tasks import Group, Share, Task, in_turn, singles, work
from tinynet_fast.training.history import Arrays

RETRIES = 3  # how often a task is tried again if its worker fails; `distributed` itself gives up after four workers
PATIENCE = 60.0  # seconds to wait for a worker if there is none
POLL_SECONDS = 5.0


def _do(task: Task, read: Callable[..., Any], group: Group, *data: Any) -> Arrays:
    """On a worker: do a task on shares in turn. `data` are the parts that the reader takes for each of their shards."""
    size = len(data) // len(group)
    parts = iter([data[i : i + size] for i in range(0, len(data), size)])
    return in_turn(group, lambda share: work(task, read(share, *next(parts)), share))


def _lazy(part: Any) -> bool:
    """Whether a part of a shard must be computed first."""
    return hasattr(part, "dask")


T = TypeVar("T")
Parts = list[tuple[Any, ...]]  # for each shard, what its reader takes
Held = tuple[Parts, Callable[..., Any]]  # the same, and the reader


class DaskShards:
    """The shards of a Dask collection; see `Cluster` in `tasks.py`.

    `rows` and `target` hold what their reader takes for each shard: delayed objects, futures of persisted parts, or a
    file's address. `as_they_are` returns the whole partitions of a frame. `divisible` says whether the parts are
    persisted or files.
    """

    groups = True

    def __init__(
        self,
        client: Any,
        rows: Held,
        target: Held,
        as_they_are: Callable[[], Parts] | None = None,
        divisible: bool = True,
        *,
        names: list[str] | None,
        n_features: int,
        dtype: str,
        n_targets: int,
        target_names: list[str] | None = None,
    ) -> None:
        self.client, (self.data, self.read), (self.targets, self.read_target) = client, rows, target
        self.names, self.n_features, self.dtype = names, n_features, dtype
        self.as_they_are, self.divisible = as_they_are, divisible
        self.n_targets, self.target_names = n_targets, target_names
        self.ahead: dict[int, list[Any]] = {}

    def labels(self, task: Task) -> list[Arrays]:
        do, groups = partial(_do, task, self.read_target), singles(Share(i) for i in range(len(self.targets)))
        return self._again(lambda: self._each(do, groups, self.targets))

    def each(self, task: Task, groups: Sequence[Group]) -> list[Arrays]:
        self.ahead = {}
        do = partial(_do, task, self.read)
        return self._again(lambda: self._each(do, groups, self.data))

    def _again(self, ask: Callable[[], T]) -> T:
        """The answers of the workers. If a partition lacks a column, ask once more with whole partitions.

        The first time Dask selects the columns, so that a file's other columns are not read. Its KeyError does not name
        the partition; our reader's error does.
        """
        try:
            return ask()
        except KeyError:
            if self.as_they_are is None:
                raise
            self.data = self.targets = self.as_they_are()
            self.as_they_are, self.ahead = None, {}
            return ask()

    def _each(self, do: Callable[..., Arrays], groups: Sequence[Group], data: Parts) -> list[Arrays]:
        """Do a task on each group of shares; `data` are the parts of all shards.

        If the workers hold the rows, or have addresses to read them from, `map` costs less than a graph. Other rows are
        inner nodes of a graph, so the scheduler drops them after training on them.
        """
        parts_of = [[part for share in group for part in data[share.shard]] for group in groups]
        if not any(_lazy(part) for parts in parts_of for part in parts):
            if len({len(parts) for parts in parts_of}) == 1:
                futures = self.client.map(do, groups, *zip(*parts_of, strict=True), pure=False, retries=RETRIES)
            else:
                futures = [
                    self.client.submit(do, group, *parts, pure=False, retries=RETRIES)
                    for group, parts in zip(groups, parts_of, strict=True)
                ]
            return self._gathered(futures)
        delayed = need("dask").delayed
        # Dask searches the arguments of a delayed call for collections, which takes long for a task's arrays; it does
        # not search a partial.
        calls = [delayed(partial(do, group), pure=False)(*parts) for group, parts in zip(groups, parts_of, strict=True)]
        return self._gathered(self.client.compute(calls, retries=RETRIES))

    def one(self, task: Task, group: Group, after: Group = ()) -> Arrays:
        """Do a task on one group. Meanwhile the rows of the group after it are computed; no more than two are held."""
        return self._again(lambda: self._one(task, group, after))

    def _one(self, task: Task, group: Group, after: Group) -> Arrays:
        self._prepare(group)
        rows = [part for share in group for part in self.ahead[share.shard]]
        self._prepare(group, after)
        do, key = partial(_do, task, self.read), f"tinynet_fast-shard-{group[0].shard}-{uuid.uuid4().hex}"
        future = self.client.submit(do, group, *rows, key=key, retries=RETRIES, pure=False)
        answer = self._gathered([future])[0]
        self._prepare(after)
        return answer

    def _prepare(self, *groups: Group) -> None:
        """Compute the rows of these groups' shards, and no longer hold those of others."""
        shards = list(dict.fromkeys(share.shard for group in groups for share in group))
        new = [i for i in shards if i not in self.ahead]
        lazy = [part for i in new for part in self.data[i] if _lazy(part)]
        computed = iter(self.client.compute(lazy, retries=RETRIES) if lazy else [])
        made = {i: [next(computed) if _lazy(part) else part for part in self.data[i]] for i in new}
        self.ahead = {i: made[i] if i in made else self.ahead[i] for i in shards}

    def _gathered(self, futures: list[Any]) -> list[Arrays]:
        """Wait for the answers and return them; TimeoutError if there is no worker left to give them.

        After an error, all futures are released at once. A notebook keeps the error's traceback, and with it the
        futures, so their tasks would go on.
        """
        try:
            self._wait(futures)
            return self.client.gather(futures)
        except BaseException:
            made = [
                part
                for i, rows in self.ahead.items()
                for part, given in zip(rows, self.data[i], strict=True)
                if part is not given
            ]
            for future in futures + made:
                future.release()
            self.ahead = {}
            raise

    def _wait(self, futures: list[Any]) -> None:
        """Wait until all are done. (If a task itself raised a TimeoutError, `gather` raises it later.)"""
        distributed = need("distributed")
        alone_since: float | None = None
        while True:
            try:
                with self.client.as_current():  # else the latest client would wait, on another event loop
                    distributed.wait(futures, timeout=POLL_SECONDS)
                return
            except TimeoutError:
                if self.client.nthreads():
                    alone_since = None
                    continue
            alone_since = monotonic() if alone_since is None else alone_since
            if monotonic() - alone_since > PATIENCE:
                raise TimeoutError(f"the cluster has had no worker for {PATIENCE:.0f} s: start some, and train again")


def dask_cluster(
    X: Any,
    y: Any,
    client: Any,
    features: Sequence[str] | None,
    storage_options: dict[str, Any] | None,
    numbers: bool = False,
) -> DaskShards:
    """The shards of a Dask array, a Dask frame or Parquet files; ValueError if they or the client cannot be used.

    `numbers` says that y holds numbers to learn, and not labels.
    """
    distributed, da = need("distributed"), need("dask.array")
    if client is None:
        try:
            client = distributed.get_client()
        except ValueError:
            raise ValueError("there is no distributed.Client: start one, or pass client=") from None
    if not hasattr(client, "asynchronous"):
        raise ValueError(f"client is a {type(client).__name__}; a distributed.Client is needed")
    if client.status == "closed":
        raise ValueError("the client is closed: start another distributed.Client")
    if client.asynchronous:
        raise ValueError("the client is asynchronous, and training waits for it: pass a client that is not")
    if are_paths(X):
        return _files(X, y, client, features, storage_options or {}, numbers)
    if storage_options is not None:
        raise ValueError(f"storage_options are for paths, and X is a {type(X).__name__}: leave them out")
    if isinstance(X, da.Array):
        return _arrays(X, y, client, features, numbers)
    if hasattr(X, "to_delayed") and hasattr(X, "columns"):
        return _frame(X, y, client, features, numbers)
    raise ValueError(
        f"X is a {type(X).__name__}; a dask array, a dask frame or paths are needed: dask.array.from_array"
    )


def _arrays(X: Any, y: Any, client: Any, features: Sequence[str] | None, numbers: bool) -> DaskShards:
    if features is not None:
        raise ValueError("features: the columns of an array have no names; leave features out")
    if X.ndim != 2 or X.dtype.kind not in "biuf" or X.shape[1] == 0:
        raise ValueError(f"X has {X.ndim} dimensions and holds {X.dtype}: rows of numbers are needed")
    if not hasattr(y, "chunks") or y.ndim not in ((1, 2) if numbers else (1,)) or (y.ndim == 2 and not y.shape[1]):
        shapes = "(n,) or (n, n_targets)" if numbers else "(n,)"
        raise ValueError(
            f"y is a {type(y).__name__}; a dask array {shapes}, cut like X, is needed: "
            "dask.array.from_array(y, chunks=X.chunks[0]), or of a dask series y.to_dask_array()"
        )
    X, y = X.rechunk({1: -1}), (y.rechunk({1: -1}) if y.ndim == 2 else y)
    if y.chunks[0] != X.chunks[0] and not any(map(np.isnan, (*X.chunks[0], *y.chunks[0]))):
        if len(y) != len(X):
            what = "numbers" if numbers else "labels"
            raise ValueError(f"X has {len(X)} rows and y has {len(y)} {what}: one for each row is needed")
        y = y.rechunk({0: X.chunks[0]})
    rows, labels = X.to_delayed().ravel(), y.to_delayed().ravel()
    if len(rows) != len(labels):
        raise ValueError(f"X has {len(rows)} blocks of rows and y has {len(labels)}: cut both alike")
    dtype = "float32" if X.dtype == np.float32 else "float64"
    held = {future.key: future for future in need("distributed").futures_of([X, y])}  # parts that are persisted
    data = [tuple(held.get(part.key, part) for part in parts) for parts in zip(rows, labels, strict=True)]
    target, divisible = [parts[1:] for parts in data], not any(_lazy(part) for parts in data for part in parts)
    n_targets = 0 if not numbers else 1 if y.ndim == 1 else int(y.shape[1])
    reader, width = ArrayReader(X.shape[1], dtype, n_targets), X.shape[1]
    of_labels = target, ArrayNumbers(n_targets) if numbers else array_labels
    of_rows = {"names": None, "n_features": width, "dtype": dtype, "n_targets": n_targets}
    return DaskShards(client, (data, reader), of_labels, divisible=divisible, **of_rows)


def _frame(X: Any, y: Any, client: Any, features: Sequence[str] | None, numbers: bool) -> DaskShards:
    pa = need("pyarrow")
    layout = target_layout("a frame", y, features, numbers)
    other = next((name for name in X.columns if not isinstance(name, str)), None)
    if other is not None:
        raise ValueError(f"the frame has a column {other!r} whose name is not text: frame.rename(columns=str)")
    layout.check_schema("the frame", pa.Schema.from_pandas(X._meta_nonempty, preserve_index=False))
    targets = Targets.among(layout, number_names("a frame", y), "the frame") if numbers else None
    read_target: Any = FrameLabels(layout)
    if targets is not None:
        read_target = NumbersAlone(FrameReader(of_targets(layout, targets), targets.alone))
    # Other columns need not be read from files, nor travel.
    rows = [(part,) for part in X[layout.columns].to_delayed()], FrameReader(layout, targets)
    target = [(part,) for part in X[[y] if targets is None else targets.names].to_delayed()], read_target

    def as_they_are() -> Parts:
        return [(part,) for part in X.to_delayed()]

    held = len(need("distributed").futures_of(X)) >= X.npartitions
    return DaskShards(client, rows, target, as_they_are, held, **columns_of(layout, targets))


def _files(
    X: Any, y: Any, client: Any, features: Sequence[str] | None, options: dict[str, Any], numbers: bool
) -> DaskShards:
    urls, layout = parquet_files(X, y, features, options, numbers)
    targets = Targets.among(layout, number_names("paths", y), layout.first) if numbers else None
    rows, target = ParquetReader(layout, options, targets), ParquetLabels(layout, options)
    read_target = target if targets is None else ParquetNumbers(layout, options, targets)
    data = [(url,) for url in urls]
    return DaskShards(client, (data, rows), (data, read_target), **columns_of(layout, targets))
