"""`p2pdist.shared.printable_text`: what is shown of texts from other machines."""

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.printable_text import escaped, printable, printable_lines


@given(st.text())
def test_what_comes_out_is_printable_and_what_was_printable_is_unchanged(text: str) -> None:
    for safe in (printable(text), escaped(text), printable_lines(text).replace("\n", "")):
        assert safe.isprintable()
        assert safe == text or not text.isprintable()


def test_each_way_has_its_own_replacement() -> None:
    text = "a\x1b[1m\nb\u202e\x9b"
    assert printable(text) == "a?[1m?b??"
    assert printable_lines(text) == "a?[1m\nb??"
    assert escaped(text) == r"a\x1b[1m\nb\u202e\x9b"


def test_names_in_any_script_stay() -> None:
    assert printable("Büro-PC 東京 מחשב") == "Büro-PC 東京 מחשב"
