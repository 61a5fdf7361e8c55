"""From a table with texts and gaps to a model, a report and predictions. Put your own file in place of the sample."""

import tempfile
from pathlib import Path

from tinynet_fast import load, train
from tinynet_fast.datasets import write_sample

folder = Path(tempfile.mkdtemp())
write_sample(folder / "students.csv")

result = train(folder / "students.csv", "result")
print(result)

result.model.save(folder / "students.model.json")
model = load(folder / "students.model.json")
rows = [
    {"study_hours": 4, "sleep": 7, "attendance": "75%", "school": "East", "tutoring": "no"},
    {"study_hours": 14, "sleep": None, "attendance": "95%", "school": "a new school", "tutoring": "yes"},
]
for row, probability in zip(rows, model.predict_proba(rows), strict=True):
    print(f"{row['study_hours']} hours: P(pass) = {probability:.2f}")
