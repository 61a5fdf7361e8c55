"""C's table of the library's entries: `python native/entries.py > entries.h`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tinynet_fast.kernels.signatures import numbered

print("".join(f'"{number} {name} {words}\\n"\n' for number, name, words in numbered("")), end="")
