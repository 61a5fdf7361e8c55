"""Makes texts fit for messages. Text from a file may be long or hold characters that control a terminal."""

from collections.abc import Sequence
from typing import Any

LONGEST = 480  # characters of a whole message
END = 150  # characters kept at the end of a message, which holds the remedy
LONGEST_NAME = 40  # characters of a name or label in a list
MOST_NAMED = 12  # labels or columns that a message names


def printable(text: str, most: int = LONGEST) -> str:
    """`text` with other than printable characters escaped. If it is too long, its middle is left out."""
    if len(text) > 2 * most:  # before each character is looked at
        text = f"{text[:most]}...{text[-most:]}"
    text = escaped(text)
    if len(text) <= most:
        return text
    end = min(END, most // 3)
    return f"{text[: most - end - 3]}...{text[len(text) - end :]}"


def escaped(text: str, but: str = "") -> str:
    """`text` with escapes such as \\x1b for characters that are not printable and not in `but`."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c in but else ascii(c)[1:-1] for c in text)


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are, for a message."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(printable(name, LONGEST_NAME) for name in names[:MOST_NAMED]) + more


def shown(label: Any) -> str:
    """A label of an array, for a message."""
    return printable(repr(label.item()), LONGEST_NAME)
