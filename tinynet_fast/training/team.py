"""The threads of `rows/team.py`, where trainers look for them."""

from tinynet_fast.rows.team import Team, cores

__all__ = ["Team", "cores"]
