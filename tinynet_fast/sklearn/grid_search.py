"""`GridSearchCV` and `RandomizedSearchCV`: scikit-learn's own, whose fits share what they can (`shared_fits.py`)."""

from types import CellType, FunctionType
from typing import Any

from sklearn import model_selection

from tinynet_fast.sklearn.shared_fits import SharedFits

PLACE = "parallel"  # what `fit` of scikit-learn 1.8 and 1.9 calls with its list of fits


class SharedSearch:
    """Stands before scikit-learn's class of the same name, whose checks, splits, results and attributes it keeps."""

    def _run_search(self: Any, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        """scikit-learn calls this with a function that fits and scores a list of candidates."""
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        found = _handed_over(evaluate_candidates, self)
        if found is None:
            self.shared_ = 0
            super()._run_search(evaluate_candidates, **context)  # type: ignore[misc]
            return
        evaluate, fits = found
        super()._run_search(evaluate, **context)  # type: ignore[misc]
        candidates = [number // fits.n_splits for number in fits.shared]
        self.shared_ = sum(candidates.count(each) == fits.n_splits for each in set(candidates))


def _handed_over(evaluate: Any, search: Any) -> tuple[Any, SharedFits] | None:
    """`evaluate`, a function inside scikit-learn's `fit`, with our fits for its `parallel`; None if it has none.

    Everything else of it stays scikit-learn's: the splits, the messages, the errors and the results.
    """
    code, cells = evaluate.__code__, list(evaluate.__closure__ or ())
    if PLACE not in code.co_freevars:
        return None
    place = code.co_freevars.index(PLACE)
    fits = SharedFits(search, cells[place].cell_contents)
    cells[place] = CellType(fits)
    changed = FunctionType(code, evaluate.__globals__, evaluate.__name__, evaluate.__defaults__, tuple(cells))
    changed.__kwdefaults__ = evaluate.__kwdefaults__
    return changed, fits


class GridSearchCV(SharedSearch, model_selection.GridSearchCV):
    """scikit-learn's `GridSearchCV`, with the same results but the times; fits of our estimators share what they can.

    It is a subclass of `sklearn.model_selection.GridSearchCV` (from version 1.8 on): options, splits, errors, messages,
    `cv_results_` and all other attributes are scikit-learn's own. Over the same estimator the scores have the same
    bits; those of networks that are trained side by side are the same to about 1e-9.

    These estimators share: `SGDClassifier`, `SGDRegressor`, `MLPClassifier` and `MLPRegressor` of
    `tinynet_fast.sklearn`, alone or as the last step of a `Pipeline`. For each fold the rows are cut, transformed,
    checked and encoded once for all candidates with the same earlier steps. Networks that have the same rows and the
    same `random_state` also share the orders of the rows. If six or seven of them also have the same layers, batch size
    and solver, they are trained in the same pass, eight at a time: they may differ in rate, alpha, momentum and betas.
    With `n_jobs` the fits run in threads, at most one for each core: no process is started, and no rows are copied to
    one.

    All other fits are run by scikit-learn's own code, with joblib:

    - fits of other estimators, also of subclasses of ours; networks with ``engine="exact"``, on float32 or sparse rows;
    - fits that fail, once more, for scikit-learn's own message;
    - in one thread, estimators with ``random_state=None``, because the order of all fits decides what they draw;
    - in one thread, pipelines with an earlier step that warns, or draws from the generator of NumPy or Python;
    - pipelines with a `memory`, `verbose` or `transform_input`, and estimators that print;
    - everything, if metadata is routed, if there are callbacks, if `verbose` is above 1, or if joblib has a backend
      for several machines.

    Parameters
    ----------
    estimator, param_grid, scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As in scikit-learn. A scoring function is called in this process, from several threads if `n_jobs` says so.

    Attributes
    ----------
    shared_ : int
        How many candidates shared their work on all folds.
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, refit_time_, multimetric_
        As in scikit-learn. A fit's time in `cv_results_` includes its part of what the fold's fits share.

    Raises
    ------
    ValueError
        As in scikit-learn.

    Examples
    --------
    >>> from tinynet_fast.sklearn import GridSearchCV, SGDClassifier
    >>> X, y = [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]], [0, 0, 0, 1, 1, 1]
    >>> model = SGDClassifier(loss="log_loss", learning_rate="constant", random_state=0)
    >>> search = GridSearchCV(model, {"eta0": [1e-4, 0.1]}, cv=2).fit(X, y)
    >>> search.best_params_, search.shared_
    ({'eta0': 0.1}, 2)
    """


class RandomizedSearchCV(SharedSearch, model_selection.RandomizedSearchCV):
    """scikit-learn's `RandomizedSearchCV`, with the same results but the times; fits share as in `GridSearchCV`.

    Parameters
    ----------
    estimator, param_distributions, n_iter, scoring, n_jobs, refit, cv, verbose, pre_dispatch, random_state, \
    error_score, return_train_score
        As in scikit-learn.

    Attributes
    ----------
    shared_ : int
        How many candidates shared their work on all folds. The others are as in scikit-learn.
    """
