"""Runs killed with SIGKILL at any moment: what is on the disk is whole, and the run goes on to the same bits."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from mutations import count

CHILD = Path(__file__).parent / "kills_child.py"
FAULTS = {"hung", "changed", "rights", "damaged", "foreign", "went back", "lost", "left over", "refused", "wrong"}
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")


@cache
def run(*arguments):
    done = subprocess.run([sys.executable, "-W", "ignore", CHILD, *map(str, arguments)], capture_output=True, text=True)
    assert done.stdout, done.stderr[-3000:]
    return json.loads(done.stdout), done.stderr


def test_kills():
    kills = count(34, 1000)
    seen, said = run(kills)
    print(seen)
    told = seen["told"]
    assert FAULTS & told.keys() == set(), (seen, said[-3000:])
    killed = {where: n for where, n in told.items() if where.startswith("killed")}
    assert sum(killed.values()) == kills == sum(seen["jobs"].values())
    assert kills // 2 - 17 <= killed["killed: while running"] <= kills // 2 + 17  # of 17 jobs
    assert len(killed) > count(6, 13)
    assert told["runs"] >= len(seen["jobs"])


@pytest.mark.parametrize(
    ("mistake", "fault"), [("in place", "damaged"), ("left over", "left over"), ("bits", "foreign"), ("bits", "wrong")]
)
def test_a_planted_mistake_is_seen(mistake, fault):
    seen, _ = run(12, "network", "--mistake", mistake)
    assert fault in seen["told"]
