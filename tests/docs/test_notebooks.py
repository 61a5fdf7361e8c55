"""The notebooks that pages offer for download: they run, and give the numbers that their pages state."""

import re

import pytest

NOTEBOOKS = {  # what is printed, and what a table shows
    "from-the-loop": [
        "new weight 0.2605",
        "new probability 0.7469",
        "weight 4.301869, bias -10.508012",
        "squared error 1.0155 at first, 0.0291 after 900 epochs",
        "by hand 4.3018685464211535 -10.50801155978499\nstrict  4.3018685464211535 -10.50801155978499",
        "Neuron(1 input, labels 0 and 1, engine fast)",
        "PassFail(1,000,000 rows of 2 inputs)",
        "weights 0.958146 and 0.261254, bias 0.275848",
        "tinynet_fast",
        "20 models, 10 epochs",
        "the model is right for 68.8% of 1,000,000 rows",
    ],
    "your-own-table": [
        "study_hours,sleep,attendance,school,tutoring,result",
        "<strong>77</strong> are predicted correctly",
        "0.4964",
        "0.678 to 0.842",
        "weight times deviation",
        "pass: P(pass) = 0.8509",
        "0.5 pass fail pass pass fail pass fail fail pass fail",
        "0.8 pass fail fail pass fail fail fail fail pass fail",
        "<strong>0.9286</strong>",
    ],
}


def outputs(notebook):
    """The texts and the HTML below the cells."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found.append(output.get("text", "") + data.get("text/plain", "") + data.get("text/html", ""))
    return "\n".join(found)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_gives_the_numbers_of_its_page(name, built, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="the docs group (nbformat) is not installed")
    nbclient = pytest.importorskip("nbclient", reason="the docs group (nbclient) is not installed")
    page = built / "notebooks" / f"{name}.html"
    assert f'href="{name}.ipynb"' in page.read_text(encoding="utf-8")
    notebook = nbformat.read(page.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) > 15
    assert "Download" not in "".join(cell.source for cell in notebook.cells)
    for stated in NOTEBOOKS[name]:
        assert stated in outputs(notebook)  # as the page shows it
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for stated in NOTEBOOKS[name]:
        assert stated in outputs(notebook)
    if name == "from-the-loop":
        ratio = re.search(r"tinynet_fast +[\d,]+ rows a second, +([\d.]+) times", outputs(notebook))
        assert float(ratio[1]) > 5.0


def test_progress_is_one_line_of_a_real_notebook():
    nbformat = pytest.importorskip("nbformat", reason="the docs group (nbformat) is not installed")
    nbclient = pytest.importorskip("nbclient", reason="the docs group (nbclient) is not installed")
    code = [
        "from tinynet_fast import train_neuron\nfrom tinynet_fast.datasets import make_pass_fail",
        "rows = make_pass_fail(1000, 2)\nprint('before')",
        "result = train_neuron(rows.X, rows.y, epochs=50, shuffle=True, seed=1, progress=True)\nprint('after')",
        "result",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(part) for part in code])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    line, after = notebook.cells[2].outputs
    assert line.output_type == "display_data"
    assert line.data["text/plain"].startswith("epoch 50/50, ")
    assert after.text == "after\n"
    (shown,) = notebook.cells[3].outputs
    assert shown.data["text/html"].startswith('<div class="tinynet">')
    assert shown.data["text/plain"].startswith("TrainingResult(Neuron(2 inputs, ")
