"""A damaged checkpoint is refused by one clear error, or leads to the run's own weights: nothing else, and no crash."""

import base64
import json
import random
from functools import cache

import numpy as np
import pytest
from mutations import count, damage_bytes, damage_value
from outcomes import Costs, learned

pa = pytest.importorskip("pyarrow", reason="pyarrow reads the files")
import pyarrow.parquet as pq  # noqa: E402

from tinynet_fast import sweep, train_mlp, train_neuron  # noqa: E402
from tinynet_fast.rows.datasets import make_pass_fail  # noqa: E402
from tinynet_fast.training.checkpoints import Checkpoint, _checksum  # noqa: E402

ROWS = make_pass_fail(300, 3)
Y = ROWS.y.astype(np.int64)
NAMES = ["a", "b", "c"]
THREE = np.digitize(ROWS.X[:, 0], [-0.5, 0.5])
LONGEST_MESSAGE = 500


def sparse_rows():
    return pytest.importorskip("scipy.sparse").csr_matrix(np.where(np.abs(ROWS.X) > 0.5, ROWS.X, 0.0))


def neuron(folder, **options):
    return train_neuron(ROWS.X, Y, learning_rate=0.05, **options)


def averaged(folder, **options):
    return train_neuron(
        ROWS.X,
        Y,
        learning_rate=0.05,
        average=True,
        l2=1e-4,
        shuffle=True,
        seed=1,
        validation=0.2,
        patience=2,
        **options,
    )


def cosine(folder, **options):
    return train_neuron(ROWS.X, Y, learning_rate=0.05, schedule="cosine", engine="strict", l1=1e-4, **options)


def sparse(folder, **options):
    return train_neuron(sparse_rows(), Y, learning_rate=0.05, l2=1e-3, l1=1e-4, average=True, **options)


def stream(folder, **options):
    return train_neuron(folder / "rows.npy", -1, standardize=True, validation=0.3, seed=1, **options)


def csv(folder, **options):
    return train_neuron(folder / "rows.csv", "y", shuffle="blocks", learning_rate=0.05, seed=1, **options)


def parquet(folder, **options):
    path = folder / "rows.parquet"
    return train_mlp(path, "y", hidden=(4,), batch_size=32, schedule="cosine", seed=0, drop_missing=True, **options)


def narrow(folder, **options):
    return train_mlp(ROWS.X[:, :2], Y, hidden=(4,), seed=0, **options)


def adam(folder, **options):
    return train_mlp(
        ROWS.X, Y, hidden=(6, 5), batch_size=70, optimizer="adam", learning_rate=1e-2, dropout=0.1, seed=0, **options
    )


def softmax(folder, **options):
    return train_mlp(ROWS.X, THREE, hidden=(5,), batch_size=64, momentum=0.9, shuffle=True, seed=0, **options)


def write_files(folder):
    """The rows as files; a row of the Parquet file has a missing value."""
    np.save(folder / "rows.npy", np.column_stack([ROWS.X, Y]))
    header = ",".join([*NAMES, "y"])
    np.savetxt(
        folder / "rows.csv", np.column_stack([ROWS.X, Y]), delimiter=",", header=header, comments="", fmt="%.17g"
    )
    columns = dict(zip(NAMES, ROWS.X.T, strict=True)) | {"y": Y}
    columns["a"] = [None, *columns["a"][1:].tolist()]
    pq.write_table(pa.table(columns), folder / "rows.parquet", row_group_size=100)


NETWORKS = {run.__name__: run for run in (parquet, narrow, adam, softmax)}
RUNS = {run.__name__: run for run in (neuron, averaged, cosine, sparse, stream, csv)} | NETWORKS


