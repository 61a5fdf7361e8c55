"""A run of `train_neuron` or `train_mlp`: the loop in `loop.py` with validation, callback, checkpoint and progress."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Generic, TypeVar

import numpy as np

from tinynet_fast.errors import TrainingDivergedError
from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.interrupts import Held, saying, sigterm_raises
from tinynet_fast.kernels.compiler.jit import noting
from tinynet_fast.kernels.engines import FAST, STRICT, Engine, choose
from tinynet_fast.rows.blocks import Rows, is_streamed
from tinynet_fast.rows.values import is_finite
from tinynet_fast.training.checkpoints import Checkpoint
from tinynet_fast.training.history import History
from tinynet_fast.training.loop import finish, run_epochs, visit
from tinynet_fast.training.options import Options
from tinynet_fast.training.outcome import StreamSample, warn_if_useless
from tinynet_fast.training.progress import Progress
from tinynet_fast.training.raw_inputs import warn_of_lost_digits
from tinynet_fast.training.result import Epoch, M_co, TrainingResult
from tinynet_fast.training.resume import check_state
from tinynet_fast.training.strict_first import StrictFirst, row_bound
from tinynet_fast.training.trainable import EpochsAhead, Trainable

Answer = TypeVar("Answer")
NOTHING = nullcontext()
MOST_IN_TURN = 256  # the most epochs in one pass, if they differ
_names: dict[Hashable, str] = {}  # of engines, with how their kernels were compiled, by `kernels_of`


class Overshoot(Exception):
    """Raised when a streamed or noisy row could make a step overshoot; training starts again with `strict`."""


def until_measured(trained: Callable[[], Answer], options: Options) -> Answer:
    """Train. If a row is too long for the fast engine, train once more from the start with the strict one."""
    try:
        return trained()
    except Overshoot:
        options.engine, options.limit = STRICT, np.inf
        if options.checkpoint is not None:
            options.checkpoint.found = None
        return trained()


def run(
    trainable: Trainable[M_co],
    options: Options,
    ahead: EpochsAhead | None = None,
    strict_first: StrictFirst | None = None,
) -> TrainingResult[M_co]:
    """Train from the first row, or go on from the checkpoint."""
    return Run(trainable, options, ahead, strict_first).result()


@dataclass
class Run(Generic[M_co]):
    """One run. If it has a checkpoint, signals wait until the arrays and the history are of the same moment."""

    trainable: Trainable[M_co]
    options: Options
    ahead: EpochsAhead | None = None
    strict_first: StrictFirst | None = None
    history: History = field(default_factory=History)

    def result(self) -> TrainingResult[M_co]:
        """Run the loop, and return the model with everything about its training."""
        self.train()
        result = training_result(self.trainable, self.options, self.history)
        warn_if_useless(self.trainable, self.options, self.sample, self.history.last_loss, result.model)
        return result

    def train(self) -> None:
        """Run the loop, from the first row or from the checkpoint on."""
        options, trainable = self.options, self.trainable
        engine = options.engine
        if self.strict_first is not None:
            self._use(FAST)  # so that its kernels are compiled before training
        self._use(engine)
        self._open_checkpoint()
        history = self.history
        streams = options.streams
        self.sample = StreamSample() if streams else None
        self.first = history.done
        self.in_turn = bool(options.shuffle or options.augment or not trainable.repeats)
        self.together = self._epochs_in_a_pass()
        ending_well = NOTHING if options.checkpoint is None else self._ending_well(options.checkpoint)
        shown: Any = Progress(options, history.done, history.position) if options.progress else NOTHING
        with ending_well, shown as self.show:
            last = (self._save,) if self.show is None else (self._save, self._show_epoch)
            observers = (*after_epoch(trainable, options, history), *last)
            most = 0 if history.stopped_early else options.epochs
            finish(run_epochs(self._pass, most, observers, history.done))

    def _epochs_in_a_pass(self) -> int:
        """More than 1 if the rows fit in one block, and nothing looks at single epochs.

        If all epochs are the same, the kernel trains them in one call. If they differ, `_in_turn` trains one after the
        other, without the checks and observers between them: for 100 rows these took five times as long as the
        training. It cannot change the engine within an epoch, or write a checkpoint after every block.
        """
        options, saved = self.options, self.options.checkpoint
        if options.streams or options.validation_loss or options.callback:
            return 1
        most = max(1, self.trainable.block_rows // options.in_memory.count)
        if not self.in_turn:
            return most
        every_block = saved is not None and saved.seconds == 0.0
        return 1 if self.strict_first or every_block else min(most, MOST_IN_TURN)

    def _open_checkpoint(self) -> None:
        saved, trainable, options = self.options.checkpoint, self.trainable, self.options
        if saved is None:
            return
        found = saved.open(_checkpoint_options(trainable, options), options.rows, options.engine.name)
        if found is None:
            saved.write(self.history.state(trainable.state()), must=True)
            return
        check_state(saved.path, found, trainable, options)
        saved.at(found)
        self.history = History.of(found)
        trainable.restore(found["trained"])
        if self.history.done > options.epochs:
            raise ValueError(
                f"{saved.path}: {self.history.done} epochs were trained and epochs is {options.epochs}: ask for more, "
                "or start over with resume=False"
            )

    @contextmanager
    def _ending_well(self, saved: Checkpoint) -> Iterator[None]:
        """On Ctrl-C or SIGTERM, write the checkpoint of what was done, and name it in the exception."""
        trainable = self.trainable
        with sigterm_raises(), saying(saved.last_words):
            try:
                yield
            except (KeyboardInterrupt, SystemExit) as interrupt:  # a program's own handler often raises SystemExit
                try:
                    history = self.history
                    state = history.state(trainable.state()) if history.settled else history.state_before()
                    if state is not None:
                        saved.write(state)
                finally:  # also if another signal comes while writing
                    if isinstance(interrupt, KeyboardInterrupt):
                        raise type(interrupt)(saved.last_words()) from None
                raise

    def _held(self) -> Any:
        return NOTHING if self.options.checkpoint is None else Held()

    def _pass(self, done: int) -> int:
        """Train the rest of an epoch, or several epochs if the rows fit one block. Returns how many epochs."""
        options, trainable, history = self.options, self.trainable, self.history
        losses = None if self.ahead is None or not done else self._ahead(self.ahead, done)
        if losses is not None:
            history.losses.append(losses)
            history.done += len(losses)
            return len(losses)
        k = min(self.together, options.epochs - done) if history.position == 0 else 1
        k = k if self.ahead is None or self.ahead.given_up else min(k, max(self.ahead.next_try - done, 1))
        with self._held() if k > 1 else NOTHING:
            before = trainable.state() if k > 1 else None
            (self._in_turn if k > 1 and self.in_turn else self._blocks)(k)
            if is_streamed(options.rows):
                options.rows.check_labels()
            history.position, history.total = 0, 0.0
            if not (trainable.is_finite() and is_finite(self.totals)):
                if before is None:
                    rate, safe = trainable.learning_rate, trainable.safe_learning_rate(options.rows)
                    raise TrainingDivergedError(done, rate, safe)
                trainable.restore(before)  # and train one by one, to find the epoch that diverges
                self.together, history.settled = 1, True
            else:
                if options.augment is None:
                    options.limit = np.inf  # every row was measured in this epoch
                history.losses.append(trainable.epoch_loss(self.totals))
                history.done += k
                history.settled = k > 1  # else it is settled after validation and the callback
                return k
        return self._pass(done)

    def _ahead(self, ahead: EpochsAhead, done: int) -> np.ndarray | None:
        """The losses of the next epochs if they can be trained at once, which takes an epoch to know."""
        started = perf_counter()
        losses = ahead.next(done)
        self.history.seconds += perf_counter() - started
        return losses

    def _blocks(self, k: int) -> None:
        """Visit the rows once for `k` epochs; the summed loss of each goes into `totals`."""
        options, trainable, history = self.options, self.trainable, self.history
        self.totals = np.array([history.total] * k)
        self.started = perf_counter()
        size, batch = trainable.block_rows, trainable.batch_size
        tile = (options.engine if self.strict_first is None else FAST).tile
        blocks = options.rows.blocks(size, options.order, history.done, batch, history.position, tile)
        visit(blocks if self.strict_first is None else self.strict_first.cut(blocks, trainable, self._use), self._train)
        if options.checkpoint is not None and (options.validation_loss or options.callback):
            history.keep(trainable.state())
        history.settled = False
        trainable.end_epoch()
        history.seconds += perf_counter() - self.started

    def _in_turn(self, k: int) -> None:
        """Train `k` epochs of one block each; the summed loss of each goes into `totals`."""
        options, trainable, history = self.options, self.trainable, self.history
        started, own = perf_counter(), options.engine.own
        self.totals = np.zeros(k)
        history.settled = False
        for epoch, block in enumerate(options.in_memory.epochs(options.order, history.done, k)):
            rows = options.augmented(*block, history.done + epoch, 0)
            if options.limit < np.inf:
                self._measure(rows[0], rows[2])
            losses = own(self.totals[epoch : epoch + 1])
            trainable.train(*rows, losses)
            self.totals[epoch] = losses[0]
            trainable.end_epoch()
        history.seconds += perf_counter() - started

    def _train(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None) -> None:
        """Train on a block of rows."""
        options, trainable, history, saved = self.options, self.trainable, self.history, self.options.checkpoint
        rows = options.augmented(X, y, sample_weight, history.done, history.position)
        if options.limit < np.inf:
            self._measure(rows[0], rows[2])
        k = len(self.totals)
        with self._held():
            history.settled = False
            losses = options.engine.own(self.totals)
            trainable.train(*rows, losses)
            self.totals = np.asarray(losses, dtype=np.float64)
            history.position += len(y)
            history.total = float(self.totals[-1])
            now = perf_counter()
            history.seconds, self.started = history.seconds + now - self.started, now
            history.settled = k == 1
        if self.sample is not None and history.done == self.first:
            self.sample.add(X, y)
        if self.show is not None:
            self.show.rows(history.done, history.position, k, history.total)
        if saved is not None and k == 1 and saved.is_due():
            saved.write(history.state(trainable.state()))

    def _measure(self, X: Any, sample_weight: np.ndarray | None) -> None:
        """Leave streamed or noisy rows to `strict` if one is longer than the fast engine's limit."""
        options, largest = self.options, row_bound(X, sample_weight)
        options.largest = max(options.largest, largest)
        if choose(options.engine, largest, options.limit) is options.engine:
            return
        if not is_streamed(options.rows) or options.rows.source.repeatable:
            raise Overshoot
        options.limit = np.inf
        self._use(STRICT)

    def _use(self, engine: Engine) -> None:
        """Train with this engine from now on."""
        options, first = self.options, self.strict_first
        options.engine = engine
        self.trainable.use(engine)
        options.engine_name = compiled_by(self.trainable, options)
        if first is not None:
            options.engine_name = first.named(options.engine_name)
        if options.checkpoint is not None:
            options.checkpoint.engine_is(engine.name, None if first is None else first.strict_rows)

    def _save(self, done: int, last: bool) -> None:
        self.history.settled = True
        if self.options.checkpoint is not None:
            self.options.checkpoint.write(self.history.state(self.trainable.state()), every_second=not last)

    def _show_epoch(self, done: int, last: bool) -> None:
        self.show.epoch(done, self.history.last_loss)


