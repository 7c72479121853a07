"""QR codes, for a terminal and for a page. The only import of segno."""

import io
from dataclasses import dataclass

from p2pdist.shared.server_extra import need_server_extra

BORDER = 4  # modules of white, which readers want (ISO/IEC 18004, section 9.1)
TERMINAL_BORDER = 2  # there is room beside it
MODULE_PIXELS = 4


@dataclass(frozen=True)
class TerminalCode:
    """A code that is drawn of letters."""

    text: str
    columns: int
    rows: int


def terminal_code(text: str) -> TerminalCode:
    """Draw a code of ``text`` for a terminal."""
    need_server_extra("segno")
    import segno

    code, drawn = segno.make(text, micro=False), io.StringIO()
    code.terminal(drawn, compact=True, border=TERMINAL_BORDER)
    text, columns = drawn.getvalue(), int(code.symbol_size(border=TERMINAL_BORDER)[0])
    return TerminalCode(text, columns, len(text.splitlines()))


def svg_code(text: str) -> str:
    """Draw a code of ``text`` as SVG: black on white, whatever lies around it."""
    need_server_extra("segno")
    import segno

    drawn = io.BytesIO()
    segno.make(text, micro=False).save(
        drawn, kind="svg", scale=MODULE_PIXELS, border=BORDER, dark="#000", light="#fff", xmldecl=False
    )
    return drawn.getvalue().decode()
