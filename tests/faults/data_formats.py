"""Small files of every format that training reads, and damage that fits a format: odd tokens in text, odd headers."""

import bz2
import gzip
import io
from functools import cache

import numpy as np
from mutations import damage_bytes

ROWS = 400
TOKENS = (
    '"', '""', '"\n', ",", ",,,,", "\t", "\n", "\n\n", "\r", "\r\n", "\0", "\ufeff", "\x1b[31m", "\x85", "\u2028", "é",
    "1e999", "-1e999", "1e-999", "0x1F", "1_000", "nan", "inf", "-Infinity", "NA", "None", "true", "False", "٣", "1,5",
    "9" * 400, "0" * 70_000, "x" * 5000, "1." + "0" * 3000, "'", "=cmd|' /C calc'!A0", "#", " ", ":", "-", "qid:3 ",
    "1:1:1", "300000000:1", "3000000000:1", "99999999999999999999:1", "-1:1", "0:1", "1:1 1:1", "2:1 1:1", "1:1e999",
    ":", "1:", ":1", "1" * 5000 + ":1",
)  # fmt: skip
BYTES = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xff\xfe", b"\x80" * 100)
VALUES = (
    "True", "-1", "0", "1", "2**63", "4611686018427387904", "9" * 30, "9" * 5000, "1e3", "None", "'x'", "()", "(3,)",
    "(True, 4)", "(-1, -1601)", "(4294967296, 4294967296)", "(1000000000000, 0)", "(0, 1000000000000)", "(1," * 40,
    "[400, 4]", "'<U268435455'", "'<U0'", "'|S0'", "'|V8'", "'|O'", "'<f2'", "'>f8'", "'<f16'", "'|b1'", "'<c16'",
    "'<M8[s]'", "'(1000000,)<f8'", "[('a', '<f8')]", "'" + "i" * 500 + "'", "(" * 500, "-" * 2000 + "1", "'\\d'", "10L",
)  # fmt: skip


def table(seed):
    """Inputs a, b and c, and text labels; in every third one, values are missing."""
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    a = rng.standard_normal(ROWS)
    label = pa.array(["pass" if value else "fail" for value in rng.integers(0, 2, ROWS)])
    label = label.dictionary_encode() if seed % 3 == 1 else label
    gaps = pa.array(a, mask=rng.random(ROWS) < 0.1) if seed % 3 == 2 else pa.array(a)
    inputs = {"a": gaps, "b": rng.standard_normal(ROWS).astype(np.float32), "c": rng.integers(0, 5, ROWS)}
    return pa.table(inputs).append_column("y", label)


def _text(delimiter, seed):
    lines = [delimiter.join(("a", "b", "c", "y"))]
    for row in zip(*table(seed).to_pydict().values(), strict=True):
        cells = ["" if cell is None else str(cell) for cell in row]
        if seed % 2:
            cells[-1] = f'"{cells[-1]}"'
        lines.append(delimiter.join(cells))
    return ("\r\n" if seed % 4 == 3 else "\n").join([*lines, ""]).encode()


def _zstd(data):
    import pyarrow as pa

    return pa.compress(data, codec="zstd", asbytes=True)


def _svmlight(seed):
    rng = np.random.default_rng(seed)
    lines = []
    for label, row in zip(rng.integers(0, 2, ROWS).tolist(), rng.standard_normal((ROWS, 6)).tolist(), strict=True):
        kept = [f"{j + seed % 2}:{value!r}" for j, value in enumerate(row) if rng.random() < 0.6]
        lines.append(" ".join([str(label), *kept]) + (" # note" if seed % 3 == 1 else ""))
    return ("\n".join(lines) + "\n").encode()


def _npy(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((ROWS, 3)), rng.integers(0, 2, ROWS)])
    X = X.astype([np.float64, np.float32, np.int16, ">f8"][seed % 4])
    file = io.BytesIO()
    np.save(file, np.asfortranarray(X) if seed % 3 == 1 else X)
    return file.getvalue()


def _parquet(seed):
    import pyarrow.parquet as pq

    file = io.BytesIO()
    options = {"use_dictionary": seed % 2 == 0, "data_page_version": ["1.0", "2.0"][seed % 2]}
    if seed % 4 == 1 and seed % 3 != 1:  # Arrow reads none of these as a dictionary
        options["column_encoding"] = {"a": "BYTE_STREAM_SPLIT", "c": "DELTA_BINARY_PACKED", "y": "DELTA_BYTE_ARRAY"}
    pq.write_table(
        table(seed), file, row_group_size=150, data_page_size=500,
        compression=["none", "snappy", "zstd", "gzip", "lz4", "brotli"][seed % 6], **options,
    )  # fmt: skip
    return file.getvalue()


