"""Which kernels the library in the wheel has, and for which arguments: `python native/entries.py` prints C's table.

A signature is written as `tinynet_fast.kernels.jit.compiled` reads it. What is not here Numba compiles when it is
needed. Left out for their size, some hundred kilobytes each for three instruction sets: classes as lanes, the shapes of
narrow networks but the tutorials', networks and penalties on float32, and sparse rows. What can do without does: rows
become float64, narrow networks take the kernels of all, lanes go one register at a time.
"""

EITHER = "df"  # rows of float64, of float32


def entries(level=""):
    """(kernel, signature) of every entry, by module; for one instruction-set level, what it has of them."""
    wide_lanes = () if level == "x86-64-v2" else (2, 3, 4)  # 250 kB where eight numbers are four registers
    return {
        "strict": [
            ("sgd_epochs", "d2 d1 d1 dw1 dw1 dw1"),
            ("sgd_regularized_epochs", "d2 d1 d2 l0 d0 dw1 dw1 dw1 dw1 dw1"),
            ("network_epochs", "d2 d1 d1 d2 d2 d1 l2 dw2 dw2 dw1 dw1"),
            ("network_update", "d0 d1 d1 l2 dw2"),
            ("network_logits", "d2 l2 d1 dw2 dw2"),
        ],
        "fast": [
            *(("narrow_epochs", f"{f}2 d1 d1 dw1 dw1 dw1 d1 t{width}") for f in EITHER for width in (1, 2, 3, 4)),
            *(("wide_epochs", f"{f}2 d1 d1 dw1 dw1 dw1 d1") for f in EITHER),
            *(("largest_square_norm", f"{f}2 d1 dw1") for f in EITHER),
        ],
        "fast_regularized": [
            *(("narrow_epochs", f"d2 d1 d2 dw1 dw1 dw1 dw1 dw1 d1 t{width} t0") for width in (1, 2, 3, 4)),
            ("wide_epochs", "d2 d1 d2 dw1 dw1 dw1 dw1 dw1 d1 t0"),
        ],
        "network": [
            ("epochs", "d2 d1 d1 d2 d2 d1 l2 dw2 dw1 dw1 dw1"),
            ("update", "d0 d1 d1 l2 dw2 dw1"),
            ("logits", "d2 l2 d1 dw1 dw2"),
        ],
        "network_narrow": [("narrow_epochs", "d2 d1 d1 d2 d1 dw2 dw1 dw1 dw1 t2 t4")],
        "lanes": [
            (kernel, f"d2 d1 d1 d1 d2 dw2 dw2 t{registers} t{folded}")
            for kernel in ("train_plain", "train_penalised")
            for registers in (1, *wide_lanes)
            for folded in (0, 1)
        ],
        "prediction": [
            *(("probabilities", f"{f}2 d1 d1 dw1") for f in EITHER),
            ("pairs", "d2 d1 d1 dw1 dw2"),
        ],
        "order": [
            ("shuffle", "lw1 l0"),
            *(("gather_rows", f"{f}2 {y}1 l1 {f}w2 dw1") for f in EITHER for y in "dB"),
            ("fill_plan", "l0 d0 d0 d0 d0 d0 d1 d0 d0 l0 dw2"),
        ],
        "objective": [
            ("sgd_logits_epoch", "d2 d1 d2 d0 dw1 dw1 dw1 dw1 dw1 d1 dw1 dw1"),
            ("objective", "d1 d1 d2 d1 d0 d0 d1 d1 dw1"),
            *(("square_norms", f"{f}2 dw1") for f in EITHER),
        ],
        "columns": [
            ("put_eight", "d1 d1 d1 d1 d1 d1 d1 d1 dw2 l0"),
            *(("put_one", f"{f}1 {f}w2 l0") for f in EITHER),
        ],
    }


def numbered(level=""):
    """(number, "module.kernel", signature) of every entry: the number is in the names of its symbols."""
    table = [(module, entry) for module, rows in entries().items() for entry in rows]
    here = entries(level)
    return [(i, f"{module}.{entry[0]}", entry[1]) for i, (module, entry) in enumerate(table) if entry in here[module]]


if __name__ == "__main__":
    print("".join(f'"{number} {name} {words}\\n"\n' for number, name, words in numbered()), end="")