def compiled_by(trainable: Trainable[Any], options: Options) -> str:
    """Train on no rows, so that kernels are compiled now. Returns the engine's name with how they were compiled.

    That is remembered for rows of a type and width, and for what `kernels_of` says: later runs have the same kernels.
    """
    key = kernels_of(trainable, options)
    if key not in _names:
        rows = options.augmented(options.rows.nothing(), np.empty(0), None)
        with noting() as ways:
            trainable.train(*rows, options.engine.own(np.zeros(1)))
        if key is None:
            return options.engine.named(ways)
        _names[key] = options.engine.named(ways)
    return _names[key]


def kernels_of(trainable: Trainable[Any], options: Options) -> Hashable:
    """All that decides on the kernels of a run; None if it is not known.

    Rows that are changed before they are trained on, and rows that are read or sparse, may have other types than `X`.
    """
    rows, asked = options.rows, trainable.kernels
    if asked is None or not isinstance(rows, Rows) or rows.mean is not None or options.augment is not None:
        return None
    if not isinstance(rows.X, np.ndarray):
        return None
    of_rows = rows.X.dtype, rows.n_features
    return type(trainable), asked, options.engine, of_rows, native.library()


def after_epoch(trainable: Trainable[Any], options: Options, history: History) -> list[Any]:
    """The observers that measure the validation loss and stop early, and that call the callback, if they are needed."""
    measure: Any = options.validation_loss
    callback: Any = options.callback

    def validate(done: int, last: bool) -> bool:
        loss = measure(options.for_raw_inputs(trainable.model()))
        history.validation_losses.append(loss)
        if options.patience and loss < history.best_loss:
            history.best_loss, history.best_epoch, history.best = loss, done - 1, trainable.state()
        since = done - 1 - (-1 if history.best_epoch is None else history.best_epoch)
        history.stopped_early = options.patience is not None and since >= options.patience
        return history.stopped_early

    def call_back(done: int, last: bool) -> bool:
        """Call the callback. Its answer is not in the checkpoint: a resumed run goes on."""
        loss = history.validation_losses[-1] if measure is not None else None
        model = options.for_raw_inputs(trainable.model())
        return bool(callback(Epoch(done - 1, history.last_loss, loss, model)))

    return [observer for observer, on in ((validate, measure), (call_back, callback)) if on is not None]


