"""Write the table of docs/platforms.md: `python native/page.py`, after `make wheels`. Sizes are those of the files."""

import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from platforms import PLATFORMS

HERE = Path(__file__).resolve().parent.parent
TRIED = {"linux-x86_64": "run", "linux-aarch64": "emulated"}  # and the others are checked
BEGIN, END = "<!-- platforms -->\n", "<!-- /platforms -->"


def table(folder):
    lines = ["| platform | wheel | levels | wheel, MB | library, MB | installed, MB | tried |\n", "|---" * 7 + "|\n"]
    for name, platform in PLATFORMS.items():
        wheel = next(folder.glob(f"*-py3-none-{platform.tag}.whl"))
        with zipfile.ZipFile(wheel) as file:
            sizes = {entry.filename.rpartition("/")[2]: entry.file_size for entry in file.infolist()}
            whole = sum(entry.file_size for entry in file.infolist())
        megabytes = (f"{size / 1e6:.1f}" for size in (wheel.stat().st_size, sizes[platform.library], whole))
        tag, levels = f"`py3-none-{platform.tag.split('.')[0]}`", ", ".join(platform.levels)
        lines.append(f"| {' | '.join([name, tag, levels, *megabytes, TRIED.get(name, 'checked')])} |\n")
    return "".join(lines)


if __name__ == "__main__":
    page = HERE / "docs" / "platforms.md"
    before, _, rest = page.read_text().partition(BEGIN)
    folder = Path(sys.argv[1]) if sys.argv[1:] else HERE / "dist"
    page.write_text(f"{before}{BEGIN}\n{table(folder)}\n{END}{rest.partition(END)[2]}")
