"""Print the library's table of entries as C text: `python native/entries.py > entries.h`.

With --modules it prints the names of the modules that have entries, those with the most first: they take the longest
to compile.
"""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tinynet_fast.kernels.compiler.signatures import numbered

if sys.argv[1:] == ["--modules"]:
    print(";".join(m for m, _ in Counter(name.rpartition(".")[0] for _, name, _ in numbered("")).most_common()))
else:
    print("".join(f'"{number} {name} {words}\\n"\n' for number, name, words in numbered("")), end="")