def _checkpoint_options(trainable: Trainable[Any], options: Options) -> dict[str, Any]:
    """Everything that the weights depend on beside the rows. The epochs are left out, because they may be raised."""
    import hashlib  # 2 ms, which only checkpoints need

    searched = options.checkpoint is not None and options.checkpoint.rate_search is not None
    return {
        **trainable.options(),
        **({"learning_rate": "auto"} if searched else {}),
        **options.recorded,
        "start": hashlib.blake2b(trainable.start.tobytes(), digest_size=16).hexdigest(),
        "shuffle": str(options.shuffle),
        "seed": options.seed,
        "validation": options.validation,
        "patience": options.patience,
        "labels": None if options.labels is None else options.labels.tolist(),
        "features": options.features,
    }


def training_result(trainable: Trainable[M_co], options: Options, history: History) -> TrainingResult[M_co]:
    """The result of a finished run."""
    rows = options.rows
    if history.best is not None:
        trainable.restore(history.best)
    model = options.for_raw_inputs(trainable.model())
    if rows.mean is not None and rows.scale is not None:
        warn_of_lost_digits(model, rows.mean, rows.scale, options.features)
    losses = np.concatenate(history.losses) if len(history.losses) > 1 else history.losses[0]
    model.training |= trainable.options() | options.recorded
    model.training |= {
        "shuffle": options.shuffle if isinstance(options.shuffle, str) else bool(options.shuffle),
        "seed": options.seed,
        "engine": options.engine.name,
        "epochs": history.done,
        "best_epoch": history.best_epoch,
        "rows": len(rows),
        "final_loss": float(losses[-1]),
    }
    if options.engine.is_portable:
        from tinynet_fast.training.digests import of_training  # here, because hashlib takes 2 ms

        model.training |= of_training(model, options, _checkpoint_options(trainable, options))
    dropped = 0
    if is_streamed(rows):
        dropped = rows.source.dropped
        model.training |= rows.source.training
    if dropped:
        model.training["dropped_rows"] = dropped
    return TrainingResult(
        model=model,
        loss_history=losses,
        validation_loss_history=np.array(history.validation_losses) if options.validation_loss else None,
        engine=options.engine_name,
        epochs=history.done,
        best_epoch=history.best_epoch,
        seed=options.seed,
        seconds=history.seconds,
        rows=len(rows),
        dropped_rows=dropped,
    )
