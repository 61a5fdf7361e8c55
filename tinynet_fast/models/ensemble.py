"""A model that answers with the mean of other models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tinynet_fast.kernels import vectorized
from tinynet_fast.models.base import Model
from tinynet_fast.models.mlp import MLP
from tinynet_fast.models.neuron import Neuron
from tinynet_fast.models.one_vs_rest import KIND as CLASSES
from tinynet_fast.models.one_vs_rest import OneVsRest, member_fields, read_members, shared_options
from tinynet_fast.models.outputs import (
    LINEAR,
    MARGIN,
    ONE_VS_REST,
    SIGMOID,
    SOFTMAX,
    check_output,
    probabilities,
)
from tinynet_fast.models.view import ensemble_html, inputs, predicted

Member = Neuron | MLP | OneVsRest
KINDS: dict[str, type[Member]] = {"neuron": Neuron, "mlp": MLP, CLASSES: OneVsRest}  # by the field "kind"


@dataclass(kw_only=True, eq=False, repr=False)
class Ensemble(Model):
    """Several models of the same inputs and labels. Its probabilities are the mean of theirs; so are its numbers.

    `decision_function` returns the sums that belong to the mean: for two labels the log odds of the mean probability,
    for more labels the log of each mean probability. (After loss="hinge" it is the mean of the margins.)

    Parameters
    ----------
    members : list of Neuron, MLP or OneVsRest
        At least one. They share inputs, labels and kind of output; `labels`, `output` and `targets` of the ensemble are
        theirs.

    Raises
    ------
    ValueError
        If the members do not go together; the message says which one and why.

    Examples
    --------
    >>> from tinynet_fast import Ensemble, Neuron
    >>> both = Ensemble(members=[Neuron(weights=[1.0]), Neuron(weights=[3.0])])
    >>> both, both.predict_proba([0.0, 1.0]).round(4)
    (Ensemble(2 models of 1 input, labels 0 and 1), array([0.5   , 0.8418]))
    """

    members: list[Member]

    def __post_init__(self) -> None:
        given = list(self.members) if isinstance(self.members, (list, tuple)) else []
        if not given or not all(isinstance(member, Member) for member in given):
            raise ValueError("members is a list of neurons or networks, at least one")
        self.members, first = given, given[0]
        for i, member in enumerate(given):
            _check_goes_with(i, member, first)
        self.labels, self.targets = first.labels, first.targets
        self.output = SOFTMAX if first.output == ONE_VS_REST else first.output
        super().__post_init__()

    @classmethod
    def of(cls, members: Sequence[Member]) -> Self:
        """An ensemble that reads the same rows, by the same names, as its first member.

        Its `training` has the options that all members have in common.
        """
        first, shared = members[0], ("features", "columns", "target", "threshold")
        training = shared_options(members)
        return cls(members=list(members), training=training, **{name: getattr(first, name) for name in shared})

    def __repr__(self) -> str:
        return f"Ensemble({len(self.members):,} models of {inputs(self.n_features)}, {predicted(self)})"

    _repr_html_ = ensemble_html

    @property
    def n_features(self) -> int:
        return self.members[0].n_features

    @property
    def _n_numbers(self) -> int:
        return self.members[0].n_outputs

    @property
    def _layers(self) -> list[tuple[np.ndarray, np.ndarray, str]]:
        raise ValueError("an ensemble has no layers of its own: convert each of its members")

    def _logits(self, blocks: Iterator[tuple[np.ndarray, np.ndarray]], n_rows: int) -> None:
        for X, out in blocks:
            sums = np.empty(out.shape)
            others = np.empty(out.shape) if self.output == SIGMOID else None
            for k, member in enumerate(self.members):
                member._logits(iter([(X, sums)]), n_rows)
                self._add(k, sums, member.output, out, others)
            if others is not None:
                out -= others
            elif self.output in (LINEAR, MARGIN):
                out /= len(self.members)
            else:
                out -= np.log(len(self.members))

    def _add(self, k: int, sums: np.ndarray, output: str, out: np.ndarray, others: np.ndarray | None) -> None:
        """Add what the k-th member says: as it is, or the exponentials of logs.

        For two labels, `out` takes the logs of the second one's probability, and `others` those of the first one's, so
        that no digits are lost near 0 and near 1.
        """
        if self.output in (LINEAR, MARGIN):
            out[...] = sums if k == 0 else out + sums
            return
        with np.errstate(all="ignore"):  # sums may be infinite
            if output == ONE_VS_REST:
                sums = np.log(probabilities(sums, output))
            elif output == SOFTMAX:
                sums = sums - vectorized.log_total(sums, 0, sums.shape[1])[:, np.newaxis]
            elif others is not None:
                first = -np.logaddexp(0.0, sums)
                others[...] = first if k == 0 else np.logaddexp(others, first)
                sums = -np.logaddexp(0.0, -sums)
            out[...] = sums if k == 0 else np.logaddexp(out, sums)

    def _fields(self) -> dict[str, Any]:
        return {"kind": "ensemble", "members": member_fields(self.members)}

    @classmethod
    def _from_fields(cls, found: dict[str, Any], common: dict[str, Any]) -> "Ensemble":
        labels, output = common.pop("labels"), common.pop("output")
        places = np.arange(len(labels))  # in place of labels, of which each member would make a copy
        shared = {"labels": places, "targets": common.pop("targets")}
        model = cls(members=read_members(found["members"], shared, KINDS), **common)
        if model.output != check_output(output, len(labels)):
            raise ValueError(f"field 'output' is {output!r}, and that of the members {model.output!r}")
        for part in (model, *model.members):
            part.labels = labels
        return model


def _check_goes_with(i: int, member: Model, first: Model) -> None:
    """ValueError if the i-th member does not answer the same question as the first."""
    same_labels = member.labels.dtype == first.labels.dtype and np.array_equal(member.labels, first.labels)
    for what, same in (
        (f"{member.n_features} inputs", member.n_features == first.n_features),
        ("other names of inputs", None in (member.features, first.features) or member.features == first.features),
        (f"the labels {member.labels.tolist()}"[:200], same_labels),
        (f"the output {member.output!r}", member.output == first.output),
        (f"{member.n_outputs} outputs", member.n_outputs == first.n_outputs),
    ):
        if not same:
            raise ValueError(
                f"members[{i}] has {what}, but members[0] does not: in an ensemble all models must have the same"
            )
