import struct

import pytest
import resvg_py

from bandwidth.pictures.png import IN_NO_FONT, PNG_ZOOM, NoFontError, png_of
from bandwidth.pictures.svg import WIDTH, document, text


def picture(words: str) -> str:
    return document(60, "title", [text(10, 30, words, "title")])


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def test_a_png_is_the_svg_in_twice_its_size() -> None:
    assert size_of(png_of(picture("words"))) == (PNG_ZOOM * WIDTH, PNG_ZOOM * 60)


def test_letters_are_drawn_without_any_font_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_system_fonts(**options: object) -> bytes:
        return render(**options, skip_system_fonts=True)  # type: ignore[arg-type]

    render = resvg_py.svg_to_bytes
    with_them = [png_of(picture(words)) for words in ("Größe ≤ 5 – čas", "Время Ώρα", "")]
    monkeypatch.setattr(resvg_py, "svg_to_bytes", without_system_fonts)
    assert [png_of(picture(words)) for words in ("Größe ≤ 5 – čas", "Время Ώρα", "")] == with_them
    assert len(set(with_them)) == 3


def test_what_no_font_has_is_named_and_not_drawn_as_a_box() -> None:
    with pytest.raises(NoFontError) as error:
        png_of(picture(f"branch {IN_NO_FONT}\ue123 <&>"))
    assert error.value.signs == f"\ue123{IN_NO_FONT}"
    assert png_of(picture("<&> \u2003 ≤"))  # a blank is a sign without a picture
