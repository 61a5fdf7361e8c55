"""Opens tables whose columns have names. All parts (files, or one stream) share one layout."""

from collections.abc import Callable
from typing import Any

from tinynet_fast.rows.files import EmptyFileError, TableError
from tinynet_fast.rows.formats.arrow import Layout, TablePart
from tinynet_fast.rows.formats.folders import folder_values, in_folders, with_folders
from tinynet_fast.rows.formats.registry import Asked
from tinynet_fast.rows.formats.source import Source, Stamp, with_rows


def layout_of(y: Any, features: list[str] | None, drop: bool, raw: bool) -> Layout:
    """The layout of a table with the target `y`."""
    if y is not None and not isinstance(y, str):
        raise TableError(f"y is a {type(y).__name__}; here it is the name of the target column")
    layout = Layout(y, features)
    layout.drop, layout.raw = drop, raw
    return layout


def open_table(
    asked: Asked,
    kind: str,
    part_of: Callable[[Stamp, Layout], TablePart],
    no_rows: str = "no rows: at least one is needed",
    **options: Any,
) -> Source:
    """Open the files of a table. `part_of` opens one file; `no_rows` is the error's text if no file has rows."""
    layout = with_folders(layout_of(asked.y, asked.columns, asked.drop_missing, asked.raw), asked.files)
    parts = []
    for k, stamp in enumerate(asked.stamps, 1):
        try:
            parts.append(in_folders(layout, part_of(stamp, layout), stamp.path))
        except EmptyFileError:  # a file of line breaks alone
            if k == len(asked.stamps) and not parts:
                raise
    parts = with_rows(parts, no_rows)
    return source_of(kind, parts, layout.whole, stamps=asked.stamps, content=folder_values(layout), **options)


def source_of(kind: str, parts: list[Any], layout: Layout, **options: Any) -> Source:
    """The source of parts that have one layout."""
    own = {"names": layout.names, "target": layout.target, "drop_missing": layout.drop, "raw": layout.raw}
    return Source(kind, parts, n_features=len(layout.names), dtype=layout.dtype, **own, **options)  # type: ignore[arg-type]
