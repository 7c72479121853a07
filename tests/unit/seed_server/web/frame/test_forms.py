"""`seed_server.web.frame.forms`: what a form brings, and what becomes of what is filled in wrong."""

from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from seed_server.web.api.problems import ApiProblemError
from seed_server.web.frame.forms import MAX_FORM_FIELDS, FormFields, NotAcceptableError, body_of, fields_in


class Filled(Struct, forbid_unknown_fields=True, kw_only=True):
    reason: Annotated[str, Meta(min_length=1, max_length=10)]
    days: Annotated[int, Meta(ge=1, le=30)] = 7
    until: float | None = None
    sure: bool = False
    pcs: tuple[str, ...] = ()


FORM = "application/x-www-form-urlencoded"


def of(text: str) -> Any:
    return body_of(Filled, fields_in(text.encode(), FORM))


def test_fields_become_what_the_operation_takes() -> None:
    made = of("reason=a+b%0D%0Ac&days=3&until=1.5&sure=true&pcs=x&pcs=y&_csrf=t")
    assert made == Filled(reason="a b\nc", days=3, until=1.5, sure=True, pcs=("x", "y"))


def test_what_is_left_empty_has_its_default() -> None:
    assert of("reason=a&days=&until=&pcs=") == Filled(reason="a")


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("days=3", "reason", "Fill this in."),
        ("reason=", "reason", "Fill this in."),
        ("reason=aaaaaaaaaaa", "reason", "Give at most 10 letters."),
        ("reason=a&days=31", "days", "Give at most 30."),
        ("reason=a&days=soon", "days", "Give a number."),
        ("reason=a&sure=on", "sure", "This does not have the form that it must have."),
    ],
)
def test_the_field_at_fault_is_named(text: str, field: str, words: str) -> None:
    with pytest.raises(NotAcceptableError) as caught:
        of(text)
    assert caught.value.fields == {field: words}


def test_a_field_that_nobody_knows_is_refused() -> None:
    with pytest.raises(NotAcceptableError):
        of("reason=a&roles=administrator")


@pytest.mark.parametrize("data", [b"a=%FF", "a=é".encode(), b"&".join([b"a=1"] * (MAX_FORM_FIELDS + 1))])
def test_what_is_no_form_is_refused(data: bytes) -> None:
    with pytest.raises(ApiProblemError) as caught:
        fields_in(data, FORM)
    assert caught.value.kind.status == 400


def test_a_form_of_another_type_is_refused_and_one_at_the_limit_taken() -> None:
    assert len(fields_in(b"&".join([b"a=1"] * MAX_FORM_FIELDS), f"{FORM}; charset=utf-8").pairs) == MAX_FORM_FIELDS
    for media in ("application/json", "multipart/form-data; boundary=x", "text/plain", ""):
        with pytest.raises(ApiProblemError) as caught:
            fields_in(b"a=1", media)
        assert caught.value.kind.status == 415


def test_the_first_value_of_a_name() -> None:
    fields = FormFields((("a", "1"), ("a", "2")))
    assert (fields.first("a"), fields.first("b")) == ("1", "")