@pytest.fixture(autouse=True, scope="module")
def small_chunks():
    """Files are read in many chunks, so that checkpoints are written between them."""
    from tinynet_fast.rows.formats import base

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "CHUNK_BYTES", 64 * 8 * 4)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A function that gives, by a run's name, its folder, all its checkpoints and what it learns: trained once."""
    write = Checkpoint.write

    @cache
    def trained(name):
        folder, seen = tmp_path_factory.mktemp(name), []
        write_files(folder)

        def keep(self, *arguments, **options):
            write(self, *arguments, **options)
            seen.append((folder / "c.json").read_bytes())

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Checkpoint, "write", keep)
            result = RUNS[name](folder, epochs=4, checkpoint=folder / "c.json", checkpoint_seconds=0)
        return folder, seen, learned(result)

    return trained


@pytest.fixture(params=RUNS)
def run(request, trained):
    """A run, its checkpoints at the start, in the middle and late, and what it learns."""
    folder, seen, whole = trained(request.param)
    path = folder / "c.json"

    def go_on(content):
        path.write_bytes(content)
        return learned(RUNS[request.param](folder, epochs=4, checkpoint=path, checkpoint_seconds=1e9))

    return go_on, [seen[0], seen[len(seen) // 2], seen[-2]], whole


def outcome(go_on, content):
    """What came of a checkpoint: the weights, or None if it was refused by a clear error."""
    try:
        return go_on(content)
    except ValueError as error:  # ModelFileError is one; so is the error that names other options or rows
        message = str(error)
    assert len(message) < LONGEST_MESSAGE, message
    assert "c.json: " in message
    return None


def test_bytes(run):
    """Whatever is changed is refused, if it is not put right by being read: the checksum sees every bit."""
    go_on, checkpoints, whole = run
    draw, costs, refused = random.Random(1), Costs(), 0
    for k in range(count(60, 8_000)):
        with costs.of_one():
            comp = outcome(go_on, damage_bytes(draw, checkpoints[k % len(checkpoints)]))
        refused += comp is None
        if comp is not None:
            np.testing.assert_array_equal(comp, whole)
    costs.check(f"bytes of checkpoints, {refused:,} refused")
    assert refused > 0.9 * count(60, 8_000)


def test_every_bit_of_the_state(run):
    go_on, (_, middle, _), _ = run
    draw, start = random.Random(2), middle.index(b'"state"')
    for _ in range(count(40, 4_000)):
        data = bytearray(middle)
        at = draw.randrange(start, len(data))
        while chr(data[at]).isspace():
            at = draw.randrange(start, len(data))
        data[at] ^= 1 << draw.randrange(7)
        comp = outcome(go_on, bytes(data))
        assert comp is None or json.loads(data) == json.loads(middle)  # 0.10000000000000001 is 0.1


def test_values_with_a_right_checksum(run):
    """Somebody changed a value and the checksum with it: what cannot be is refused, and no kernel is harmed."""
    go_on, checkpoints, _ = run
    draw, costs, refused = random.Random(3), Costs(), 0
    for k in range(count(150, 12_000)):
        content = json.loads(checkpoints[k % len(checkpoints)])
        del content["checksum"]
        damaged = damage_value(draw, content)
        if isinstance(damaged, dict):
            try:
                damaged["checksum"] = _checksum(damaged)
            except ValueError:  # NaN or infinity, which JSON has no word for
                damaged["checksum"] = ""
        with costs.of_one():
            comp = outcome(go_on, json.dumps(damaged).encode("utf-8", "surrogatepass"))
        refused += comp is None
        assert comp is None or np.isfinite(comp).all()
    costs.check(f"values of checkpoints, {refused:,} refused")


def sized(values):
    return {"float64": base64.b64encode(np.asarray(values, "<f8").tobytes()).decode()}


ARRAYS = {
    "cut in half": lambda a: a[: len(a) // 2],
    "one less": lambda a: a[:-1],
    "one more": lambda a: np.append(a, 1.0),
    "none": lambda a: a[:0],
    "twice": lambda a: np.tile(a, 2),
    "NaN": lambda a: np.append(np.nan, a[1:]),
    "infinite": lambda a: np.append(a[:-1], np.inf),
}
COUNTS = {
    "last 1e9": lambda a: np.append(a[:-1], 1e9),
    "last negative": lambda a: np.append(a[:-1], -1.0),
    "last a half": lambda a: np.append(a[:-1], a[-1] + 0.5),
}
WAITING = {  # rows of a network's batch that is not yet full, and their weight
    "1e9": lambda a: np.array([1e9, a[1]]),
    "negative": lambda a: np.array([-1.0, a[1]]),
    "weight negative": lambda a: np.array([a[0], -1.0]),
}


@pytest.mark.parametrize("change", ARRAYS)
def test_parameters_that_are_not_this_runs(run, change):
    refused(run, ARRAYS[change])


@pytest.mark.parametrize("change", COUNTS)
def test_counts_that_are_not_this_runs(run, change):
    refused(run, COUNTS[change], {"row", "updates", "epochs", "position"})


@pytest.mark.parametrize("run", NETWORKS, indirect=True)
@pytest.mark.parametrize("change", WAITING)
def test_waiting_rows_that_are_not_this_runs(run, change):
    refused(run, WAITING[change], {"pending"})


def refused(run, change, names=None):
    """Checkpoints of which one array of these names (None: any) was changed, with a checksum that is right."""
    go_on, (_, middle, _), _ = run
    arrays = json.loads(middle)["state"]["trained"]["arrays"]
    tried = 0
    for name, packed in arrays.items():
        old = np.frombuffer(base64.b64decode(packed["float64"]), "<f8")
        new = sized(change(old)) if len(old) and (names is None or name in names) else packed
        if new == packed:
            continue
        content = json.loads(middle)
        del content["checksum"]
        content["state"]["trained"]["arrays"][name] = new
        content["checksum"] = _checksum(content)
        with pytest.raises(ValueError, match=r"c\.json: a damaged checkpoint: "):
            go_on(json.dumps(content).encode())
        tried += 1
    assert tried


@pytest.mark.parametrize(
    ("name", "value"),
    [("epoch", -1), ("epoch", 10**15), ("rows", -1), ("rows", 10**12), ("rows", 1.5), ("epoch", None), ("best", []),
     ("stopped_early", 1), ("seconds", -1.0), ("seconds", "x"), ("losses", 3), ("best_epoch", 10**6), ("total", None)],
)  # fmt: skip
def test_counters_out_of_range(run, name, value):
    go_on, (_, middle, _), _ = run
    content = json.loads(middle)
    del content["checksum"]
    content["state"][name] = value
    content["checksum"] = _checksum(content)
    with pytest.raises(ValueError, match=r"c\.json: a damaged checkpoint: "):
        go_on(json.dumps(content).encode())


@pytest.mark.parametrize(("place", "change"), [(0, 1), (0, -1), (1, 10**15), (2, 10**6)])
@pytest.mark.parametrize("run", ["stream", "csv", "parquet"], indirect=True)
def test_counted_rows_that_cannot_be(run, place, change):
    """A file's checkpoint says how many rows it has, how many were left out, and how many are trained on."""
    go_on, (_, middle, _), _ = run
    content = json.loads(middle)
    del content["checksum"]
    content["rows"][place] += change
    content["checksum"] = _checksum(content)
    with pytest.raises(ValueError, match=r"c\.json: a damaged checkpoint: "):
        go_on(json.dumps(content).encode())


def test_a_missing_field_is_one_clear_error(run):
    go_on, (_, middle, _), _ = run
    content = json.loads(middle)
    for holder in (content, content["state"]):
        for name in list(holder):
            if name == "written_by":
                continue
            kept = holder.pop(name)
            content.pop("checksum", None)
            if name != "checksum":
                content["checksum"] = _checksum(content)
            with pytest.raises(ValueError, match=r"c\.json: "):
                go_on(json.dumps(content).encode())
            holder[name] = kept


def test_sweeps_have_no_checkpoint():
    with pytest.raises(TypeError):
        sweep(ROWS.X, Y, learning_rate=[0.1], checkpoint="c.json")
