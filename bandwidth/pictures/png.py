"""A picture as PNG, drawn from the same SVG text that an SVG file gets.

The one module that knows the renderer. Its font comes with a package, so a PNG
has its letters on a machine without any font, and looks alike on all. That font
has Latin, Greek and Cyrillic; other letters are taken from the system's fonts.
"""

from importlib.resources import as_file, files

import resvg_py

PNG_ZOOM = 2.0  # sharp on a dense screen and in a printed report
FONT, FONT_FILES = "Source Sans Pro", ("SourceSansPro-Regular.ttf", "SourceSansPro-Bold.ttf")


def png_of(svg: str) -> bytes:
    """Return ``svg`` drawn as PNG."""
    with as_file(files("font_source_sans_pro") / "files") as folder:
        return resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=PNG_ZOOM,
            sans_serif_family=FONT,
            font_files=[str(folder / name) for name in FONT_FILES],
        )
