"""`seed_server.fleet.device_login`: what a provider says of a login by a code is bounded before it is shown."""

from typing import Any

import pytest

from seed_server.fleet.device_login import MOST_LOGIN_SECONDS, MOST_POLL_SECONDS, DeviceWait, device_login, slower

GOOD = {"device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": "https://x/go", "expires_in": 600}


def test_what_is_not_said_is_usual() -> None:
    login = device_login(GOOD)
    assert (login.poll_seconds, login.lasts_seconds, login.whole_address) == (5.0, 600.0, "")
    assert "'d'" not in repr(login)


@pytest.mark.parametrize(
    ("interval", "seconds"), [(0, 1), (-3, 5), (9, 9), (1e6, 60), (1e300, 5), ("x", 5), (True, 5), (None, 5)]
)
def test_the_pace_is_bounded(interval: object, seconds: float) -> None:
    login = device_login({**GOOD, "interval": interval, "expires_in": 10**8})
    assert (login.poll_seconds, login.lasts_seconds) == (seconds, MOST_LOGIN_SECONDS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"device_code": ""},
        {"device_code": 7},
        {"device_code": "d" * 9_000},
        {"user_code": "\x1b[2Jcode"},
        {"user_code": "a" * 41},
        {"user_code": "ab\ncd"},
        {"user_code": None},
        {"verification_uri": "https://x/\x1b]0;title"},
        {"verification_uri": "https://x/" + "a" * 1_000},
        {"verification_uri": None},
        {"expires_in": 0},
        {"expires_in": "long"},
    ],
)
def test_what_could_not_be_shown_or_waited_for_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="it "):
        device_login({**GOOD, **wrong})


def test_a_whole_address_that_could_not_be_shown_is_left_out() -> None:
    assert device_login({**GOOD, "verification_uri_complete": "https://x/\x1b[2J"}).whole_address == ""


def test_who_is_asked_to_slow_down_does_so_for_good() -> None:
    assert slower(5, DeviceWait.PENDING) == 5
    assert slower(5, DeviceWait.SLOW_DOWN) == 10
    assert slower(5, None) == 10, "it did not answer"
    assert slower(58, DeviceWait.SLOW_DOWN) == slower(50, None) == MOST_POLL_SECONDS
