"""Passwords of accounts: Argon2id, and nothing that tells by its time whether an account exists. Blocking."""

import contextlib
import secrets
import threading
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_extra import need_server_extra

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_PASSWORD_CHARS = 12
MAX_PASSWORD_CHARS = 200
MAX_TYPED_CHARS = 4 * MAX_PASSWORD_CHARS  # some systems type a letter and its accents one by one
SHORTEST_NAME_CHARS = 3  # of an account, that may not be in its password: every text has shorter ones in it
PASSES, MEMORY_KIB, LANES = 3, 64 << 10, 2  # some 0.1 s of two cores; a guesser needs the memory too
PASSWORDS_AT_ONCE = 2  # 128 MiB, and no more of the cores than two
PASSWORD_TURN_SECONDS = 10.0

FIRST_GROUPS, GROUP_CHARS = 5, 4
FIRST_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # of a first password; none is taken for another one: 99 bits

NOBODYS_PASSWORD = (
    "$argon2id$v=19$m=65536,t=3,p=2$bm9ib2R5J3NhbHQxMjM0NQ$"  # noqa: S105 - opens nothing: no hash has this value
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
"""To be verified where there is no password: it takes as long, and fails."""

_turns = threading.BoundedSemaphore(PASSWORDS_AT_ONCE)


def check_new_password(password: str, name: str) -> None:
    """Raise `UserError` (BAD_INPUT) for a password that is not fit for the account ``name``."""
    try:
        password.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            "The password has characters that are none. Type it in a terminal that is set to UTF-8.",
            FaultKind.BAD_INPUT,
        ) from error
    chars = len(password) if len(password) > MAX_TYPED_CHARS else len(_normal(password))
    if not MIN_PASSWORD_CHARS <= chars <= MAX_PASSWORD_CHARS:
        raise UserError(
            f"The password has {chars} characters; it must have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS}. Choose "
            "another one.",
            FaultKind.BAD_INPUT,
        )
    if _has_name(password, name) or len(set(password)) < MIN_PASSWORD_CHARS // 3:
        raise UserError(
            "The password has the account's name in it, or is of few characters again and again. Choose another one.",
            FaultKind.BAD_INPUT,
        )


def _has_name(password: str, name: str) -> bool:
    return len(name) >= SHORTEST_NAME_CHARS and name.casefold() in password.casefold()


def first_password(name: str) -> str:
    """Return a password for the account ``name`` that nobody has chosen, to be read out or typed once: ``k7pd-…``."""
    while True:
        letters = [secrets.choice(FIRST_LETTERS) for _ in range(FIRST_GROUPS * GROUP_CHARS)]
        groups = ("".join(letters[start : start + GROUP_CHARS]) for start in range(0, len(letters), GROUP_CHARS))
        if not _has_name(password := "-".join(groups), name):  # a short name may be in it by chance
            return password


def hash_password(password: str) -> str:
    """Return what the database keeps of a password. Raises `UserError` (BUSY)."""
    with _turn():
        return _hasher().hash(_octets(password))


def password_matches(kept: str, password: str) -> bool:
    """Whether ``password`` is the one that was kept as ``kept``; empty: there is none, which takes as long to tell.

    Raises `UserError` (BUSY).
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    long = len(password) > MAX_TYPED_CHARS
    with _turn(), contextlib.suppress(VerificationError, InvalidHashError):
        _hasher().verify(kept or NOBODYS_PASSWORD, b"" if long else _octets(password))
        return bool(kept) and not long
    return False


def is_outdated(kept: str) -> bool:
    """Whether a password is kept with other costs than new ones are."""
    return _hasher().check_needs_rehash(kept)


def _normal(password: str) -> str:
    # the same keys give different characters on different systems
    return unicodedata.normalize("NFKC", password)


def _octets(password: str) -> bytes:
    return _normal(password).encode(errors="surrogatepass")  # whatever a terminal gives is wrong at most


def _hasher() -> "PasswordHasher":
    need_server_extra("argon2")
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=PASSWORD_TURN_SECONDS):
        raise UserError("Too many people log in at this moment. Try again.", FaultKind.BUSY)
    try:
        yield
    finally:
        _turns.release()
