"""Labels that cannot be learned: measurements, unusual types, none at all; and starting weights of another network."""

import datetime
import decimal
import enum
import fractions
import re
import warnings

import numpy as np
import pytest
from shard_cluster import LocalShards
from tables import write

from tinynet_fast import TrainingWarning, auto_rate, sweep, train_mlp, train_neuron, validate
from tinynet_fast.cluster.train import network, neuron

RNG = np.random.default_rng(0)
A = RNG.normal(size=200)
X = np.c_[A, RNG.normal(size=200)]
Y = (A > 0) * 1
MEASURED = "look like measurements, and this learns classes.*np.digitize.*labels="


def blocks(X, y, size=50):
    return lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, len(X), size))


WAYS = {
    "memory": lambda X, y, **options: train_mlp(X, y, epochs=1, seed=0, **options),
    "stream": lambda X, y, **options: train_mlp(blocks(X, y), epochs=1, seed=0, **options),
    "chain": lambda X, y, **options: network(LocalShards(X, y, [50]), mode="chain", seed=0, **options),
    "average": lambda X, y, **options: network(LocalShards(X, y, [50]), seed=0, **options),
}


@pytest.mark.parametrize("way", WAYS)
def test_measurements_are_no_classes(way):
    train = WAYS[way]
    whole = np.arange(200)
    for y in (
        A,
        A.astype(np.float32),
        np.round(A, 1) + 0.05,
        whole,
        whole.astype(float),
        1000 - whole,
        whole % 100,
        whole.astype(str),
        (whole % 100).astype(str),
        A.astype(str),
    ):
        with pytest.raises(ValueError, match=MEASURED):
            train(X, y)
    with pytest.raises(
        ValueError, match=r"y holds 200 different numbers, not all of them whole, from -2\.398.* to 2\.0"
    ):
        train(X, A)


@pytest.mark.parametrize("way", WAYS)
def test_many_classes_are_learned(way):
    train, n = WAYS[way], len(X)
    many = np.tile(X, (5, 1))
    ids = np.arange(5 * n) % 100
    text = np.array([f"id {i}" for i in range(n)])
    few = np.arange(n) % 20 / 4  # ratings in quarters
    for rows, y, count in ((many, ids, 100), (many, ids.astype(float), 100), (X, text, n), (X, few, 20)):
        assert len(train(rows, y).model.labels) == count
    np.testing.assert_array_equal(train(X, A, labels=np.unique(A)).model.labels, np.unique(A))


def test_measurements_in_a_file(tmp_path, refused):
    path = write(tmp_path / "d.csv", ["a", "y"], [(repr(float(a)), repr(float(2 * a))) for a in A])
    with pytest.raises(ValueError, match=MEASURED):
        train_mlp(path, "y", epochs=1)
    assert "look like measurements" in refused("train", "d.csv", "--target", "y", "--output", "labels", "--epochs", "1")


def test_the_estimator_keeps_scikit_learns_rules():
    sk = pytest.importorskip("tinynet_fast.sklearn")
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        sk.MLPClassifier(max_iter=1).fit(X, A)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's own, where it has one
        assert len(sk.MLPClassifier(max_iter=1).fit(X, np.arange(200)).classes_) == 200


@pytest.mark.parametrize("train", [train_neuron, train_mlp])
def test_no_labels(train):
    pandas = pytest.importorskip("pandas")
    for rows in (X, X.tolist(), pandas.DataFrame({"a": A, "y": ["pass"] * 200})):
        with pytest.raises(ValueError, match="y is missing: pass a label for each row, or the name of the column"):
            train(rows)
    with pytest.raises(ValueError, match="validation y is missing"):
        train(X, Y, validation=(X, None))


def test_no_labels_elsewhere():
    for find in (sweep, auto_rate):
        with pytest.raises(ValueError, match="y is missing"):
            find(X, None)
    with pytest.raises(ValueError, match="X and y go together"):
        validate(X)


