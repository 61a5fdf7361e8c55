"""The one loop over epochs and blocks that all trainers share. What an update does is in the kernels."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tinynet_fast.errors import TrainingDivergedError
from tinynet_fast.kernels.compiler.interrupts import Held, saying, sigterm_raises
from tinynet_fast.kernels.compiler.jit import noting
from tinynet_fast.kernels.engines import ENGINES, Engine
from tinynet_fast.rows.blocks import Rows, is_streamed
from tinynet_fast.rows.sparse import CSR, square_norms
from tinynet_fast.training.outcome import StreamSample, warn_if_useless
from tinynet_fast.training.plan import Plan
from tinynet_fast.training.progress import Progress
from tinynet_fast.training.raw_inputs import warn_of_lost_digits
from tinynet_fast.training.result import Epoch, M_co, TrainingResult
from tinynet_fast.training.resume import check_state

if TYPE_CHECKING:
    from tinynet_fast.rows.stream import StreamRows
    from tinynet_fast.training.checkpoints import Checkpoint

LARGEST_SUM = 1e4  # sums that start larger lose more digits, in whatever order, than the promise allows
FAR_OUT = 1e100  # parameters that start larger may overflow at any rate


class Trainee(Protocol[M_co]):
    """What is being trained, as the loop sees it: parameters that blocks of rows change."""

    batch_size: int | None  # rows in an update, where an epoch's blocks must not cut them
    block_rows: int
    learning_rate: float
    start: np.ndarray  # the parameters before the first row
    repeats: bool  # whether an epoch does what the one before did, so that one call may run several

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        """One pass over a block of rows for each slot of `losses`."""

    def use(self, engine: Engine) -> None:
        """Go on with another engine."""

    def end_epoch(self) -> None:
        """Bring in what is left of the epoch."""

    def epoch_loss(self, total: np.ndarray, rows: int) -> np.ndarray:
        """The history's entry for the rows' summed loss."""

    def parameters(self) -> np.ndarray:
        """A copy of all parameters, flat."""

    def restore(self, parameters: np.ndarray) -> None:
        """Go back to parameters that `parameters` gave."""

    def check_counts(self, parameters: np.ndarray, epoch: int, rows: int) -> None:
        """StateError if the counts among `parameters` are not of `epoch` epochs and `rows` rows of the next."""

    def options(self) -> dict[str, Any]:
        """How it is trained, for the model's file."""

    def model(self) -> M_co:
        """A model with the parameters as they are now."""

    def last_rate(self) -> float | None:
        """The learning rate of the last row that was trained on; None if no bound on a step is known."""

    def safe_learning_rate(self, rows: "Rows | StreamRows") -> float:
        """A rate at which these rows cannot make the parameters run away; 0.0 where there is none."""


def stable_rate(rows: "Rows | StreamRows", bound: float, start: np.ndarray) -> float:
    """The rate at which rate * (|x|**2 + 1) is `bound` for the longest row x.

    0.0 where that is too small for a float, where the parameters start so large that they overflow at any rate, and
    where the rows cannot be read again.
    """
    if np.max(np.abs(start)) > FAR_OUT or (is_streamed(rows) and not rows.source.repeatable):
        return 0.0
    largest = max(1.0, *(_magnitude(X) for X, _, _ in rows.blocks(1 << 12)))
    norm = max(float(square_norms(X, largest).max()) for X, _, _ in rows.blocks(1 << 12))  # cannot overflow
    return bound / largest / largest / (norm + 1.0 / largest / largest)


def _magnitude(X: Any) -> float:
    return X.largest_magnitude() if isinstance(X, CSR) else float(np.abs(X.astype(np.float64)).max())


class Overshoot(Exception):
    """Rows that nobody had measured hold one whose step can overshoot: the fast engine is not for them."""


