"""A login that is finished in a browser anywhere: device authorization (RFC 8628). Pure.

What the provider says is shown to people and paces us: both are bounded here, whatever it says.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
USUAL_POLL_SECONDS = 5.0  # RFC 8628, section 3.2: where the provider names none
LEAST_POLL_SECONDS = 1.0
MOST_POLL_SECONDS = 60.0
SLOWER_BY_SECONDS = 5.0  # section 3.5
MOST_LOGIN_SECONDS = 1_800.0  # most providers give 10 minutes
MAX_DEVICE_CODE_CHARS = 8 << 10
MAX_VERIFICATION_URI_CHARS = 1_000

_USER_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{2,38}[A-Za-z0-9]")
_ADDRESS = re.compile(rf"[\x21-\x7e]{{1,{MAX_VERIFICATION_URI_CHARS}}}")


class DeviceWait(enum.Enum):
    """What the provider says while nobody has finished yet."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"


DEVICE_WAITS: Mapping[str, DeviceWait] = {one.value: one for one in DeviceWait}


@dataclass(frozen=True)
class DeviceLogin:
    """A login that somebody finishes elsewhere."""

    device_code: str = field(repr=False)
    """The secret of this login: it is sent to the provider alone."""
    user_code: str
    """What the person types in there."""
    address: str
    whole_address: str
    """With the code in it; empty: the provider gave none."""
    lasts_seconds: float
    poll_seconds: float


def device_login(found: Mapping[str, Any]) -> DeviceLogin:
    """Return the login that a provider has begun. Raises `ValueError`, which says what is wrong with its answer."""
    device_code, user_code = found.get("device_code"), found.get("user_code")
    address, whole = found.get("verification_uri"), found.get("verification_uri_complete", "")
    if not isinstance(device_code, str) or not 1 <= len(device_code) <= MAX_DEVICE_CODE_CHARS:
        raise ValueError("it gave no device code")
    if not isinstance(user_code, str) or not _USER_CODE.fullmatch(user_code):
        raise ValueError("it gave no code that people could type in")
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise ValueError("it did not say where the code is typed in")
    if not isinstance(whole, str) or not _ADDRESS.fullmatch(whole):
        whole = ""
    lasts = _seconds(found.get("expires_in"), 0.0)
    if lasts <= 0:
        raise ValueError("it did not say how long the code lasts")
    poll = min(max(_seconds(found.get("interval"), USUAL_POLL_SECONDS), LEAST_POLL_SECONDS), MOST_POLL_SECONDS)
    return DeviceLogin(device_code, user_code, address, whole, min(lasts, MOST_LOGIN_SECONDS), poll)


def slower(poll_seconds: float, waiting: DeviceWait | None) -> float:
    """Return how long to wait after an answer; None: there was none, or it was none (section 3.5: back off)."""
    if waiting is DeviceWait.PENDING:
        return poll_seconds
    longer = 2 * poll_seconds if waiting is None else poll_seconds + SLOWER_BY_SECONDS
    return min(longer, MOST_POLL_SECONDS)


def _seconds(value: object, missing: float) -> float:
    plain = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9
    return float(value) if plain else missing  # type: ignore[arg-type] # is a number