class Text(str, enum.Enum):  # noqa: UP042  # what was written before StrEnum, and its text is its name
    PASS = "pass"
    FAIL = "fail"


class Plain(enum.Enum):
    PASS = "PASS"
    FAIL = "FAIL"


def given(first, second):
    """Labels as a list, and as an array of objects."""
    labels = [second if label else first for label in Y.tolist()]
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return labels, array


def test_a_text_that_is_an_enum_is_its_value():
    """NumPy cuts "Text.PASS" and "Text.FAIL" to "Text", and all labels were one."""
    for labels in given(Text.FAIL, Text.PASS):
        ref = train_neuron(X, np.where(Y, "pass", "fail"))
        results = [
            train_neuron(X, labels),
            train_neuron(X, labels, labels=[Text.FAIL, Text.PASS]),
            train_neuron(lambda labels=labels: iter([(X, labels)]), epochs=ref.epochs),
        ]
        for result in results:
            assert result.model.labels.tolist() == ["fail", "pass"]
            np.testing.assert_array_equal(result.model.weights, ref.model.weights)
        assert results[0].model.score(X, labels) == ref.model.score(X, np.where(Y, "pass", "fail"))
    result = neuron(LocalShards(X, given(Text.FAIL, Text.PASS)[1], [50]))
    assert result.model.labels.tolist() == ["fail", "pass"]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (Plain.FAIL, Plain.PASS, "is <Plain.FAIL: 'FAIL'>, a Plain: .* so use label.name for each label"),
        (decimal.Decimal(0), decimal.Decimal(1), r"is Decimal\('0'\), a Decimal: .* so use float\(label\)"),
        (fractions.Fraction(0), fractions.Fraction(1), r"a Fraction: .* so use float\(label\)"),
        (datetime.date(2020, 1, 1), datetime.date(2021, 1, 1), r"a date: .* so use str\(label\)"),
        (datetime.datetime(2020, 1, 1), datetime.datetime(2021, 1, 1), r"a datetime: .* so use str\(label\)"),
        (None, 1, "is missing: (drop the row or fill the label first|fill it or drop the row)"),
        (frozenset("a"), frozenset("b"), r"a frozenset: .* so use str\(label\)"),
        ("a", 1, "mixes labels of type int, str: use numbers, booleans or text throughout"),
        (b"a", b"b", r"a bytes: .* so use label\.decode|labels of type \|S1: convert them to"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_labels_of_unusual_types(first, second, message):
    y = Y.copy()
    y[0] = 0
    for labels in given(first, second):
        labels[0] = first
        for train in (train_neuron, train_mlp):
            with pytest.raises(ValueError, match=r"y(\[\d+\])? .*" + message):
                train(X, labels)
            with pytest.raises(ValueError, match=r"block 0(: y|, row \d+, the label)(\[\d+\])?.*" + message):
                train(lambda labels=labels: iter([(X, labels)]), epochs=1)
    with pytest.raises(ValueError, match=r"labels(\[0\])? .*" + message):
        train_neuron(X, Y, labels=[first, second])


def test_starting_weights_of_another_network():
    model = train_mlp(X, Y, hidden=(4,), epochs=1, seed=0).model
    message = "are those of a 2-4-1 network; X, hidden and y ask for {}: go on with the same inputs, hidden layers"
    for hidden, asked in (((8,), "2-8-1"), ((4, 4), "2-4-4-1")):
        for start in (
            {"weights": model.weights, "biases": model.biases},
            {"weights": model.weights},
            {"biases": model.biases},
        ):
            with pytest.raises(ValueError, match=f"{next(iter(start))} " + message.format(asked)):
                train_mlp(X, Y, hidden=hidden, epochs=1, **start)
    with pytest.raises(ValueError, match="weights " + message.format("1-4-1")):
        train_mlp(A, Y, hidden=(4,), epochs=1, weights=model.weights)
    with pytest.raises(ValueError, match="weights " + message.format("2-4-3")):
        train_mlp(X, np.arange(200) % 3, hidden=(4,), epochs=1, weights=model.weights)
    train_mlp(X, Y, hidden=(4,), epochs=1, weights=model.weights, biases=model.biases)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_warm_start_of_an_estimator_with_other_layers():
    """scikit-learn trains the layers that there are, without a word, and fails if it needs another number of them."""
    sk = pytest.importorskip("tinynet_fast.sklearn")
    fitted = sk.MLPClassifier(hidden_layer_sizes=(4,), max_iter=2, warm_start=True)
    fitted.fit(X, Y)
    for go_on in (fitted.fit, fitted.partial_fit):
        for hidden in ((8,), (4, 4), ()):
            fitted.set_params(hidden_layer_sizes=hidden)
            message = re.escape(f"hidden_layer_sizes={list(hidden)} does not fit")
            if len(hidden) == 1:
                with pytest.warns(TrainingWarning, match=message + r".* have \[4\] units: training goes on"):
                    go_on(X, Y)
            else:
                with pytest.raises(ValueError, match=message + r".* hidden layers have \[4\] units: give"):
                    go_on(X, Y)
        assert fitted.coefs_[0].shape == (2, 4)
    assert fitted.set_params(warm_start=False, hidden_layer_sizes=(8,)).fit(X, Y).coefs_[0].shape == (2, 8)


def test_large_whole_numbers_are_told_apart():
    first, second = 2**60, 2**60 + 1
    for labels in given(first, second):
        model = train_neuron(X, labels, epochs=5).model
        assert model.labels.tolist() == [first, second]
        assert type(model.predict(X).tolist()[0]) is int
        assert model.score(X, labels) > 0.9
    with pytest.raises(ValueError, match=r"^y holds numbers that a float64 cannot tell apart"):
        train_neuron(X, given(2**70, 2**70 + 1)[1])


def test_text_that_numpy_would_cut():
    for labels in given("a", "a\0"):
        with pytest.raises(ValueError, match=r"^y\[\d+\] is 'a\\x00', and NumPy drops zero characters at the end"):
            train_neuron(X, labels)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: (label for label in Y), r"y is a generator: pass list\(y\), with one label a row"),
        (lambda: map(int, Y), r"y is a map: pass list\(y\)"),
        (lambda: dict(enumerate(Y)), r"y is a dict: pass list\(y\.values\(\)\)"),
        (lambda: 3, "y is of type int: pass a list or an array with one label a row"),
        (lambda: [[0], [0, 1]] * 100, "y holds several values in a row: one label a row is needed"),
        (lambda: pytest.importorskip("scipy.sparse").csr_array(Y), r"pass y\.toarray\(\)"),
    ],
)
def test_what_is_no_list_of_labels(make, message):
    model = train_neuron(X, Y, epochs=1).model
    for use in (lambda y: train_neuron(X, y), lambda y: model.score(X, y)):
        with pytest.raises(ValueError, match="^.*" + message):
            use(make())
    with pytest.raises(ValueError, match="^block 0: .*" + message):
        train_neuron(lambda: iter([(X, make())]), epochs=1)


