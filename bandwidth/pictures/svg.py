"""What all pictures share: the sheet, its margins, letters and hatching. Pure."""

from collections.abc import Sequence
from html import escape
from unicodedata import east_asian_width

WIDTH = 1000
MARGIN_LEFT, MARGIN_RIGHT = 104, 24
PLOT_WIDTH = WIDTH - MARGIN_LEFT - MARGIN_RIGHT
LETTER_PIXELS = 12
CHARACTER_WIDTH = 6.8  # of 12 px sans-serif, on the wide side

_STYLE = (
    "text{font:12px sans-serif;fill:#1f2933}.title{font-size:17px;font-weight:bold}.name{font-weight:bold}"
    ".small{font-size:11px;fill:#52606d}.axis{stroke:#9aa5b1;stroke-width:1}.grid{stroke:#e4e7eb;stroke-width:1}.line{fill:none;stroke-width:1.6}"
)
_PATTERNS = (
    '<pattern id="stopped" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="7" height="7" fill="#f3d9d3"/><rect width="2.5" height="7" fill="#b3402a"/></pattern>'
    '<pattern id="skipped" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<rect width="5" height="5" fill="#ffffff"/><circle cx="2" cy="2" r="1" fill="#7b8794"/></pattern>'
)


def document(height: int, title: str, body: Sequence[str], *, width: int = WIDTH) -> str:
    """Return a whole picture: ``body`` on white, and ``title`` for screen readers."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    parts = [head, f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", f"<defs>{_PATTERNS}</defs>"]
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return "\n".join([*parts, ground, *body, "</svg>"]) + "\n"


def text(x: float, y: float, words: str, style: str, *, anchor: str = "start", fill: str = "") -> str:
    """Return ``words`` in a ``style`` of this sheet: ``title``, ``small`` or none."""
    classes = f' class="{style}"' if style else ""
    colour = f' style="fill:{fill}"' if fill else ""
    return f'<text{classes} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{colour}>{escape(words)}</text>'


def width_of(words: str) -> float:
    """Return about how wide words are in 12 px; signs of East Asia take a whole square each."""
    wide = sum(east_asian_width(sign) in "WF" for sign in words)
    return (len(words) - wide) * CHARACTER_WIDTH + wide * LETTER_PIXELS


def cut(words: str, length: int) -> str:
    """Return ``words`` in at most ``length`` characters."""
    return words if len(words) <= length else f"{words[: length - 1]}…"
