"""`[pages]` of `server.toml`: how browsers reach the pages, as they write it themselves."""

import pytest

from seed_server.settings.pages_section import PagesSettings, is_origin, origin_of


@pytest.mark.parametrize(
    "text",
    ["https://patches.example.com", "https://patches:8444", "https://localhost:8444", "https://[2001:db8::1]:8444"],
)
def test_an_origin_is_as_browsers_write_it(text: str) -> None:
    assert is_origin(text)
    assert origin_of(PagesSettings(origin=text), "a.example", 8444) == text


@pytest.mark.parametrize(
    "text",
    ["http://a.example", "https://A.example", "https://a.example/", "https://a.example:443", "https://a.example:0",
     "https://u@a.example", "a.example", "https://", "https://a.example:x", "https://a.example?x", "https://[::1"],
)  # fmt: skip
def test_what_is_none_is_refused(text: str) -> None:
    assert not is_origin(text)


@pytest.mark.parametrize(
    ("address", "port", "origin"),
    [("Seed.example", 8444, "https://seed.example:8444"), ("seed.example", 443, "https://seed.example"),
     ("10.0.0.1", 8444, "https://localhost:8444"), ("2001:db8::1", 8444, "https://localhost:8444")],
)  # fmt: skip
def test_without_one_it_is_the_servers_name_and_port(address: str, port: int, origin: str) -> None:
    assert origin_of(PagesSettings(), address, port) == origin
