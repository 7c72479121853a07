"""Requests with an ``Idempotency-Key``: each is carried out once, however often it comes. Blocking.

What is kept is the answer to what was carried out. Where nothing was, the key may be given again, as if it were new.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from p2pdist.shared.errors import UserError
from seed_server.fleet.context import Context
from seed_server.store.idempotency import (
    AT_WORK,
    CUT_OFF,
    MAX_KEPT_ANSWER_BYTES,
    MAX_KEYS_OF_A_TOKEN,
    KeptAnswer,
    TooManyKeysError,
)
from seed_server.web.api.problems import ApiProblemError

KEY = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True)
class Keyed:
    """A request with a key."""

    token_id: str
    key: str
    request: bytes
    """SHA-256 of all that it asks for."""


def keyed(token_id: str, header: str, *asked: bytes) -> Keyed:
    """Return the request with the key in ``header``. Raises `ApiProblemError`."""
    if not KEY.fullmatch(header):
        raise ApiProblemError("malformed", "An Idempotency-Key has 1 to 200 visible ASCII characters.")
    digest = hashlib.sha256()
    for part in asked:
        digest.update(len(part).to_bytes(8, "big") + part)
    return Keyed(token_id, header, digest.digest())


def once(
    context: Context, asked: Keyed, status: int, carry_out: Callable[[], bytes], *, secret: bool
) -> tuple[bytes, bool]:
    """Carry a request out, or return the answer that it had; and whether it was that.

    ``secret``: the answer has one, so it is not kept. Raises `ApiProblemError`, `UserError`, and as ``carry_out``.
    """
    try:
        with context.database() as database:
            known = database.begin_request(asked.token_id, asked.key, asked.request, context.clock.now())
    except TooManyKeysError:
        raise ApiProblemError(
            "too-many", f"This token has given {MAX_KEYS_OF_A_TOKEN} Idempotency-Keys within a day. Leave them out "
            "where a request may come twice.",
        ) from None  # fmt: skip
    if known is not None:
        return _answered(asked, known), True
    try:
        answer = carry_out()
    except (UserError, ApiProblemError):  # operations do all, or nothing
        with context.database() as database:
            database.forget_request(asked.token_id, asked.key)
        raise
    except BaseException:
        with context.database() as database:
            database.end_request(asked.token_id, asked.key, CUT_OFF, b"")
        raise
    kept = b"" if secret or len(answer) > MAX_KEPT_ANSWER_BYTES else answer
    with context.database() as database:
        database.end_request(asked.token_id, asked.key, status, kept)
    return answer, False


def _answered(asked: Keyed, known: KeptAnswer) -> bytes:
    if known.request != asked.request:
        raise ApiProblemError("key-of-another", "Another request was sent with this Idempotency-Key before.")
    if known.status == AT_WORK:
        raise ApiProblemError("key-at-work", "This request came before, and is being worked on.")
    if known.status == CUT_OFF:
        raise ApiProblemError("key-cut-off", "This request came before, and the server was stopped while it worked.")
    if not known.answer:
        raise ApiProblemError("key-answer-gone", "This request came before, and was carried out.")
    return known.answer
