"""The networks of a sweep: what each is trained on and from, their training, and how they are judged."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import FAST
from tinynet_fast.models import MLP, OneVsRest
from tinynet_fast.models.outputs import ONE_VS_REST
from tinynet_fast.rows.blocks import Rows, picked
from tinynet_fast.training.checkpoints import Checkpoint
from tinynet_fast.training.float32 import check_single, single_start
from tinynet_fast.training.losses import LINEAR, ChosenLoss
from tinynet_fast.training.many_neurons import ALL_ROWS
from tinynet_fast.training.mlp import check_total_weight, choose_network_engine
from tinynet_fast.training.network_passes import train_networks
from tinynet_fast.training.network_plan import NetworkPlan, Trained
from tinynet_fast.training.network_start import first_parameters, network_sizes
from tinynet_fast.training.one_class import against_the_rest
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.options import Options, measure
from tinynet_fast.training.sweep_checkpoint import SweepCheckpoint
from tinynet_fast.training.sweep_mlp_result import MLPSweepResult
from tinynet_fast.training.targets import ClassWeight

OF_OPTIMIZER = ("momentum", "l2", "weight_decay", "schedule", "power_t", "beta_1", "beta_2", "epsilon")


@dataclass
class Networks:
    """The networks of a sweep: what they share, checked, and the values of the options in which they differ."""

    asked: Options
    loss: ChosenLoss
    values: dict[str, list[Any]]
    activation: str
    batch_size: int | None
    optimizer: str
    nesterov: bool
    start: tuple[Any, Any, str, float]
    augment: tuple[float, float]
    class_weight: ClassWeight | None
    standardize: tuple[bool, bool]
    dtype: np.dtype[Any]
    one_vs_rest: bool

    def swept(self, fold_of_row: np.ndarray | None, n_folds: int) -> MLPSweepResult:
        """Train and judge all networks. The rows of folds are those of `folds_of`."""
        asked = self.asked
        combinations = [dict(zip(self.values, each, strict=True)) for each in product(*self.values.values())]
        folds = np.arange(ALL_ROWS, n_folds)
        rows = [self._rows(None if f == ALL_ROWS else np.flatnonzero(fold_of_row != f)) for f in folds]
        check_total_weight(asked)
        classes = range(len(asked.labels)) if self.one_vs_rest else (None,)
        plans = [self._plan(each, options, k) for each in combinations for options in rows for k in classes]
        saved = self._checkpoint(plans, fold_of_row)
        networks = train_networks(plans, asked.threads, saved)
        trained = networks.of_models(len(classes))
        fold = np.tile(folds, len(combinations))

        def make(i: int) -> MLP | OneVsRest:
            own = range(i * len(classes), (i + 1) * len(classes))
            more = [{"fold": int(fold[i]), "engine": plans[k].options.engine.name} for k in own]
            members = [plans[k].model(networks.parameters[k], each) for k, each in zip(own, more, strict=True)]
            return OneVsRest.of(members, asked.labels) if self.one_vs_rest else members[0]

        result = MLPSweepResult(
            options={name: [each[name] for each in combinations for _ in folds] for name in self.values},
            tried=[name for name, given in self.values.items() if len(given) > 1],
            combination=np.arange(len(fold)) // len(folds),
            fold=fold,
            loss_history=trained.losses,
            held_out_loss=self._held_out(make, trained, fold, fold_of_row),
            diverged=trained.diverged(range(len(fold))),
            side_by_side=trained.side_by_side,
            engines=trained.engines,
            best=None,
            labels=np.empty(0) if asked.numbers else asked.labels,
            output=LINEAR if asked.numbers else "",
            features=asked.features,
            epochs=asked.epochs,
            seconds=trained.seconds,
            make=make,
        )
        result.judge()
        return result

    def _rows(self, kept: np.ndarray | None) -> Options:
        """The options with the rows of these numbers: weighted, and standardised, as if they were all."""
        rows = self.asked.in_memory
        index = rows.index if kept is None else kept
        own = replace(
            self.asked,
            rows=Rows(rows.X, rows.codes, index, rows.sample_weight),
            recorded=dict(self.asked.recorded),
            validation=None,
            validation_loss=None,
            checkpoint=None,
        )
        if self.class_weight is not None:
            self.class_weight.weigh(own)
        if own.engine is FAST and (kept is not None or self.class_weight is not None):
            blocks = own.in_memory.blocks(4096)
            own.largest = max(FAST.row_bound(X, weights) for X, _, weights in blocks)
        measure(own, *self.standardize, False, None)
        if self.dtype == np.float32:
            check_single(own)
        return own

    def _plan(self, values: dict[str, Any], options: Options, label: int | None) -> NetworkPlan:
        """The network with these values of options, on the rows of `options`: of the label of this code against the
        rest, or of all labels."""
        shared = options.in_memory
        if label is not None:
            options = against_the_rest(options, label)
        own = replace(options, seed=values["seed"], recorded=dict(options.recorded))
        own.augment_rows(*self.augment, self.batch_size)
        if values["schedule"] == "cosine":
            own.recorded["epochs_in_all"] = own.epochs
        n_labels = 0 if own.numbers else len(own.labels)
        sizes = network_sizes(own.rows.n_features, list(values["hidden"]), n_labels, self.loss.name, own.n_targets)
        weights, biases, init, init_scale = self.start
        start = first_parameters(weights, biases, sizes, init, init_scale, own.seed, own.engine.is_portable)
        start = single_start(start) if self.dtype == np.float32 else start
        choose_network_engine(own, start, sizes, self.loss, self.dtype)
        steps = Optimizer(
            values["learning_rate"],
            self.optimizer,
            nesterov=self.nesterov,
            **{name: values[name] for name in OF_OPTIMIZER},
        )
        how = self.activation, steps, self.batch_size, self.loss, values["dropout"], self.dtype
        return NetworkPlan(own, start, sizes, *how, shared, label)

    def _held_out(self, make: Any, trained: Trained, fold: np.ndarray, fold_of_row: np.ndarray | None) -> np.ndarray:
        """The mean loss of each network on the rows that it holds out, or on the validation rows."""
        judge, rows = self.asked.validation_loss, self.asked.in_memory
        losses = np.full(len(fold), np.nan)
        parts: dict[int, Any] = {}
        for f in range(int(fold.max()) + 1):
            held = np.flatnonzero(fold_of_row == f)
            parts[f] = picked(rows.X, held), rows.codes[held]
        for i in np.flatnonzero(~trained.diverged(range(len(fold)))):
            if fold[i] != ALL_ROWS:
                losses[i] = make(i).mean_loss(*parts[fold[i]])
            elif judge is not None:
                losses[i] = judge(make(i))
        return losses

    def _checkpoint(self, plans: list[NetworkPlan], fold_of_row: np.ndarray | None) -> SweepCheckpoint | None:
        """The sweep's checkpoint, if one is asked for."""
        file: Checkpoint | None = self.asked.checkpoint
        if file is None:
            return None
        import hashlib  # 2 ms, which only checkpoints need

        seen = hashlib.blake2b(digest_size=16)
        for plan in plans:
            seen.update(plan.start.tobytes())
        if fold_of_row is not None:
            seen.update(fold_of_row.tobytes())
        shared = {
            "trainer": "sweep_mlp",
            "epochs": self.asked.epochs,
            "activation": self.activation,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
            "nesterov": self.nesterov,
            **self.loss.options(),
            "noise": self.augment[0],
            "mixup": self.augment[1],
            "standardize": self.standardize[0],
            "standardize_y": self.standardize[1],
            "class_weight": [plan.options.recorded.get("class_weight") for plan in plans[:1]],
            "starts and folds": seen.hexdigest(),
            "shuffle": str(self.asked.shuffle),
            "seed": self.asked.seed,
            "validation": self.asked.validation,
            "labels": None if self.asked.labels is None else self.asked.labels.tolist(),
            "features": self.asked.features,
        }
        if self.dtype == np.float32:
            shared["dtype"] = self.dtype.name
        if self.one_vs_rest:
            shared["output"] = ONE_VS_REST
        return SweepCheckpoint(
            file,
            shared | {f"{k} tried": v for k, v in self.values.items()},
            self.asked.in_memory,
            self.asked.engine.name,
        )
