"""Codes of an authenticator app (TOTP, RFC 6238), and their sealed seeds. Blocking.

The key that opens them is not in the database: a copy of that alone gives no code to anybody.
"""

import hmac
from dataclasses import dataclass
from pathlib import Path

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_extra import need_server_extra
from seed_server.fleet import sealing
from seed_server.fleet.sealing import NotOpenedError, SealingError

TOTP_STEP_SECONDS = 30
WINDOW_STEPS = 1  # of a clock that is wrong, and of fingers that are slow
CODE_DIGITS = 6


@dataclass(frozen=True)
class NewSecondFactor:
    """A seed that was made: shown once."""

    seed: str
    """In base 32, to be typed."""
    url: str
    """``otpauth://…``, for a QR code."""


def new_second_factor(name: str, server: str, seed: str = "") -> NewSecondFactor:
    """Make a seed for an account, or show one again that was made a moment ago; the app shows both names."""
    need_server_extra("pyotp")
    import pyotp

    seed = seed or pyotp.random_base32()
    return NewSecondFactor(seed, pyotp.TOTP(seed).provisioning_uri(name=name, issuer_name=f"seed-server {server}"))


def matching_step(seed: str, code: str, now: float) -> int | None:
    """Return the time step whose code this is, of now and `WINDOW_STEPS` beside it; None: it is none of them."""
    need_server_extra("pyotp")
    import pyotp

    digits = "".join(code.split())
    if len(digits) != CODE_DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    step = int(now // TOTP_STEP_SECONDS)
    codes = pyotp.TOTP(seed, digits=CODE_DIGITS, interval=TOTP_STEP_SECONDS)
    found = None
    for tried in range(step - WINDOW_STEPS, step + WINDOW_STEPS + 1):
        if hmac.compare_digest(codes.generate_otp(max(0, tried)), digits):
            found = tried
    return found


def seal(key_file: Path, name: str, seed: str) -> bytes:
    """Return a seed that only the key in ``key_file`` opens, for this name alone; the key is made where none is.

    Raises `UserError`: STORAGE, REFUSED for a key that others can read.
    """
    try:
        return sealing.seal(key_file, name, seed.encode())
    except SealingError as error:
        raise _unusable(key_file, str(error)) from error


def opened(key_file: Path, name: str, sealed: bytes) -> str:
    """Return the seed that was sealed for ``name``. Raises `UserError`: STORAGE, REFUSED."""
    try:
        return sealing.unsealed(key_file, name, sealed).decode()
    except (NotOpenedError, ValueError) as error:
        raise _unusable(key_file, f"it does not open the second factor of {name}") from error
    except SealingError as error:
        raise _unusable(key_file, str(error)) from error


def _unusable(path: Path, why: str) -> UserError:
    return UserError(
        f"The key {path}, which seals second factors, cannot be used: {why}. Restore it from the backup of this "
        "server's home, or take the second factors away and set them up again: seed-server people totp NAME --remove",
        FaultKind.STORAGE,
    )