def test_text_of_numpys_own_type():
    text = np.where(Y, "pass", "fail")
    labels = text.astype(np.dtypes.StringDType())
    ref = train_neuron(X, text, epochs=5).model
    for comp in (train_neuron(X, labels, epochs=5), train_neuron(lambda: iter([(X, labels)]), epochs=5)):
        assert comp.model.labels.tolist() == ["fail", "pass"]
        np.testing.assert_array_equal(comp.model.weights, ref.weights)
    assert ref.score(X, labels) == ref.score(X, text)


def test_text_that_numpy_would_cut_in_a_file(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"a": A, "y": ["a\0" if label else "a" for label in Y]}), tmp_path / "d.parquet")
    with pytest.raises(ValueError, match=r"the label 'a\\x00': NumPy drops zero characters at the end"):
        train_neuron(tmp_path / "d.parquet", "y", epochs=1)


def test_a_third_label_in_the_first_row_alone():
    """Neither the lowest nor the highest label, so it is found by looking at the rows."""
    y = np.array([1, 0, 2, 0, 2, 2])
    X = np.arange(6.0).reshape(-1, 1)
    with pytest.raises(ValueError, match=r"y\[0\] is 1, beside 0 and 2"):
        sweep(X, y)
    assert train_mlp(X, y, epochs=1, seed=0).model.labels.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"y\[0\] is 'b', beside 'a' and 'c'"):
        sweep(X, np.array(["b", "a", "c", "a", "c", "c"]))


