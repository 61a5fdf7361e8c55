"""A model of several labels that has a network for each label, and how a file's members are read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tinynet_fast.models.base import Model
from tinynet_fast.models.fields import check_training
from tinynet_fast.models.mlp import MLP
from tinynet_fast.models.outputs import MARGIN, NUMBERS, ONE_VS_REST
from tinynet_fast.models.view import ensemble_html, inputs, predicted

KIND = "one_vs_rest"  # the field "kind" of a model file


@dataclass(kw_only=True, eq=False, repr=False)
class OneVsRest(Model):
    """A network for each label, which was trained to tell the rows of its label from all others.

    The probability of a label is its network's, divided by the sum of all (Zadrozny and Elkan, KDD 2002, as in
    scikit-learn). `decision_function` returns the sum of each network's output. (After loss="hinge" the sums are
    margins, and the largest decides.)

    Parameters
    ----------
    members : list of MLP
        The network of each label, in the order of `labels`: each tells two labels apart, of which the second is its
        own. All have the same inputs and the same kind of output.
    labels : (n_labels,) array
        More than two.

    Raises
    ------
    ValueError
        If there is not one network for each label, or if a network does not go with the others; the message says which
        one and why.

    Examples
    --------
    >>> from tinynet_fast import sweep_mlp
    >>> X, y = [[0.0], [1.0], [5.0], [6.0], [10.0], [11.0]], ["low", "low", "middle", "middle", "high", "high"]
    >>> options = {"output": "one_vs_rest", "standardize": True, "learning_rate": 1.0, "epochs": 2000, "seed": 1}
    >>> model = sweep_mlp(X, y, hidden=(3,), **options).best_model
    >>> model, model.predict([0.5, 5.5, 10.5]).tolist()
    (OneVsRest(3 networks of 1 input, 3 labels: high, low, middle, engine fast), ['low', 'middle', 'high'])
    """

    members: list[MLP]

    def __post_init__(self) -> None:
        given = list(self.members) if isinstance(self.members, (list, tuple)) else []
        if not given or not all(isinstance(member, MLP) for member in given):
            raise ValueError("members is a list of networks, one for each label")
        self.members, first = given, given[0]
        for i, member in enumerate(given):
            if len(member.labels) != 2:
                raise ValueError(f"members[{i}] is not for two labels: a network tells its own label from all others")
            if member.n_features != first.n_features or member.output != first.output:
                raise ValueError(
                    f"members[{i}] has {inputs(member.n_features)} and the output {member.output!r}, and members[0] "
                    f"{inputs(first.n_features)} and {first.output!r}: they must be the same"
                )
        self.output = MARGIN if first.output == MARGIN else ONE_VS_REST
        super().__post_init__()
        if len(self.labels) != len(given):
            raise ValueError(
                f"there are {len(given)} members and {len(self.labels)} labels: each label needs a network"
            )

    @classmethod
    def of(cls, members: Sequence[MLP], labels: Any) -> Self:
        """The model with these members, which has the names of their inputs and the options that they share."""
        training = shared_options(members)
        return cls(members=list(members), labels=labels, features=members[0].features, training=training)

    def __repr__(self) -> str:
        return f"OneVsRest({len(self.members):,} networks of {inputs(self.n_features)}, {predicted(self)})"

    _repr_html_ = ensemble_html

    @property
    def n_features(self) -> int:
        return self.members[0].n_features

    @property
    def _layers(self) -> list[tuple[np.ndarray, np.ndarray, str]]:
        raise ValueError("a network for each label has no layers of its own: convert each of its members")

    def _logits(self, blocks: Iterator[tuple[np.ndarray, np.ndarray]], n_rows: int) -> None:
        for X, out in blocks:
            sums = np.empty((len(out), 1))
            for k, member in enumerate(self.members):
                member._logits(iter([(X, sums)]), n_rows)
                out[:, k] = sums[:, 0]

    def _fields(self) -> dict[str, Any]:
        return {"kind": KIND, "members": member_fields(self.members)}

    @classmethod
    def _from_fields(cls, found: dict[str, Any], common: dict[str, Any]) -> "OneVsRest":
        output, two = common.pop("output"), {"labels": np.arange(2), "targets": None}
        model = cls(members=read_members(found["members"], two, {"mlp": MLP}), **common)
        if model.output != output:
            raise ValueError(f"field 'output' is {output!r}, and the members' is {model.members[0].output!r}")
        return model


def shared_options(members: Sequence[Any]) -> dict[str, Any]:
    """The entries of `training` that all members have in common."""
    known = [member.training for member in members]
    return {k: value for k, value in known[0].items() if all(k in each and each[k] == value for each in known)}


def member_fields(members: Any) -> list[dict[str, Any]]:
    """What a model file holds of the members of a model."""
    return [member._fields() | {"output": member.output, "training": member.training} for member in members]


def read_members(found: Any, shared: dict[str, Any], kinds: Mapping[str, Any]) -> list[Any]:
    """The members in a model file, of these kinds; ValueError that says which one is wrong.

    `shared` has what all of them have in common.
    """
    if not isinstance(found, list):
        raise ValueError("field 'members' is not a list of models")
    return [_member(i, each, shared, kinds) for i, each in enumerate(found)]


def _member(i: int, found: Any, shared: dict[str, Any], kinds: Mapping[str, Any]) -> Any:
    if not isinstance(found, dict) or found.get("kind") not in tuple(kinds):
        raise ValueError(f"members[{i}] is not a neuron or a network")
    if not isinstance(found.get("output"), str):
        raise ValueError(f"members[{i}]: field 'output' is no text")
    if (found["output"] in NUMBERS) != (len(shared["labels"]) == 0):
        raise ValueError(f"members[{i}]: field 'output' is {found['output']!r}, which does not go with the labels")
    try:
        own = {"training": check_training(found["training"], len(shared["labels"])), "output": found["output"]}
        return kinds[found["kind"]]._from_fields(found, shared | own)
    except KeyError as error:
        raise ValueError(f"members[{i}]: field {error} is missing") from None
    except ValueError as error:
        raise ValueError(f"members[{i}]: {error}") from None
