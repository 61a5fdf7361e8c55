"""Install the peers of the dependency group `bench` into this environment, as far as they can be."""

import subprocess
import sys
import tomllib
from pathlib import Path


def main():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    for peer in project["dependency-groups"]["bench"]:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", peer]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            print(f"{peer}: can't be installed here; the benchmarks leave it out")


if __name__ == "__main__":
    main()