def test_labels_of_csv_files_that_numpy_would_make_one(tmp_path):
    path = tmp_path / "d.csv"
    for content, message in [
        (b"a,t\n1,x\0\n2,x\n3,y\n", r"the label 'x\\x00': NumPy drops zero characters at the end"),
        (b"a,t\n1,18446744073709551616\n2,18446744073709551617\n", "18446744073709551617 are one number as float64"),
        (b"a,t\n1,9007199254740992\n2,9007199254740993\n3,5.0\n", "9007199254740993 are one number as float64"),
    ]:
        path.write_bytes(content)
        for train in (train_neuron, train_mlp):
            with pytest.raises(ValueError, match=f"d.csv, column 't': .*{message}"):
                train(path, "t", epochs=1)
    path.write_bytes(b"a,t\n1,1\n2,1.0\n3,5\n")  # one label, written in two ways
    assert train_neuron(path, "t", epochs=1).model.labels.tolist() == [1, 5]


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("ending", ["parquet", "arrow", "arrows"])
def test_decimals_that_a_float_cannot_tell_apart(tmp_path, small, ending, coded):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as pq
    from pyarrow import ipc

    from tinynet_fast.rows.formats import open_source

    def write(path, labels, digits=38, scale=0):
        column = pa.array([decimal.Decimal(label) for label in labels], pa.decimal128(digits, scale))
        rows = pa.table({"a": np.arange(len(labels)) / 8, "t": column.dictionary_encode() if coded else column})
        if ending == "parquet":
            pq.write_table(rows, path)
        else:
            with (ipc.new_file if ending == "arrow" else ipc.new_stream)(str(path), rows.schema) as writer:
                writer.write_table(rows)
        return path

    path = tmp_path / f"a.{ending}"
    message = rf"a\.{ending}, row \d+( or below)?, column 't': the labels {2**53} and {2**53 + 1} are decimals that a"
    for size in (1 << 20, 8 * 50):  # in one chunk, and in several
        small(size)
        with pytest.raises(ValueError, match=message):
            train_neuron(write(path, [2**53] * 100 + [2**53 + 1] * 100), "t")
    write(tmp_path / f"b.{ending}", [2**53] * 100)
    write(path, [2**53 + 1] * 100)
    with pytest.raises(ValueError, match=rf"b\.{ending}, row 1( or below)?, column 't': the labels {2**53 + 1} and"):
        train_neuron([path, tmp_path / f"b.{ending}"], "t")
    for labels, scale in (([2**53, 2**53 + 2], 0), (["0.1", "0.2"], 18), (["-1", "1"], 20), (["0", "-0.5"], 1)):
        write(path, labels * 20, scale=scale)
        found = np.concatenate([chunk.y for chunk in open_source(path, "t").chunks()])
        np.testing.assert_array_equal(found, np.array([float(label) for label in labels * 20]))


def test_decimals_in_the_row_that_is_named(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as pq

    labels = pa.array([None, *map(decimal.Decimal, [1, 2**53, 2, 2**53 + 1])], pa.decimal128(38, 0))
    pq.write_table(pa.table({"a": np.arange(5.0), "t": labels}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet, row 5, column 't': the labels"):
        train_neuron(tmp_path / "a.parquet", "t", drop_missing=True)
