import pytest
from msgspec import Struct

from bench.pages.addresses import address_of, addresses_of
from seed_server.web.frame.page import Asked, Page, Shown


class Named(Struct):
    name: str = ""


def view(asked: Asked[Named]) -> Shown:
    return Shown(asked.given.name)


PERSON, TEMPLATE = Page("/people/{name}", "person", view, Named), Page("/templates/{name}", "template", view, Named)


def test_a_name_may_mean_something_else_on_one_page() -> None:
    known = {"name": "ada", "template.name": "five rings"}
    assert addresses_of([PERSON, TEMPLATE], known) == {
        "person": "/people/ada", "template": "/templates/five%20rings",
    }  # fmt: skip


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(LookupError, match=r"\{name\} of the page person"):
        address_of(PERSON, {})