def _arrow(seed, stream):
    from pyarrow import ipc

    rows, file = table(seed), io.BytesIO()
    options = ipc.IpcWriteOptions(compression=[None, "lz4", "zstd"][seed // 3 % 3])
    with (ipc.new_stream if stream else ipc.new_file)(file, rows.schema, options=options) as writer:
        writer.write_table(rows, max_chunksize=150)
    return file.getvalue()


ORIGINALS = 12  # of each format
FORMATS = {
    "csv": lambda seed: _text(",", seed),
    "tsv": lambda seed: _text("\t", seed),
    "csv.gz": lambda seed: gzip.compress(_text(",", seed), mtime=0),
    "csv.bz2": lambda seed: bz2.compress(_text(",", seed)),
    "csv.zst": lambda seed: _zstd(_text(",", seed)),
    "parquet": _parquet,
    "arrow": lambda seed: _arrow(seed, False),
    "feather": lambda seed: _arrow(seed, False),
    "arrows": lambda seed: _arrow(seed, True),
    "npy": _npy,
    "svm": _svmlight,
}  # fmt: skip


@cache
def original(kind, seed):
    """The bytes of an undamaged file, which many cases damage."""
    return FORMATS[kind](seed)


def in_memory(kind, seed):
    """The rows and labels of an undamaged file, without those that lack a value."""
    if kind == "npy":
        values = np.load(io.BytesIO(_npy(seed)))
        return values[:, :-1].astype(np.float32 if values.dtype == np.float32 else np.float64), values[:, -1]
    if kind == "svm":
        from sklearn.datasets import load_svmlight_file

        return load_svmlight_file(io.BytesIO(_svmlight(seed)))
    rows = table(seed)
    X = np.column_stack([rows[name].to_numpy() for name in ("a", "b", "c")])
    kept = ~np.isnan(X).any(axis=1)
    return X[kept], np.array(rows["y"].to_pylist())[kept]


PACKED = {
    "csv.gz": (gzip.decompress, lambda data: gzip.compress(data, 1, mtime=0)),
    "csv.bz2": (bz2.decompress, bz2.compress),
    "csv.zst": (None, _zstd),
}


def damaged(draw, kind, seed):
    """A file's bytes with some damage; half of the text files and of .npy headers are changed where it means most."""
    plain = f"{kind.partition('.')[0]}" if kind in PACKED else kind
    inside = plain in ("csv", "tsv", "svm", "npy") and draw.random() < 0.5
    if not inside:
        return damage_bytes(draw, original(kind, seed))
    content = original(plain, seed)
    content = _header(draw, content) if plain == "npy" else _tokens(draw, content)
    return PACKED[kind][1](content) if kind in PACKED else content


def _tokens(draw, content):
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(data)) if draw.random() < 0.7 else draw.randrange(40)
        token = draw.choice(BYTES) if draw.random() < 0.15 else draw.choice(TOKENS).encode()
        stop = at
        if draw.random() < 0.5:  # a whole cell gives way
            at = max(data.rfind(mark, 0, at) for mark in (b",", b"\t", b"\n", b" ", b":")) + 1
            stop = min(end for mark in (b",", b"\t", b"\n", b" ", b":") if (end := data.find(mark, at)) >= 0)
        data[at:stop] = token * draw.choice((1, 1, 1, 1, 3, 50))
    return bytes(data)


def _header(draw, content):
    """The header's dict with other values, of a length that is given rightly, or not."""
    length = int.from_bytes(content[8:10], "little")
    text = content[10 : 10 + length].decode().rstrip()
    for _ in range(draw.choice((1, 1, 2))):
        key = draw.choice(("descr", "fortran_order", "shape"))
        start = text.find(f"'{key}': ") + len(key) + 4
        stop = text.find(", '" if key != "shape" else ", }", start)
        text = text[:start] + draw.choice(VALUES) + text[stop:]
    if draw.random() < 0.1:
        text += " " * draw.choice((100, 9_900, 50_000))
    header = text.encode() + b"\n"
    version = draw.choice((1, 1, 1, 2, 3, 4))
    given = len(header) + draw.choice((0, 0, 0, 0, 1, -1, 1000))
    size = (min(given, 65535)).to_bytes(2, "little") if version == 1 else given.to_bytes(4, "little")
    return b"\x93NUMPY" + bytes((version, 0)) + size + header + content[10 + length :]
