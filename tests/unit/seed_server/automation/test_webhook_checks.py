"""`seed_server.automation.webhook_checks`: what can never be sent to is refused when it is set up."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation.webhook_checks import (
    MAX_SUBSCRIPTIONS,
    MAX_WEBHOOK_URL_CHARS,
    checked_events,
    checked_url,
    checked_webhook_name,
    shown_host,
)
from seed_server.settings.addresses import networks_of

GOOD = "https://chat.example.com/hooks/7?key=x"


def refused(kind: FaultKind, words: str, check: object, *given: object, **named: object) -> None:
    with pytest.raises(UserError, match=words) as caught:
        check(*given, **named)  # type: ignore[operator]
    assert caught.value.kind is kind
    assert len(caught.value.message) < 700


@pytest.mark.parametrize("name", ["a", "chat", "ticket-system_2.eu", "a" * 40])
def test_names(name: str) -> None:
    assert checked_webhook_name(name) == name


@pytest.mark.parametrize("name", ["", "Chat", "-a", "a b", "a" * 41, "é", "a\n"])
def test_names_that_are_none(name: str) -> None:
    refused(FaultKind.BAD_INPUT, "is no name of a webhook", checked_webhook_name, name)


def test_events() -> None:
    assert checked_events([" rollout ", "approval.needed", "rollout"]) == ("approval.needed", "rollout")
    assert checked_events(["rollout", "*"]) == ("*",)


def test_events_that_are_none() -> None:
    refused(FaultKind.BAD_INPUT, "did you mean rollout.halted", checked_events, ["rollout.halt"])
    refused(FaultKind.BAD_INPUT, "did you mean rollout\\?", checked_events, ["rollouts"])
    refused(FaultKind.BAD_INPUT, "no type of event; there are", checked_events, ["%%%"])
    refused(FaultKind.BAD_INPUT, "Say which events", checked_events, [])
    refused(FaultKind.BAD_INPUT, "1 to 50 types", checked_events, [f"x{k}" for k in range(MAX_SUBSCRIPTIONS + 1)])


def test_addresses() -> None:
    longest = GOOD + "a" * (MAX_WEBHOOK_URL_CHARS - len(GOOD))
    for url in (GOOD, longest, "https://1.1.1.1/", "https://[2606:4700::1]:8443/x", "https://chat.example.com"):
        assert checked_url(url, plain_http=False, allowed=()) == url
    assert checked_url("http://chat.example.com/", plain_http=True, allowed=()) == "http://chat.example.com/"


@pytest.mark.parametrize(
    "url",
    [
        "", "chat.example.com", "http://chat.example.com/", "ftp://chat.example.com/", "https://", "https:///x",
        "https://u:p@chat.example.com/", "https://@chat.example.com/", "https://chat.example.com/#x",
        "https://chat.example.com:0/", "https://chat.example.com:99999/", "https://chat.example.com:x/", "https://[::1",
        "https://chat example.com/", "https://chat.example.com/\r\nX: y", "https://chät.example.com/",
        GOOD + "a" * (MAX_WEBHOOK_URL_CHARS - len(GOOD) + 1),
    ],
)  # fmt: skip
def test_addresses_that_are_none(url: str) -> None:
    refused(FaultKind.BAD_INPUT, "is no address for a webhook", checked_url, url, plain_http=False, allowed=())


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/"])
def test_addresses_that_are_not_allowed(url: str) -> None:
    refused(FaultKind.REFUSED, "allow in \\[webhooks\\]", checked_url, url, plain_http=False, allowed=())


def test_an_address_that_is_allowed() -> None:
    allowed = networks_of(["127.0.0.0/8"], source="test")
    assert checked_url("http://127.0.0.1:8080/", plain_http=True, allowed=allowed)


def test_what_stands_in_records() -> None:
    assert shown_host(GOOD) == "https://chat.example.com"
    assert shown_host("https://[2606:4700::1]:8443/secret") == "https://[2606:4700::1]:8443"
    assert "secret" not in shown_host("https://[::1/secret")
