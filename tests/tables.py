"""CSV files that tests write, and tables that they read back."""

import csv
import io
from pathlib import Path


def write(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return Path(path)


def read(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
