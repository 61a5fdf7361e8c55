"""What every report shares: it is printed by rich, or as text of 80 columns."""

import io
from typing import Any


class Printed:
    """A report, which rich can print. Its text is what rich prints without colours; a notebook shows it as HTML."""

    def __rich__(self) -> Any:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        from tinynet_fast.tables.report_html import report_html  # needs rich, which takes longer to import than NumPy

        return report_html(self)

    def __str__(self) -> str:
        from rich.console import Console  # as above

        console = Console(file=io.StringIO(), width=80, color_system=None, force_terminal=False, legacy_windows=False)
        console.print(self)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
