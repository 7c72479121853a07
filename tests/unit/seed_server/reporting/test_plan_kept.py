"""`seed_server.reporting.plan_kept`: what was planned, and what became of it."""

import math

import pytest

from p2pdist.shared.wire.codec import DecodeError
from seed_server.reporting.plan_kept import (
    MAX_FORECAST_BYTES,
    KeptForecast,
    KeptSite,
    decode_forecast,
    encode_forecast,
    finite,
    outcomes,
    whole_finish,
)
from seed_server.store.plan_rows import DoneWord

SITE = KeptSite("osaka", 10, 9, 1_000, 1_100.0, 1_500.0, sent_before=50, known=True)
KEPT = KeptForecast(1, 1_000.0, 990.0, 1_100.0, None, (SITE,))


def test_a_plan_is_read_as_it_was_kept() -> None:
    assert decode_forecast(encode_forecast(KEPT)) == KEPT


def test_what_is_broken_or_too_large_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_forecast(b"\x00")
    with pytest.raises(DecodeError):
        decode_forecast(bytes(MAX_FORECAST_BYTES + 1))


def test_a_site_is_done_with_the_last_pc_that_is_needed() -> None:
    words = [DoneWord("osaka", 1_000.0 + 10 * pc) for pc in range(1, 11)]
    found = outcomes(KEPT, [*words, DoneWord("kobe", 1.0)], {"osaka": 1_070})["osaka"]
    assert (found.finish, found.done, found.wan_bytes) == (1_090.0, 10, 1_020)
    assert found.error == pytest.approx(100 / 90 - 1)
    assert whole_finish(KEPT, {"osaka": found}, 0.9) == 1_090.0


def test_what_is_not_done_has_no_error() -> None:
    found = outcomes(KEPT, [DoneWord("osaka", 1_010.0)] * 8, {})["osaka"]
    assert (found.finish, found.error, found.wan_bytes) == (None, None, 0)
    assert whole_finish(KEPT, {"osaka": found}, 0.9) is None
    at_once = outcomes(KEPT, [DoneWord("osaka", 1_030.0)] * 9, {})["osaka"]
    assert (at_once.finish, at_once.error) == (1_030.0, None), (
        "an error of seconds would be one of hundreds of percents"
    )


def test_never_is_kept_as_nothing() -> None:
    assert (finite(math.inf), finite(5.0)) == (None, 5.0)
