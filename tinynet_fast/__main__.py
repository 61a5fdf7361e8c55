"""`python -m tinynet_fast` is the command line."""

from tinynet_fast.cli import script

script()
