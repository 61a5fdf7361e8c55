"""The command line: what each command prints and writes, without times. Each runs in its own process."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

from bits.streams import written

TREE = os.environ.get("PYTHONPATH", "")
# Like `python -m tinynet_fast`, but the tree of an editable installation does not come first.
START = (
    "import importlib.machinery, runpy, sys; sys.meta_path.insert(0, importlib.machinery.PathFinder); "
    "sys.argv[0] = 'tinynet-fast'; runpy.run_module('tinynet_fast', run_name='__main__')"
)
SECONDS = re.compile(r"\d[\d.]* ?m?s\b")
ROWS = "rows-700.csv --target label"
COMMANDS = [
    f"train {ROWS} --epochs 5 --model model.json",
    f"train {ROWS} --epochs 5 --no-standardize --no-shuffle --validation 0 --engine strict --model model.json",
    f"train {ROWS} --epochs 5 --stream --shuffle --model model.json",
    f"train {ROWS} --learning-rate auto --epochs 3 --l2 0.01 --model model.json",
    f"train {ROWS} --hidden 6,3 --epochs 9 --batch-size 20 --activation tanh --optimizer adam --model model.json",
    f"train {ROWS} --hidden 5 --epochs 9 --momentum 0.9 --dropout 0.2 --schedule cosine --seed 3 --model model.json",
    f"train {ROWS} --labels yes,no --epochs 30 --patience 2 --learning-rate 1 --model model.json",
    "train rows-700-gaps.csv --target label --drop-missing --epochs 4 --model model.json",
    "train rows-700.parquet --target label --features a,c --epochs 4 --model model.json",
    "train rows-700.npy --target 4 --epochs 4 --checkpoint run.json --model model.json",
    "predict kept.json rows-700.csv",
    "predict kept.json rows-700.csv --threshold 0.4 --output out.csv",
    "predict kept.json a=1 b=2 c=-0.5 d=0",
    f"threshold kept.json {ROWS} --compare 0.3,0.5",
    f"lab {ROWS} --learning-rate 0.01,0.1,1 --l2 0,0.01 --epochs 4 --folds 3",
    "trace",
    "trace --network --json",
    f"trace kept.json {ROWS} --row 3",
    "validate --json",
    "train absent.csv --target label",
    "train rows-700.csv --target absent",
    "predict absent.json a=1",
]


def run(command):
    """Run a command. Returns its exit status, both outputs, and the files that it wrote."""
    for kind, gaps in (("csv", False), ("csv", True), ("parquet", False), ("npy", False)):
        written(kind, 700, gaps)
    if not Path("kept.json").exists():
        start(f"train {ROWS} --epochs 8 --quiet --model kept.json")
    outputs = [Path("model.json"), Path("out.csv")]
    for path in [*outputs, Path("run.json")]:
        path.unlink(missing_ok=True)
    done = start(command)
    found = {"status": done.returncode, "printed": SECONDS.sub("... s", done.stdout), "stderr": plain(done.stderr)}
    return found | {path.name: path.read_text(encoding="utf-8") for path in outputs if path.exists()}


def start(command):
    own = {"COLUMNS": "120", "PYTHONPATH": TREE}
    line = [sys.executable, "-c", START, *command.split()]
    return subprocess.run(line, capture_output=True, text=True, env=os.environ | own, check=False)


def plain(text):
    """Remove the lines of progress, which depend on the time."""
    return "\n".join(line for line in text.splitlines() if "epoch" not in line)


def problems():
    for command in COMMANDS:
        yield f"command line/{command.split()[0]}/{command.partition(' ')[2]}", partial(run, command)
