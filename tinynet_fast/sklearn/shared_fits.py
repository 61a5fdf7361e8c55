"""The fits of a search that can share work: which they are, what a fold's fits share, and the scores of each.

The searches are in `grid_search.py`. What this file does not serve, scikit-learn's own `_fit_and_score` runs.
"""

import random
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock
from time import time
from typing import Any

import numpy as np
from joblib import cpu_count, effective_n_jobs
from joblib.parallel import get_active_backend
from scipy.sparse import issparse
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.metrics._scorer import _MultimetricScorer, _PassthroughScorer, _Scorer
from sklearn.model_selection._validation import _score
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params, _num_samples
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tinynet_fast.rows.team import Team
from tinynet_fast.sklearn.mlp import MLPClassifier
from tinynet_fast.sklearn.mlp_lanes import join
from tinynet_fast.sklearn.mlp_regressor import MLPRegressor
from tinynet_fast.sklearn.sgd import SGDClassifier
from tinynet_fast.sklearn.sgd_regressor import SGDRegressor
from tinynet_fast.sklearn.sharing import Orders, Shared, Sharing, sharing, train_in_turn

NETWORKS = MLPClassifier, MLPRegressor
OURS = SGDClassifier, SGDRegressor, *NETWORKS
MOST_TOGETHER = 16  # networks that are trained in turn: all of them are in memory
PLAIN = bool, int, float, complex, str, bytes, type(None)  # what a step may be given to share it by its value
LOCAL = "LokyBackend", "SequentialBackend", "ThreadingBackend"  # joblib's own, for this machine


@dataclass
class Task:
    """One fit: a candidate on a fold. `kwargs` is what scikit-learn's `_fit_and_score` gets."""

    number: int  # its place among all fits
    estimator: Any  # with the candidate's parameters
    X: Any
    y: Any
    kwargs: dict[str, Any]

    @property
    def pipeline(self) -> bool:
        return type(self.estimator) is Pipeline

    @property
    def last(self) -> Any:
        """The estimator that learns from `y`."""
        return self.estimator.steps[-1][1] if self.pipeline else self.estimator

    @property
    def key(self) -> Any:
        """Two tasks of one fold have the same key if the steps before the last one are alike."""
        if not self.pipeline:
            return ()
        name = self.estimator.steps[-1][0]
        before = (item for item in self.kwargs["parameters"].items() if item[0].partition("__")[0] != name)
        return tuple(sorted((key, type(value).__name__, _identity(value)) for key, value in before))


def _identity(value: Any) -> str:
    return repr(value) if type(value) in PLAIN else f"{id(value):x}"


