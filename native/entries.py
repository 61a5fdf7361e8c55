"""Print the library's table of entries as C text: `python native/entries.py > entries.h`.

With --objects LEVEL... it prints the names of the object files that `compile.py` writes for these levels.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tinynet_fast.kernels.compiler.signatures import numbered


def table():
    return "".join(f'"{number} {name} {words}\\n"\n' for number, name, words in numbered(""))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--objects"]:
        from compile import object_files

        print(";".join(object_files(sys.argv[2:])))
    else:
        print(table(), end="")
