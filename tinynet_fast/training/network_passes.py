"""Trains many networks: side by side those that the kernel takes, and one after the other those that it does not."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from time import perf_counter
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingDivergedError
from tinynet_fast.kernels.fast import many_networks as kernel
from tinynet_fast.rows.team import Team
from tinynet_fast.training.many_networks import ManyNetworks
from tinynet_fast.training.network_plan import NetworkPlan, Trained
from tinynet_fast.training.run import Run, until_measured
from tinynet_fast.training.shared_rows import keys_of, sources_of
from tinynet_fast.training.sweep_checkpoint import SweepCheckpoint

MOST_PLACES = 1 << 24  # rows times networks, if each network has an order of its own: 128 MB
MOST_COPIED = 1 << 24  # numbers in copies of the table, one for each fold if folds are standardised: 128 MB
# How long a network trains by itself, in passes of a group of eight; the second is for a batch of one row.
ALONE, ALONE_STEP = 0.2, 0.3
# A row takes a network of a group 5 ns, and 0.14 ns for each parameter; if each network takes its own rows, 6 ns more:
# 2 in the kernel, and 4 for their numbers and weights.
ROW, PARAMETER, OWN_ROW = 5.0, 0.14, 6.0
SURELY = 1.2  # how many times as fast it must be by these estimates to train all folds together


def parts_of(plans: Sequence[NetworkPlan]) -> list[list[int]]:
    """The numbers of the networks that are trained together."""
    together: dict[Any, list[int]] = {}
    for i, plan in enumerate(plans):
        company = plan.company()
        together.setdefault(("alone", i) if company is None else company, []).append(i)
    return [each for family in together.values() for part in _by_rows(family, plans) for each in _cut(part, plans)]


def _by_rows(family: list[int], plans: Sequence[NetworkPlan]) -> list[list[int]]:
    """The networks that could be trained together: all of them, or fold by fold if that is faster.

    Two rates and five folds are 12 networks, or two groups; fold by fold they are six groups. With eight rates each
    fold fills a group, whose rows are loaded once, and the rows that it holds out are not visited.
    """
    rows: dict[int, list[int]] = {}
    for i in family:
        rows.setdefault(id(plans[i].shared), []).append(i)
    parts = list(rows.values())
    if len(parts) == 1:
        return parts
    tables = [plans[part[0]].shared for part in parts]
    copies = len(set(sources_of(tables)))
    if copies > 1 and copies * tables[0].X.size > MOST_COPIED:
        return parts
    return [family] if SURELY * _passes(family, plans) < sum(_passes(part, plans) for part in parts) else parts


def _passes(part: list[int], plans: Sequence[NetworkPlan]) -> float:
    """About how long networks that are trained together take: in rows that pass through a group of eight."""
    return sum(min(together(group, plans), alone(group, plans)) for group in _groups(part, plans))


def _groups(part: list[int], plans: Sequence[NetworkPlan]) -> list[list[int]]:
    """The networks in eights, so that those which see the same rows in the same order come one after the other."""
    keys = keys_of(plans[i] for i in part)
    part = [part[k] for k in sorted(range(len(part)), key=keys.__getitem__)]
    return [part[k : k + kernel.WIDTH] for k in range(0, len(part), kernel.WIDTH)]


def together(group: list[int], plans: Sequence[NetworkPlan]) -> float:
    """About how long a group of up to eight networks takes: the rows, and more if each network takes its own."""
    own = 1.0 + OWN_ROW / (ROW + PARAMETER * len(plans[group[0]].start))
    mixed = len(set(keys_of(plans[i] for i in group))) > 1
    return max(len(plans[i].shared) for i in group) * (own if mixed else 1.0)


def alone(group: list[int], plans: Sequence[NetworkPlan]) -> float:
    """About how long the same networks take one after the other. Up to four are faster so, in batches."""
    return sum(len(plans[i].shared) for i in group) * (ALONE + ALONE_STEP / plans[group[0]].size)


def _cut(part: list[int], plans: Sequence[NetworkPlan]) -> list[list[int]]:
    """The networks that are trained together, cut so that the orders of their rows do not take much memory.

    The last ones, if they do not fill a group, are trained one after the other if that is faster.
    """
    if len(part) == 1:
        return [part]
    groups, most = _groups(part, plans), len(part)
    if len(set(keys_of(plans[i] for i in part))) > 1:
        most = max(MOST_PLACES // len(plans[part[0]].shared) // kernel.WIDTH, 1)
    last = groups.pop() if alone(groups[-1], plans) < together(groups[-1], plans) else []
    cut = [list(chain(*groups[k : k + most])) for k in range(0, len(groups), most)]
    return cut + [[i] for i in last]


def train_networks(plans: Sequence[NetworkPlan], threads: int, checkpoint: SweepCheckpoint | None = None) -> Trained:
    """Train all networks. Each ends with the weights that it has if it is trained alone, to the engine's promise."""
    epochs, started = plans[0].options.epochs, perf_counter()
    found = Trained.nothing(len(plans), epochs)
    parts = parts_of(plans)
    first = 0 if checkpoint is None else checkpoint.open(plans, parts, found)
    with Team(threads) as team:
        for k in range(first, len(parts)):
            own = None if checkpoint is None else checkpoint.part(k)
            if len(parts[k]) == 1:
                _alone(parts[k][0], plans, own, found)
            else:
                _side_by_side(parts[k], plans, own, found, team)
    found.seconds = perf_counter() - started
    return found


def _side_by_side(part: list[int], plans: Sequence[NetworkPlan], checkpoint: Any, found: Trained, team: Team) -> None:
    """Train the networks of a part in the same pass over the rows."""
    many: Any = ManyNetworks([plans[i] for i in part], team)
    options = replace(plans[part[0]].options, rows=many.places, shuffle=False, checkpoint=checkpoint)
    Run(many, options).train()
    parameters, found.losses[:, part] = many.outcomes()
    for i, each in zip(part, parameters, strict=True):
        found.parameters[i], found.engines[i] = each, options.engine_name
    found.side_by_side[part] = True


def _alone(i: int, plans: Sequence[NetworkPlan], checkpoint: Any, found: Trained) -> None:
    """Train one network."""
    options = plans[i].options
    options.checkpoint = checkpoint
    losses, parameters = np.full(options.epochs, np.nan), np.full(len(plans[i].start), np.nan)

    def trained() -> None:
        run = Run(plans[i].network(), options)
        with suppress(TrainingDivergedError):
            run.train()
            parameters[:] = run.trainable.state()["parameters"]
        own = np.concatenate([np.empty(0), *run.history.losses])
        losses[: len(own)], losses[len(own) :] = own, np.nan

    until_measured(trained, options)
    found.parameters[i], found.losses[:, i], found.engines[i] = parameters, losses, options.engine_name
