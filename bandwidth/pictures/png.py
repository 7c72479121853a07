"""A picture as PNG, drawn from the same SVG text that an SVG file gets.

The one module that knows the renderer. Its font comes with a package, so a PNG
has its letters on a machine without any font, and looks alike on all. That font
has Latin, Greek and Cyrillic; Japanese and Chinese have that of another package,
which is large and an extra of its own. Other letters are taken from the system's
fonts, and where these have none, there is no picture: it would show boxes.
"""

import contextlib
from importlib.resources import as_file, files
from importlib.util import find_spec
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import resvg_py

PNG_ZOOM = 2.0  # sharp on a dense screen and in a printed report
FONT, FONT_FILES = "Source Sans Pro", ("SourceSansPro-Regular.ttf", "SourceSansPro-Bold.ttf")
JAPANESE_FONT, JAPANESE_FILE = "noto_cjk_sans_jp_regular", "NotoSansCJKjp-Regular.otf"
FIRST_OF_OTHERS = 0x0250  # letters before are in the font
MOST_SIGNS = 2_000  # that are looked for, a millisecond each
IN_NO_FONT = "\U0010fffd"  # of private use: drawn as what is missing
_NOT_DRAWN = ("title", "desc", "style")


class NoFontError(Exception):
    """No font here has some signs of a picture."""

    def __init__(self, signs: str) -> None:
        super().__init__(f"no font has {signs}")
        self.signs = signs
        """They, each once."""


def png_of(svg: str) -> bytes:
    """Return ``svg`` drawn as PNG. Raises `NoFontError`."""
    if missing := _missing_signs(svg):
        raise NoFontError(missing)
    return _drawn(svg, PNG_ZOOM)


def _drawn(svg: str, zoom: float) -> bytes:
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(as_file(files("font_source_sans_pro") / "files"))
        fonts = [folder / name for name in FONT_FILES]
        if find_spec(JAPANESE_FONT):
            fonts.append(opened.enter_context(as_file(files(JAPANESE_FONT) / JAPANESE_FILE)))
        return resvg_py.svg_to_bytes(
            svg_string=svg, zoom=zoom, sans_serif_family=FONT, font_files=[str(font) for font in fonts]
        )


def _missing_signs(svg: str) -> str:
    drawn = "".join(
        node.text or ""
        for node in ET.fromstring(svg).iter()  # noqa: S314 - we have made it
        if node.tag.rpartition("}")[2] not in _NOT_DRAWN
    )
    signs = sorted({sign for sign in drawn if ord(sign) >= FIRST_OF_OTHERS and not sign.isspace()})
    if not signs:
        return ""
    box = _sign(IN_NO_FONT)
    return "".join(sign for sign in signs[:MOST_SIGNS] if _sign(sign) == box)


def _sign(sign: str) -> bytes:
    text = f'<text x="4" y="28" font-size="20" font-family="sans-serif">{escape(sign)}</text>'
    return _drawn(f'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">{text}</svg>', 1.0)
