"""Training on rows that lie in shards: what a worker does with its shard, and how several states become one.

`tinynet_fast.dask` and `tinynet_fast.spark` send this work to a cluster. It needs none itself.
"""

from tinynet_fast.cluster.fit import fit_shard
from tinynet_fast.cluster.state import State, merge

__all__ = ["State", "fit_shard", "merge"]