def until_measured(trained: Callable[[], TrainingResult[M_co]], plan: Plan) -> TrainingResult[M_co]:
    """Train; and once more from the start, by the strict engine, where rows turn out not to be for the fast one."""
    try:
        return trained()
    except Overshoot:
        plan.engine, plan.limit = ENGINES["strict"], np.inf
        if plan.checkpoint is not None:
            plan.checkpoint.found = None
        return trained()


def was_strict(plan: Plan) -> bool:
    """Whether the run that is resumed had to change to the strict engine."""
    found = None if plan.checkpoint is None else plan.checkpoint.found
    return found is not None and found["engine"] == "strict"


@dataclass
class History:
    """How far a run is: with the trainee's parameters, all there is to save."""

    losses: list[np.ndarray] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_epoch: int | None = None
    best: np.ndarray | None = None
    done: int = 0  # epochs
    position: int = 0  # rows of the next epoch that were trained on
    total: float = 0.0  # their summed loss
    stopped_early: bool = False
    seconds: float = 0.0
    settled: bool = True  # whether all this and the parameters are of one moment, so that a run can go on from it
    before: "tuple[History, np.ndarray, int] | None" = None  # what `state_before` is made from

    def state(self, parameters: np.ndarray) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "parameters": parameters,
            "epoch": self.done,
            "rows": self.position,
            "total": np.array([self.total]),
            "losses": np.concatenate([np.empty(0), *self.losses]),
            "validation_losses": np.array(self.validation_losses),
            "best_loss": np.array([self.best_loss]),
            "best_epoch": self.best_epoch,
            "best": self.best,
            "stopped_early": self.stopped_early,
            "seconds": self.seconds,
        }

    def keep(self, parameters: np.ndarray) -> None:
        """Keep the end of an epoch's rows, to go on from if what follows is interrupted. Copies no history."""
        self.before = replace(self, before=None), parameters, len(self.losses)

    def state_before(self) -> dict[str, Any] | None:
        """The state that was kept."""
        if self.before is None:
            return None
        history, parameters, count = self.before
        validation = history.validation_losses[: history.done]
        return replace(history, losses=history.losses[:count], validation_losses=validation).state(parameters)

    @classmethod
    def of(cls, state: dict[str, Any]) -> "History":
        return cls(
            losses=[state["losses"]],
            validation_losses=state["validation_losses"].tolist(),
            best_loss=float(state["best_loss"][0]),
            best_epoch=state["best_epoch"],
            best=state["best"],
            done=state["epoch"],
            position=state["rows"],
            total=float(state["total"][0]),
            stopped_early=state["stopped_early"],
            seconds=state["seconds"],
        )


def run(trainee: Trainee[M_co], plan: Plan) -> TrainingResult[M_co]:
    """Train: every epoch, every block, in order; then validation, early stopping, callback, checkpoint and progress."""
    plan.engine_name = _compiled(trainee, plan)
    history, saved = History(), plan.checkpoint
    if saved is not None:
        found = saved.open(_checkpoint_options(trainee, plan), plan.rows, plan.engine.name)
        if found is not None:
            check_state(saved.path, found, trainee, plan)
            saved.at(found)
            history = History.of(found)
            trainee.restore(found["parameters"])
            if history.done > plan.epochs:
                raise ValueError(
                    f"{saved.path}: {history.done} epochs were trained and epochs is {plan.epochs}: ask for more, or "
                    "start over with resume=False"
                )
        else:
            saved.write(history.state(trainee.parameters()), must=True)
    sample = StreamSample() if plan.streams else None
    with _ending_with(trainee, history, saved), Progress(plan, history.done, history.position) as show:
        _epochs(trainee, plan, history, show, sample)
    result = training_result(trainee, plan, history)
    warn_if_useless(trainee, plan, sample, float(history.losses[-1][-1]))
    return result


def _compiled(trainee: Trainee[Any], plan: Plan) -> str:
    """Trains on no row, so that kernels are compiled where they have to be; gives the engine with how they were."""
    with noting() as ways:
        trainee.train(plan.rows.nothing(), np.empty(0), None, plan.engine.own(np.zeros(1)))
    return plan.engine.named(ways)


