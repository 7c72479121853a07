"""docs/webhooks.md has the types, outcomes and numbers of the code, and what it tells receivers to do works."""

import re
import time
from typing import Any, get_args

from bench.webhook_table import PAGE, page_with_types
from seed_server.automation.webhook_messages import _KEYS, MAX_BODY_BYTES
from seed_server.automation.webhook_operations import FORMER_SECRET_SECONDS
from seed_server.automation.webhook_outbox import (
    ENDED_KEPT_SECONDS,
    MAX_ENDED_DELIVERIES,
    MAX_OPEN_DELIVERIES,
    PARALLEL,
)
from seed_server.automation.webhook_retries import GIVEN_UP_AFTER_SECONDS, LONGEST_RETRY_PAUSE_SECONDS
from seed_server.automation.webhook_sending import POST_SECONDS, Outcome
from seed_server.automation.webhook_signing import secret_text, signature_header

TEXT = PAGE.read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())


def test_the_table_of_types_is_the_codes() -> None:
    assert page_with_types(TEXT) == TEXT, "python -m bench.webhook_table"


def test_every_outcome_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", TEXT.partition("| outcome |")[2], re.MULTILINE)
    assert tuple(rows) == get_args(Outcome)


def test_every_key_is_named() -> None:
    named = WORDS.partition("Further keys of `data`")[2].partition("There may be more")[0]
    assert set(re.findall(r"`(\w+)`", named)) == set(_KEYS.values())


def test_the_numbers_of_the_page_are_the_codes() -> None:
    assert (MAX_BODY_BYTES, POST_SECONDS, FORMER_SECRET_SECONDS) == (20_000, 20.0, 24 * 3_600)
    assert (GIVEN_UP_AFTER_SECONDS, LONGEST_RETRY_PAUSE_SECONDS) == (3 * 86_400, 6 * 3_600)
    assert (PARALLEL, MAX_OPEN_DELIVERIES, ENDED_KEPT_SECONDS, MAX_ENDED_DELIVERIES) == (4, 1_000, 30 * 86_400, 10_000)
    for words in (
        "below 20 kB", "within 20 seconds", "for three days", "every six hours", "for 24 hours both sign",
        "at most 4 requests at a time, and 1,000 events", "for 30 days, the newest 10,000",
    ):  # fmt: skip
        assert words in WORDS, words


def test_what_receivers_are_told_to_do_works() -> None:
    (block,) = re.findall(r"<!-- verify:begin -->\n```python\n(.*?)```", TEXT, re.DOTALL)
    made: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), made)
    secret, former, body = b"s" * 32, b"f" * 32, '{"type":"パッチ"}'.encode()
    now = int(time.time())

    def genuine(secrets: list[bytes], *, at: int = now, sent: bytes = body) -> bool:
        signature = signature_header(secrets, "evt_1", at, body)
        headers = {"webhook-id": "evt_1", "webhook-timestamp": str(at), "webhook-signature": signature}
        return bool(made["is_genuine"](secret_text(secret), headers, sent))

    assert genuine([secret])
    assert genuine([former, secret])
    assert not genuine([former])
    assert not genuine([secret], at=now - 301)
    assert not genuine([secret], sent=body + b" ")
