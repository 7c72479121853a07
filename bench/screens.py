"""Pictures of screens for the documents, drawn by the very code that prints them: python -m bench.screens.

They need no server: `tests/helpers/stored_fleet.py` has what one would have stored.
"""

import io
import re
from pathlib import Path

from rich.console import Console

from seed_server.commands.status_view import status_view
from seed_server.fleet.problems import FleetProblem
from tests.helpers.stored_fleet import NOW, large_screen

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
COLUMNS = 80
# rich names a server's fonts, and itself; a reader has fonts of its own
_LEFT_OUT = re.compile(r"\s*(@font-face \{.*?\}|<!-- Generated .*?-->)", re.DOTALL)


def status_picture() -> str:
    """Return `seed-server status` of a fleet as SVG."""
    expiry = FleetProblem(
        "The signed patches metadata expires in 12 days; then PCs refuse whatever is new.",
        "seed-server renew",
        urgent=False,
    )
    shown = large_screen(problems=[expiry])
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(status_view(shown, COLUMNS, NOW))
    return _LEFT_OUT.sub("", console.export_svg(title="seed-server status", unique_id="status"))


def main() -> None:
    """Write the pictures."""
    (PICTURES / "status.svg").write_text(status_picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
