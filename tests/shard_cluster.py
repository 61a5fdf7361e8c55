"""A cluster without one: shards are arrays of this process, and what would travel is packed all the same."""

import pickle
from itertools import pairwise

import numpy as np

from tinynet_fast.shards.readers import ArrayReader, array_labels
from tinynet_fast.shards.state import pack, unpack
from tinynet_fast.shards.tasks import Share, work


def parameters(result):
    """Weights, bias and losses of a neuron or a network, flat."""
    model = result.model
    parts = [model.weights, [model.bias]] if hasattr(model, "bias") else [*model.weights, *model.biases]
    return np.concatenate([*map(np.ravel, parts), result.loss_history])


def same(comp, ref):
    """Bit for bit."""
    np.testing.assert_array_equal(parameters(comp), parameters(ref))


def travelled(task, blocks, share):
    return unpack(pack(work(pickle.loads(pickle.dumps(task)), blocks, share)))


class LocalShards:
    """Shards cut from arrays at `cuts`; `order` is the order in which they are worked on, whatever their order is."""

    names = None

    def __init__(self, X, y, cuts, order=None):
        edges = [0, *cuts, len(X)]
        self.parts = [(X[a:b], y[a:b]) for a, b in pairwise(edges)]
        self.n_features, self.order = X.shape[1], order
        self.dtype = "float32" if X.dtype == np.float32 else "float64"

    def labels(self, task):
        return [travelled(task, array_labels(Share(i), y), Share(i)) for i, (_, y) in enumerate(self.parts)]

    def each(self, task, shares):
        answers = {}
        for i in sorted(range(len(shares)), key=None if self.order is None else self.order):
            answers[i] = self.one(task, shares[i])
        return [answers[i] for i in range(len(shares))]

    def one(self, task, share):
        read = ArrayReader(self.n_features, self.dtype)
        return travelled(task, read(share, *self.parts[share.shard]), share)
