"""What a webhook is sent: the body of an event in the form of Standard Webhooks 1.0, thin and bounded. Pure."""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from p2pdist.shared.merkle_log import leaf_hash
from p2pdist.shared.printable_text import printable
from seed_server.automation.event_types import PING, event_type
from seed_server.store.audit_entry import AuditEntry

MAX_BODY_BYTES = 20_000
"""What Standard Webhooks recommends as the most; whoever wants more asks with the ids."""
MAX_WORD_CHARS = 200
MAX_TOLD_REASON_CHARS = 1_000
ID_HASH_CHARS = 32  # of SHA-256 in hex: two entries with one id are not to be found

_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "patch": "patch",
        "rollout": "rollout",
        "state": "state",
        "ring": "ring",
        "rings": "rings",
        "site": "site",
        "template": "template",
        "hostname": "hostname",
        "exception": "exception",
        "bundle": "bundle",
        "for good": "for_good",
        "roll back": "roll_back",
        "waits to be allowed": "waits",
        "roles": "roles",
        "owner": "owner",
    }
)
"""Of an entry's details, those that are told, and as what: ids and words that the next question needs."""


class WebhookEvent(NamedTuple):
    """Something that others are told."""

    event_id: str
    """``webhook-id``: the same whenever it is sent, and of no other event, also after a restore."""
    type: str
    at: float
    """When it happened, seconds since 1970."""
    body: bytes
    """What is sent, to the byte."""


def event_of(entry: AuditEntry, data: bytes, server: str) -> WebhookEvent | None:
    """Return the event that an entry is, ``data`` being its bytes; None: it is none. ``server`` is this server's name.

    The id has the hash of the entry: a log that was restored and goes on otherwise has the numbers again, and others.
    """
    kind = event_type(entry)
    if kind is None:
        return None
    event_id = f"evt_{entry.number}_{leaf_hash(data).hex()[:ID_HASH_CHARS]}"
    told = {
        "id": event_id,
        "server": _word(server),
        "entry": entry.number,
        "operation": entry.operation,
        "subject": _word(entry.subject),
        "actor": _word(entry.actor),
    }
    if entry.reason:
        told["reason"] = printable(entry.reason)[:MAX_TOLD_REASON_CHARS]
    told |= {key: _word(entry.details[name]) for name, key in _KEYS.items() if entry.details.get(name)}
    if entry.operation.startswith("rollout: ") or entry.operation.endswith(" rollout"):
        told.setdefault("rollout", _word(entry.subject))
    return WebhookEvent(event_id, kind, entry.at, _body(kind, entry.at, told))


def ping(event_id: str, server: str, name: str, at: float) -> WebhookEvent:
    """Return the event that says nothing but that the webhook ``name`` works."""
    return WebhookEvent(
        event_id, PING, at, _body(PING, at, {"id": event_id, "server": _word(server), "webhook": _word(name)})
    )


def _word(text: str) -> str:
    return printable(text)[:MAX_WORD_CHARS]


def _body(kind: str, at: float, told: Mapping[str, object]) -> bytes:
    when = dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = msgspec.json.encode({"type": kind, "timestamp": when, "data": told})
    assert len(body) < MAX_BODY_BYTES, "a dozen bounded texts"
    return body
