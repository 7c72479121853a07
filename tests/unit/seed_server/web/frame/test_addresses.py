"""Whatever a name has in it, it stays one part of an address."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from seed_server.web.frame.addresses import address_of, path_to

HOSTILE = ['"><script>alert(1)</script>', "a/b:c", "../../etc", "a?b#c", "あ い", "%2e%2e", "x\r\ny", "\u202eevil"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_one_part_and_comes_back_as_it_was(name: str) -> None:
    path = path_to("people", name)
    assert path.startswith("/people/")
    assert path.count("/") == 2
    assert not set(path) & set("\"<>?# \r\n'")
    assert unquote(urlsplit(path).path.removeprefix("/people/")) == name


def test_what_people_read_stays_readable() -> None:
    assert path_to("patches", "office@2.1") == "/patches/office@2.1"
    assert path_to("rollouts", 17) == "/rollouts/17"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_query_has_what_is_not_empty(name: str) -> None:
    address = address_of("/audit", who=name, deed="", rollout=None, subject=0)
    assert parse_qsl(urlsplit(address).query) == [("who", name), ("subject", "0")]
    assert address_of("/audit", who="") == "/audit"
