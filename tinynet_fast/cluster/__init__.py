"""Training on rows that lie in shards: what a worker does with one, and how the states of several become one.

Nothing here knows of a cluster: `tinynet_fast.dask` and `tinynet_fast.spark` bring one each.
"""

from tinynet_fast.cluster.fit import fit_shard
from tinynet_fast.cluster.state import State, merge

__all__ = ["State", "fit_shard", "merge"]