class Fold:
    """The rows of a fold, cut and transformed once, for all tasks with one `Task.key`."""

    def __init__(self, tasks: list[Task], watched: bool) -> None:
        self.tasks, self._watched, self._lock, self._state = tasks, watched, Lock(), ""
        self.left, self.shared = len(tasks), Shared()

    def ready(self) -> bool:
        """Prepare the fold, unless that was done before. Returns False if its tasks cannot share it."""
        with self._lock:
            if not self._state:
                start = time()
                self._state = "ready" if self._prepared() else "refused"
                self.seconds = (time() - start) / len(self.tasks)
        return self._state == "ready"

    def done(self, tasks: int) -> None:
        """Count tasks that have ended. After the last one the rows are let go."""
        with self._lock:
            self.left -= tasks
            if not self.left:
                self.__dict__.update(
                    dict.fromkeys(("train", "test", "raw_train", "raw_test", "transformers", "shared"))
                )

    def _prepared(self) -> bool:
        try:
            if not self._watched:
                self._prepare()
                return True
            before = _generators()
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                self._prepare()
        except Exception:  # each task by itself then fails in scikit-learn's own way
            return False
        if told or not _same_generators(before):  # each fit by itself would have warned, or drawn other numbers
            _set_generators(before)
            return False
        return True

    def _prepare(self) -> None:
        task = self.tasks[0]
        X, y, given, estimator = task.X, task.y, task.kwargs, task.estimator
        train, test = np.asarray(given["train"]), np.asarray(given["test"])
        X_train, y_train = _safe_split(estimator, X, y, train)
        X_test, y_test = _safe_split(estimator, X, y, test, train)
        params = _check_method_params(X, params=given["fit_params"] or {}, indices=train)
        score = given["score_params"] or {}
        self.score_params = [_check_method_params(X, params=score, indices=part) for part in (train, test)]
        self.raw_train, self.raw_test = (X_train, y_train), (X_test, y_test)
        self.transformers: Any = None
        if not task.pipeline:
            self.fit_params = params
        else:
            name, n = estimator.steps[-1][0], len(estimator.steps) - 1
            own = {key: value for key, value in params.items() if key.startswith(f"{name}__")}
            self.fit_params = {key.partition("__")[2]: value for key, value in own.items()}
            if n:
                self.transformers = estimator[:-1]
                others = {key: value for key, value in params.items() if key not in own}
                X_train = self.transformers.fit_transform(X_train, y_train, **others)
                X_test = self.transformers.transform(X_test)
        self.train, self.test = (X_train, y_train), (X_test, y_test)

    def evaluated(self, tasks: list[Task], orders: Orders) -> list[dict[str, Any] | None]:
        """Fit and score some of the tasks: what `_fit_and_score` returns for each. None if a fit fails."""
        these, seconds, failed = Sharing(self.shared, orders), list[float](), list[Any]()
        with sharing(these):
            for task in tasks:
                start = time()
                try:
                    task.last.fit(*self.train, **self.fit_params)
                except Exception:
                    failed.append(task.last)
                seconds.append(time() - start + self.seconds)
            start = time()
            join(these.waiting)
            failed += [run.model for run in train_in_turn(these.waiting)]
            together = (time() - start) / len(tasks)
        lost = set(map(id, failed))
        return [
            None if id(task.last) in lost else self._scored(task, spent + together)
            for task, spent in zip(tasks, seconds, strict=True)
        ]

    def _scored(self, task: Task, seconds: float) -> dict[str, Any]:
        """What `_fit_and_score` returns, of a task that is fitted."""
        start, given, estimator, last = time(), task.kwargs, task.estimator, task.last
        train, test = self.train, self.test
        if task.pipeline and not _asks_predictions_alone(given["scorer"]):  # it may look at the pipeline's steps
            if self.transformers is not None:
                estimator.steps = [*self.transformers.steps, estimator.steps[-1]]
            train, test, last = self.raw_train, self.raw_test, estimator
        how = given["scorer"], given["error_score"]
        found = {"fit_error": None, "test_scores": self._scores(last, test, 1, *how), "fit_time": seconds}
        found |= {"score_time": time() - start, "n_test_samples": _num_samples(self.raw_test[0])}
        if given["return_train_score"]:
            found["train_scores"] = self._scores(last, train, 0, *how)
        return found

    def _scores(self, model: Any, rows: tuple[Any, Any], part: int, scorer: Any, error_score: Any) -> Any:
        return _score(model, *rows, scorer, self.score_params[part], error_score)


def _generators() -> tuple[Any, Any]:
    """The states of the generators that a transformer may draw from without saying so."""
    return np.random.get_state(), random.getstate()


def _same_generators(before: tuple[Any, Any]) -> bool:
    ours, theirs = _generators()
    return theirs == before[1] and all(np.array_equal(a, b) for a, b in zip(ours, before[0], strict=True))


def _set_generators(before: tuple[Any, Any]) -> None:
    np.random.set_state(before[0])
    random.setstate(before[1])


def _asks_predictions_alone(scorer: Any) -> bool:
    """Whether a scorer is one of scikit-learn's, for which a pipeline is no more than what its last step predicts."""
    scorers = scorer._scorers.values() if isinstance(scorer, _MultimetricScorer) else [scorer]
    return all(type(each) in (_Scorer, _PassthroughScorer) for each in scorers)


