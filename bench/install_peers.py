"""Install the peers of the dependency group `bench` into this environment. Those that do not install are left out."""

import subprocess
import sys
import tomllib
from pathlib import Path


def main():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    for peer in project["dependency-groups"]["bench"]:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", peer]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            print(f"{peer}: cannot be installed here; the benchmarks leave it out")


if __name__ == "__main__":
    main()
