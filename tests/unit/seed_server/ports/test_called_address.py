"""`seed_server.ports.called_address` on this machine; one whose address changes: `tests/field/test_servers.py`."""

import socket

import pytest

from seed_server.ports.called_address import why_not_here


@pytest.mark.parametrize("address", ["127.0.32.1", "localhost", "::1"])
def test_loopback_tells_nothing(address: str) -> None:
    assert why_not_here(address, 8443) == ""


def test_an_address_of_another_machine_is_named() -> None:
    assert why_not_here("192.0.2.9", 8443) == "it leads to 192.0.2.9, which this machine does not have"


def test_one_own_address_among_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 8443)) for address in ("192.0.2.9", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert why_not_here("patches.example", 8443) == ""


def test_a_name_that_cannot_be_looked_up_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    assert why_not_here("patches.example", 8443) == "this machine cannot look it up: Name or service not known"
