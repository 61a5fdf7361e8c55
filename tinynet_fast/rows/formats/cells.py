"""Cells of CSV files: which are missing, numbers or booleans, and the type that several texts have together."""

import re
import unicodedata

import numpy as np

from tinynet_fast.rows.values import is_number as is_number  # of a cell

MISSING = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None"]
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
WHOLE = re.compile(r"[ \t]*-?[0-9]{1,99}[ \t]*")  # whole numbers, and numbers, as pyarrow tells them from text
NUMBER = re.compile(r"[ \t]*[+-]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)[ \t]*", re.IGNORECASE)
WIDE_TEXT = 1 << 24  # bytes that several texts may take if NumPy stores all of them as wide as the longest


def infer(texts: list[str]) -> np.ndarray:
    """Texts of which none is missing as whole numbers, numbers, booleans or text: the first that all of them are.

    They are told apart as pyarrow does it. Texts are objects if one is so long that storing all as wide as that one
    would take far more memory than the file.
    """
    if all(WHOLE.fullmatch(text) and -(2**63) <= int(text) < 2**63 for text in texts):
        return np.array(list(map(int, texts)), dtype=np.int64)
    if all(map(NUMBER.fullmatch, texts)):
        return np.array(list(map(float, texts)))
    if all(text in BOOLEANS for text in texts):
        return np.array([BOOLEANS[text] for text in texts])
    wide = 4 * max(map(len, texts)) * len(texts)
    return np.array(texts, dtype=object if wide > max(WIDE_TEXT, 16 * sum(map(len, texts))) else str)


def not_a_number(text: str) -> str:
    """What to say of a cell that is no number: which characters in it are seldom seen, and the remedy."""
    odd = next((c for c in text if not c.isalnum() and not " " < c < "\x7f" and c != " "), None)
    shown = repr(text if len(text) <= 60 else text[:57] + "...")
    if odd is not None:
        shown += f" (which holds U+{ord(odd):04X}, {unicodedata.name(odd, 'a control character').lower()})"
    return f"{shown} is not a number: correct it, or leave the column out"
