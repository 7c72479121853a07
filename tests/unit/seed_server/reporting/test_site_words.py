"""`seed_server.reporting.site_words`: what limits a site, in one sentence."""

import msgspec
import pytest

from seed_server.fleet.sites import never_sent
from seed_server.reporting.site_words import why_limited
from seed_server.store.rows import HarmPauseRow, SiteLimitRow

NOW = 1_800_000_000.0
LIMIT = msgspec.structs.replace(
    never_sent("osaka"), at=NOW - 2, active=True, rate=1_250_000, reason="policy ceiling: office hours"
)
PAUSE = HarmPauseRow("connections of others were slowed down while we sent", NOW - 60, NOW + 840, 1, 1)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (LIMIT, "Sent at 10 Mbit/s at most now: policy ceiling: office hours."),
        (
            msgspec.structs.replace(LIMIT, rate=0, reason="policy forbids sending: nights"),
            "PCs wait, and nothing is sent: policy forbids sending: nights.",
        ),
        (
            msgspec.structs.replace(LIMIT, active=False, at=NOW - 7_200),
            "Nothing is to be sent there now. What limited it last, 2 h ago: policy ceiling: office hours.",
        ),
        (
            msgspec.structs.replace(LIMIT, harm=PAUSE),
            f"Nothing is sent for 14 m still, because business suffered: {PAUSE.reason}.",
        ),
        (
            msgspec.structs.replace(LIMIT, harm=msgspec.structs.replace(PAUSE, ends_at=NOW)),
            "Sent at 10 Mbit/s at most now: policy ceiling: office hours.",
        ),
        (never_sent("osaka"), "Nothing was ever sent there."),
    ],
)
def test_one_sentence_says_what_limits_a_site(limit: SiteLimitRow, words: str) -> None:
    assert why_limited(limit, NOW, serving=True) == words


def test_while_nobody_serves_it_is_of_before() -> None:
    said = why_limited(LIMIT, NOW + 3_600, serving=False)
    assert said.startswith("The server does not run, so nothing is sent. Last, 1 h ago: policy ceiling")
