"""A table of students to try the package with. It is made up: drawn at random, from a rule that is known."""

import csv
import io
import os

import numpy as np

from tinynet_fast.models.files import atomic_file

N_ROWS = 500
SEED = 7
SCHOOLS = ("North", "East", "Harbour")
NAMES = ("study_hours", "sleep", "attendance", "school", "tutoring", "result")


def students() -> list[list[str]]:
    """The table's rows as texts, without the names.

    Hours a week of study, hours a night of sleep, attendance in percent, the school, whether there was tutoring, and
    the result. The log-odds of a pass are a sum over the columns. Some values are missing.
    """
    draw = np.random.RandomState(SEED)
    hours = np.clip(draw.normal(9.0, 4.0, N_ROWS), 0.0, None).round(1)
    sleep = draw.normal(7.2, 1.0, N_ROWS).round(1)
    attendance = np.clip(draw.normal(84.0, 10.0, N_ROWS), 30.0, 100.0).round().astype(int)
    school = draw.choice(3, N_ROWS, p=[0.45, 0.35, 0.2])
    tutoring = draw.uniform(size=N_ROWS) < 0.25
    log_odds = 0.35 * (hours - 9.0) + 0.5 * (sleep - 7.2) + 0.07 * (attendance - 84) + 0.9 * tutoring
    log_odds += np.array([0.5, -0.2, -0.9])[school] + 0.2
    passed = draw.uniform(size=N_ROWS) < 1.0 / (1.0 + np.exp(-log_odds))
    gone = draw.uniform(size=(N_ROWS, 5)) < np.array([0.0, 0.06, 0.03, 0.02, 0.0])
    rows = []
    for i in range(N_ROWS):
        cells = [f"{hours[i]:.1f}", f"{sleep[i]:.1f}", f"{attendance[i]}%", SCHOOLS[school[i]]]
        cells.append("yes" if tutoring[i] else "no")
        rows.append([("" if gone[i, j] else cell) for j, cell in enumerate(cells)] + ["pass" if passed[i] else "fail"])
    return rows


def write_sample(path: str | os.PathLike[str]) -> int:
    """Write a table of 500 students as a CSV file, to try the package with. The students are made up.

    The columns are `study_hours`, `sleep`, `attendance`, `school`, `tutoring` and `result`, which is pass or fail.
    Some values are missing. The file is the same each time.

    Parameters
    ----------
    path : str or path
        The file to write. If anything fails, an old file of this name stays as it was.

    Returns
    -------
    int
        How many rows the table has: 500.

    Examples
    --------
    >>> import os, tempfile
    >>> from tinynet_fast.datasets import write_sample
    >>> write_sample(os.path.join(tempfile.mkdtemp(), "students.csv"))
    500
    """
    rows, text = students(), io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([NAMES, *rows])
    with atomic_file(path) as file:
        file.write(text.getvalue())
    return len(rows)
