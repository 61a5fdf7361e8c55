"""What the columns of a person's table are, and how they become numbers: kept in the model's file."""

from tinynet_fast.columns.columns import Columns
from tinynet_fast.columns.target import Target

__all__ = ["Columns", "Target"]
