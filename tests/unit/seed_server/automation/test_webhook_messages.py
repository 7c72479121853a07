"""`seed_server.automation.webhook_messages`: thin, bounded, and an id that no other event has."""

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from seed_server.automation.event_types import known_operations
from seed_server.automation.webhook_messages import MAX_BODY_BYTES, event_of, ping
from seed_server.store.audit_entry import AuditEntry, decode_entry, encode_entry

ENTRY = AuditEntry(
    number=17, at=1_796_000_000.25, actor="engine", known_by="engine", request="r1", operation="rollout: it is halted",
    subject="3", reason="2 of 5 PCs failed", details={"patch": "office@1.2", "state": "halted", "of no matter": "x"},
)  # fmt: skip


def body_of(entry: AuditEntry) -> tuple[str, dict[str, object]]:
    data = encode_entry(entry)
    event = event_of(decode_entry(data), data, "hq")
    assert event is not None
    return event.event_id, json.loads(event.body)


def test_it_has_the_ids_that_the_next_question_needs() -> None:
    event_id, body = body_of(ENTRY)
    assert body == {
        "type": "rollout.halted",
        "timestamp": "2026-11-30T00:53:20.250Z",
        "data": {
            "id": event_id,
            "server": "hq",
            "entry": 17,
            "operation": "rollout: it is halted",
            "subject": "3",
            "actor": "engine",
            "reason": "2 of 5 PCs failed",
            "patch": "office@1.2",
            "state": "halted",
            "rollout": "3",
        },
    }


def test_what_is_empty_is_left_out() -> None:
    _, body = body_of(replace(ENTRY, operation="withdraw", subject="office", reason="", details={"site": ""}))
    assert set(body["data"]) == {"id", "server", "entry", "operation", "subject", "actor"}  # type: ignore[call-overload]


def test_an_id_is_of_one_entry_alone_and_is_the_same_whenever_it_is_made() -> None:
    assert body_of(ENTRY)[0] == body_of(ENTRY)[0]
    others = (replace(ENTRY, number=18), replace(ENTRY, request="r2"), replace(ENTRY, at=ENTRY.at + 0.001))
    assert len({body_of(one)[0] for one in (ENTRY, *others)}) == 4, "also after a restore, where numbers come again"
    assert "." not in body_of(ENTRY)[0], "the signed text is id.timestamp.body"


def test_what_is_no_event_is_none() -> None:
    data = encode_entry(replace(ENTRY, operation="not carried out"))
    assert event_of(decode_entry(data), data, "hq") is None


long_text = st.text(st.characters(codec="utf-8"), max_size=30).map(lambda text: text * 400)


@given(st.sampled_from(sorted(known_operations())), long_text, long_text)
def test_however_long_the_entry_the_body_is_short_and_can_be_shown(operation: str, text: str, other: str) -> None:
    names = ("patch", "rollout", "state", "ring", "rings", "site", "template", "hostname", "exception", "bundle",
             "for good", "roll back", "waits to be allowed", "roles", "owner")  # fmt: skip
    entry = replace(
        ENTRY, operation=operation, subject=text, actor=other, reason=other, details=dict.fromkeys(names, text)
    )
    event = event_of(entry, encode_entry(entry), "h" * 10_000)
    assert event is not None
    assert len(event.body) < MAX_BODY_BYTES
    assert all(str(value).isprintable() for value in json.loads(event.body)["data"].values())


def test_the_longest_body() -> None:
    """Four bytes a sign, and each field as long as it may be: still below what Standard Webhooks recommends."""
    names = ("patch", "rollout", "state", "ring", "rings", "site", "template", "hostname", "exception", "bundle",
             "for good", "roll back", "waits to be allowed", "roles", "owner")  # fmt: skip
    sign = "\N{PILE OF POO}"
    entry = replace(
        ENTRY, subject=sign * 9_999, actor=sign * 9_999, reason=sign * 9_999, details=dict.fromkeys(names, sign * 9_999)
    )
    event = event_of(entry, encode_entry(entry), sign * 9_999)
    assert event is not None
    assert 15_000 < len(event.body) < MAX_BODY_BYTES


def test_a_ping_says_whose_it_is() -> None:
    event = ping("ping_1", "hq", "chat", 0.0)
    assert json.loads(event.body) == {
        "type": "webhook.ping",
        "timestamp": "1970-01-01T00:00:00.000Z",
        "data": {"id": "ping_1", "server": "hq", "webhook": "chat"},
    }