class SharedFits:
    """Stands in for joblib's `Parallel` in a search: runs a list of fits, those that can share in our own threads.

    Attributes
    ----------
    shared : list of int
        The numbers of the fits that shared, over all lists.
    n_splits : int
        How many folds there are; 0 if no fit shared.
    """

    def __init__(self, search: Any, theirs: Callable[[Iterable[Any]], list[Any]]) -> None:
        self.search, self.theirs, self.ran, self.shared = search, theirs, 0, list[int]()
        self.n_splits = 0

    def __call__(self, calls: Iterable[Any]) -> list[Any]:
        """The results of all calls, in their order."""
        calls = list(calls)
        answers: list[Any] = [None] * len(calls)
        if self._may_share():
            self._share(calls, answers)
        self.shared += [self.ran + i for i, answer in enumerate(answers) if answer is not None]
        self.ran += len(calls)
        left = [i for i, answer in enumerate(answers) if answer is None]
        if left:
            for i, answer in zip(left, self.theirs(_anew(calls[i]) for i in left), strict=True):
                answers[i] = answer
        return answers

    def _may_share(self) -> bool:
        config, backend = get_config(), get_active_backend()[0]
        return not (
            config["enable_metadata_routing"]
            or config["array_api_dispatch"]
            or self.search.verbose > 1
            or getattr(self.search, "_skl_callbacks", None)
            or type(backend).__name__ not in LOCAL
        )

    def _share(self, calls: list[Any], answers: list[Any]) -> None:
        tasks = [task for i, call in enumerate(calls) if (task := self._task(i, call)) is not None]
        threads = min(effective_n_jobs(self.search.n_jobs), cpu_count(), max(len(tasks), 1))
        # Numbers drawn from NumPy's global generator depend on the order of all fits, which is scikit-learn's own in
        # one thread. Its several processes each have a generator of their own, and no results to be repeated.
        if threads == 1:
            tasks = [task for task in tasks if task.last.random_state not in (None, np.random)]
        folds: dict[Any, list[Task]] = {}
        for task in tasks:
            fold, self.n_splits = task.kwargs["split_progress"]
            folds.setdefault((fold, task.key), []).append(task)
        config, orders = get_config(), Orders()
        whole = len(folds) - len(folds) % threads  # folds that keep all threads busy without being cut
        jobs = [
            (fold, part)
            for k, (_, each) in enumerate(sorted(folds.items()))
            for fold in [Fold(each, threads == 1)]
            for part in _parts(each, 1 if k < whole else threads)
        ]

        def work(job: tuple[Fold, list[Task]]) -> None:
            fold, tasks = job
            try:
                with config_context(**config):
                    if fold.ready():
                        for task, answer in zip(tasks, fold.evaluated(tasks, orders), strict=True):
                            answers[task.number] = answer
                    fold.done(len(tasks))
            except BaseException:  # Ctrl-C reaches one thread, and the others may have networks to train for minutes
                orders.stopped = True
                raise

        limits = threadpool_limits(max(cpu_count() // threads, 1)) if threads > 1 else nullcontext()
        with limits, Team(threads) as team:
            team.map(work, jobs)

    def _task(self, number: int, call: Any) -> Task | None:
        """A call of `_fit_and_score` as a task; None if scikit-learn is to run it."""
        _, (given, X, y), kwargs = call
        if type(given) not in (Pipeline, *OURS):
            return None
        try:
            parameters = kwargs["parameters"]
            if type(given) is Pipeline or not isinstance(given.random_state, int):  # else fits leave it as it is
                given = clone(given)
            estimator = given.set_params(**clone(parameters, safe=False))
        except Exception:  # scikit-learn says what is wrong
            return None
        task = Task(number, estimator, X, y, kwargs)
        served = y is not None and isinstance(kwargs["fit_params"] or {}, dict) and (not task.pipeline or _plain(task))
        return task if served and _ours(task.last, X) else None


def _parts(tasks: list[Task], threads: int) -> list[list[Task]]:
    """The tasks of a fold as jobs. Networks go together, in as many jobs as there are threads for this fold."""
    networks = [task for task in tasks if type(task.last) in NETWORKS]
    size = min(-(-len(networks) // threads), MOST_TOGETHER) or 1
    parts = [networks[start : start + size] for start in range(0, len(networks), size)]
    return parts + [[task] for task in tasks if type(task.last) not in NETWORKS]


def _anew(call: Any) -> Any:
    """A call of `_fit_and_score` with an estimator that is not fitted. `_task` has copied pipelines."""
    function, (estimator, *rows), kwargs = call
    return function, (clone(estimator) if type(estimator) in OURS else estimator, *rows), kwargs


def _plain(task: Task) -> bool:
    """Whether a pipeline does no more than pass rows on, and can be cut before its last step."""
    pipeline = task.estimator
    names = [name for name, _ in pipeline.steps]
    known = all(key.partition("__")[0] in names and "__" in key for key in task.kwargs["fit_params"] or {})
    usual = pipeline.memory is None and not pipeline.verbose and getattr(pipeline, "transform_input", None) is None
    told = any(getattr(step, "_skl_callbacks", None) for _, step in pipeline.steps)
    return bool(names) and known and usual and not told


def _ours(model: Any, X: Any) -> bool:
    """Whether a model is one of ours, has no callbacks, prints nothing, and trains on our kernels."""
    if type(model) not in OURS or getattr(model, "_skl_callbacks", None) or model.verbose:
        return False
    theirs = type(model) in NETWORKS and (model.engine == "exact" or getattr(X, "dtype", None) == np.float32)
    return not theirs and not (issparse(X) and type(model) in NETWORKS)
