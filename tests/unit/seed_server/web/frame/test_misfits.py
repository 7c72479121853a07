"""`seed_server.web.frame.misfits`: every misfit that msgspec finds has words for people."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from p2pdist.shared.language import speaking
from seed_server.web.frame.misfits import misfit


class Given(Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=2, max_length=5)] = "abc"
    many: Annotated[tuple[str, ...], Meta(min_length=1, max_length=2)] = ("a",)
    whole: Annotated[int, Meta(ge=1, le=30)] = 1
    part: Annotated[float, Meta(ge=0.5, le=2.5)] | None = None
    kind: Literal["a", "b"] = "a"
    shape: Annotated[str, Meta(pattern="^[a-z]+$")] = "a"


class Needed(Struct):
    text: str


@pytest.mark.parametrize(
    ("values", "name", "words"),
    [
        ({"text": "a"}, "text", "Give at least 2 letters."),
        ({"text": "abcdef"}, "text", "Give at most 5 letters."),
        ({"many": []}, "many", "Choose at least 1."),
        ({"many": ["a", "b", "c"]}, "many", "Choose at most 2."),
        ({"whole": "0"}, "whole", "Give at least 1."),
        ({"whole": "31"}, "whole", "Give at most 30."),
        ({"whole": "x"}, "whole", "Give a number."),
        ({"whole": "1.5"}, "whole", "Give a number."),
        ({"part": "0.1"}, "part", "Give at least 0.5."),
        ({"part": "3"}, "part", "Give at most 2.5."),
        ({"part": "x"}, "part", "Give a number."),
        ({"kind": "c"}, "kind", "Choose one of those that are offered."),
        ({"shape": "A"}, "shape", "This does not have the form that it must have."),
        ({"other": "A"}, "other", "There is no such field here."),
    ],
)
def test_a_misfit_has_words(values: dict[str, Any], name: str, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(values, Given, strict=False)
    assert misfit(str(caught.value)) == (name, words)
    with speaking("ja"):
        assert misfit(str(caught.value))[1] != words


def test_what_is_missing_has_words() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({}, Needed)
    assert misfit(str(caught.value)) == ("text", "Fill this in.")
