"""Tables to try the package with: those of the tutorials, a sample of students, and made-up rows of any size.

Nothing is read from a network. The tutorials' tables are small and come as arrays; `write_sample` writes a CSV file.

Examples
--------
>>> from tinynet_fast import train_neuron
>>> from tinynet_fast.datasets import study_hours
>>> X, y, names = study_hours()
>>> names, X.shape
(['study_hours'], (4, 1))
>>> train_neuron(X, y, epochs=1000).model.predict([1.5, 3.5]).tolist()
[0, 1]
"""

from tinynet_fast.rows.datasets import (
    PassFail,
    Table,
    exam_scores,
    height_weight,
    make_pass_fail,
    pass_fail_blocks,
    quiz_and_attendance,
    study_and_sleep,
    study_hours,
)
from tinynet_fast.tables.sample import write_sample

__all__ = [
    "PassFail",
    "Table",
    "exam_scores",
    "height_weight",
    "make_pass_fail",
    "pass_fail_blocks",
    "quiz_and_attendance",
    "study_and_sleep",
    "study_hours",
    "write_sample",
]
