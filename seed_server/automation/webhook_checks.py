"""What a webhook may be: its name, its address, what it is subscribed to; as people give them, checked. Pure."""

import difflib
import ipaddress
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation.event_types import EVENT_TYPES, EVERY_TYPE, is_subscription
from seed_server.automation.webhook_addresses import may_lead_to
from seed_server.settings.addresses import IpNetwork

MAX_WEBHOOK_URL_CHARS = 1_000
MAX_SUBSCRIPTIONS = 50  # there are about as many types
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_PLAIN = re.compile(r"[\x21-\x7e]+")


def checked_webhook_name(name: str) -> str:
    """Return the name. Raises `UserError` (BAD_INPUT)."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name[:60]!r} is no name of a webhook: use 1 to 40 of a-z, 0-9, '.', '_' and '-'.", FaultKind.BAD_INPUT
        )
    return name


def checked_events(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Return what is subscribed to, sorted. Raises `UserError` (BAD_INPUT) for no type, naming the nearest."""
    given = sorted({prefix.strip() for prefix in prefixes})
    if not given or len(given) > MAX_SUBSCRIPTIONS:
        raise UserError(
            f"Say which events are sent, 1 to {MAX_SUBSCRIPTIONS} types; '{EVERY_TYPE}' is all of them.",
            FaultKind.BAD_INPUT,
        )
    first_words = {kind.partition(".")[0] for kind in EVENT_TYPES}
    for prefix in given:
        if not is_subscription(prefix):
            near = difflib.get_close_matches(prefix, [*EVENT_TYPES, *sorted(first_words)], n=1, cutoff=0.4)
            meant = f"did you mean {near[0]}? There are" if near else "there are"
            raise UserError(
                f"{prefix[:60]!r} is no type of event; {meant}: {', '.join(sorted(first_words))}, and all that "
                "docs/webhooks.md lists.",
                FaultKind.BAD_INPUT,
            )
    return (EVERY_TYPE,) if EVERY_TYPE in given else tuple(given)


def checked_url(url: str, *, plain_http: bool, allowed: Sequence[IpNetwork]) -> str:
    """Return where a webhook leads, and refuse what could never be sent to. Raises `UserError` (BAD_INPUT, REFUSED).

    ``plain_http``: without TLS, too. A name is looked up when something is sent, and where it leads is checked then.
    """
    try:
        parts = urlsplit(url)
        host, schemes = parts.hostname, {"https", "http"} if plain_http else {"https"}
        right = parts.scheme in schemes and parts.port != 0 and not parts.fragment and parts.username is None
        right = right and len(url) <= MAX_WEBHOOK_URL_CHARS and _PLAIN.fullmatch(url) is not None
    except ValueError:
        host, right = None, False
    if not host or not right:
        kinds = "https:// or http://" if plain_http else "https://"
        raise UserError(
            f"{shown_host(url)!r} is no address for a webhook: one that begins with {kinds}, of at most "
            f"{MAX_WEBHOOK_URL_CHARS} characters, without a password and a fragment (#). Without TLS, only with "
            "--plain-http.",
            FaultKind.BAD_INPUT,
        )
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return url
    if not may_lead_to(address, allowed):
        raise not_allowed(host)
    return url


def not_allowed(address: str) -> UserError:
    """Return the error for an address that no webhook may lead to."""
    return UserError(
        f"{address} is within the company's networks, or of this machine: webhooks do not lead there, unless "
        "server.toml allows its network: allow in [webhooks]. Then restart the server.",
        FaultKind.REFUSED,
    )


def shown_host(url: str) -> str:
    """Return what of an address may stand in records: scheme, host and port; what follows may be a secret."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"[:200]
    except ValueError:
        return url.partition("/")[0][:200]
