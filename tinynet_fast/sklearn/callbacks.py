"""scikit-learn's callbacks (from its version 1.9 on) around the epochs of both estimators."""

from collections.abc import Callable
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn 1.8 has none

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin if its version has no callbacks."""


__all__ = ["CallbackSupportMixin", "Epochs"]


class Epochs:
    """Tells an estimator's callbacks that training begins, of each epoch, and that training ends.

    `data` is what `fit` was given. If there are no callbacks, it does nothing.
    """

    def __init__(self, model: Any, most: int, X: Any, y: Any, sample_weight: Any) -> None:
        self.model = model
        self.context: Any = None
        self.epoch: Any = None
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"X": X, "y": y, "metadata": metadata}
        if getattr(model, "_skl_callbacks", None):
            self.context = model._init_callback_context(max_subtasks=most)
            self.context.call_on_fit_task_begin(estimator=model, **self.data)

    def __bool__(self) -> bool:
        return self.context is not None

    def begin(self) -> None:
        """An epoch begins."""
        if self.context is not None:
            self.epoch = self.context.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=self.model, **self.data)

    def end(self, fitted: Callable[[], dict[str, Any]]) -> bool:
        """An epoch has ended; the model would now have the attributes `fitted()`. Returns whether to stop."""
        if self.epoch is None:
            return False
        return bool(
            self.epoch.call_on_fit_task_end(estimator=self.model, **self.data, reconstruction_attributes=fitted)
        )

    def done(self) -> None:
        """Training has ended, and `model` has all its attributes."""
        if self.context is not None:
            self.context.call_on_fit_task_end(estimator=self.model, **self.data, reconstruction_attributes={})