@contextmanager
def _ending_with(trainee: Trainee[Any], history: History, saved: "Checkpoint | None") -> Iterator[None]:
    """On Ctrl-C or SIGTERM, write the checkpoint of what was done, and name it in the exception."""
    if saved is None:
        yield
        return
    with sigterm_raises(), saying(saved.last_words):
        try:
            yield
        except (KeyboardInterrupt, SystemExit) as interrupt:  # the second is what a program's own handler often raises
            try:
                state = history.state(trainee.parameters()) if history.settled else history.state_before()
                if state is not None:
                    saved.write(state)
            finally:  # whatever comes meanwhile
                if isinstance(interrupt, KeyboardInterrupt):
                    raise type(interrupt)(saved.last_words()) from None
            raise


def _epochs(trainee: Trainee[Any], plan: Plan, history: History, show: "Progress", sample: StreamSample | None) -> None:
    """Train the epochs that are left. Some rows of the first of these epochs go into `sample`.

    If the run has a checkpoint, signals wait while parameters and history change, so that both fit each other after
    it. Validation and the callback, which may take long, can be interrupted; a run goes on from before them.
    """
    rows, saved = plan.rows, plan.checkpoint
    # Rows that fit one block train for several epochs a call, where nobody wants to see the epochs between.
    together = 1
    if trainee.repeats and not (plan.streams or plan.order or plan.validation_loss or plan.callback):
        together = max(1, trainee.block_rows // len(rows))
    stop, first = history.stopped_early, history.done
    while history.done < plan.epochs and not stop:
        k = min(together, plan.epochs - history.done) if history.position == 0 else 1
        with _held(saved) if k > 1 else nullcontext():
            before = trainee.parameters() if k > 1 else None
            totals = _blocks(trainee, plan, history, k, show, sample if history.done == first else None)
            if is_streamed(rows):
                rows.check_labels()
            history.position, history.total = 0, 0.0
            if not (np.isfinite(trainee.parameters()).all() and np.isfinite(totals).all()):
                if before is None:
                    raise TrainingDivergedError(history.done, trainee.learning_rate, trainee.safe_learning_rate(rows))
                trainee.restore(before)  # and look for the epoch one by one
                together, history.settled = 1, True
                continue
            plan.limit = np.inf  # every row has been seen
            history.losses.append(trainee.epoch_loss(totals, len(rows)))
            history.done += k
            stop = end_epoch(trainee, plan, history)
            history.settled = True
        if saved is not None:
            last = history.done == plan.epochs or stop
            saved.write(history.state(trainee.parameters()), every_second=not last)
        show.epoch(history.done, float(history.losses[-1][-1]))


def _blocks(
    trainee: Trainee[Any], plan: Plan, history: History, k: int, show: "Progress", sample: StreamSample | None
) -> np.ndarray:
    """Train what is left of an epoch, or `k` epochs of the rows of one block. Returns the summed loss of each epoch."""
    own, saved = plan.engine.own, plan.checkpoint
    totals = np.full(k, history.total)
    held = _held(saved)
    blocks = plan.rows.blocks(
        trainee.block_rows, plan.order, history.done, trainee.batch_size, history.position, plan.engine.tile
    )
    started = perf_counter()
    with closing(blocks):
        for X, y, sample_weight in blocks:
            if plan.limit < np.inf:
                _check_limit(trainee, plan, X)
            with held:
                history.settled = False
                losses = own(totals)
                trainee.train(X, y, sample_weight, losses)
                totals = np.asarray(losses, dtype=np.float64)
                history.position += len(y)
                history.total = float(totals[-1])
                now = perf_counter()
                history.seconds, started = history.seconds + now - started, now
                history.settled = k == 1
            if sample is not None:
                sample.add(X, y)
            show.rows(history.done, history.position, k, history.total)
            if saved is not None and k == 1 and saved.is_due():
                saved.write(history.state(trainee.parameters()))
    if saved is not None and (plan.validation_loss or plan.callback):
        history.keep(trainee.parameters())
    history.settled = False
    trainee.end_epoch()
    history.seconds += perf_counter() - started
    return totals


def _held(saved: "Checkpoint | None") -> Any:
    return nullcontext() if saved is None else Held()


def _check_limit(trainee: Trainee[Any], plan: Plan, X: Any) -> None:
    if isinstance(X, CSR):
        largest = float(X.square_norms().max()) + 1.0
    else:
        largest = plan.engine.kernels.row_bound(plan.engine.rows(X), np.ones(1))
    if largest <= plan.limit:
        return
    if plan.rows.source.repeatable:  # type: ignore[union-attr]
        raise Overshoot
    plan.engine, plan.limit = ENGINES["strict"], np.inf
    trainee.use(plan.engine)
    plan.engine_name = _compiled(trainee, plan)


def end_epoch(trainee: Trainee[Any], plan: Plan, history: History) -> bool:
    """What is to be said of an epoch: validation, early stopping, callback; and whether it was the last."""
    loss = None
    if plan.validation_loss is not None:
        loss = plan.validation_loss(plan.for_raw_inputs(trainee.model()))
        history.validation_losses.append(loss)
        if plan.patience and loss < history.best_loss:
            history.best_loss, history.best_epoch, history.best = loss, history.done - 1, trainee.parameters()
        since = history.done - 1 - (-1 if history.best_epoch is None else history.best_epoch)
        history.stopped_early = plan.patience is not None and since >= plan.patience
    if plan.callback:
        model = plan.for_raw_inputs(trainee.model())
        epoch = Epoch(history.done - 1, float(history.losses[-1][-1]), loss, model)
        if plan.callback(epoch):
            return True  # which is not for the checkpoint: who resumes wants to go on
    return history.stopped_early


def _checkpoint_options(trainee: Trainee[Any], plan: Plan) -> dict[str, Any]:
    """All that decides which weights come of the rows, but for the epochs, which may be raised later."""
    import hashlib

    searched = plan.checkpoint is not None and plan.checkpoint.rate_search is not None
    return {
        **trainee.options(),
        **({"learning_rate": "auto"} if searched else {}),
        **plan.options,
        "start": hashlib.blake2b(trainee.start.tobytes(), digest_size=16).hexdigest(),
        "shuffle": str(plan.shuffle),
        "seed": plan.seed,
        "validation": plan.validation,
        "patience": plan.patience,
        "labels": plan.labels.tolist(),
        "features": plan.features,
    }


def training_result(trainee: Trainee[M_co], plan: Plan, history: History) -> TrainingResult[M_co]:
    if history.best is not None:
        trainee.restore(history.best)
    model = plan.for_raw_inputs(trainee.model())
    if plan.rows.mean is not None:
        warn_of_lost_digits(model, plan.rows.mean, plan.features)
    losses = np.concatenate(history.losses)
    model.training |= (
        trainee.options()
        | plan.options
        | {
            "shuffle": plan.shuffle if isinstance(plan.shuffle, str) else bool(plan.shuffle),
            "seed": plan.seed,
            "engine": plan.engine.name,
            "epochs": history.done,
            "best_epoch": history.best_epoch,
            "rows": len(plan.rows),
            "final_loss": float(losses[-1]),
        }
    )
    dropped = 0
    if is_streamed(plan.rows):
        dropped = plan.rows.source.dropped
        model.training |= plan.rows.source.training
    if dropped:
        model.training["dropped_rows"] = dropped
    return TrainingResult(
        model=model,
        loss_history=losses,
        validation_loss_history=np.array(history.validation_losses) if plan.validation_loss else None,
        engine=plan.engine_name,
        epochs=history.done,
        best_epoch=history.best_epoch,
        seed=plan.seed,
        seconds=history.seconds,
        rows=len(plan.rows),
        dropped_rows=dropped,
    )
