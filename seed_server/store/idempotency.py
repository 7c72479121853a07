"""The database's record of requests that are carried out once, however often they come. Blocking."""

from dataclasses import dataclass

from sqlalchemy import func, select

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.store.tables_api import IDEMPOTENCY
from seed_server.store.transactions import Transactions

KEY_KEPT_SECONDS = DAY_SECONDS  # longer than any program tries again
MAX_KEYS_OF_A_TOKEN = 20_000  # in that time: a request each four seconds
MAX_KEPT_ANSWER_BYTES = 64 << 10  # what a change answers with is a row or a few
AT_WORK, CUT_OFF = 0, 1
"""Values of `KeptAnswer.status` that are none of an answer."""


@dataclass(frozen=True)
class KeptAnswer:
    """What is known of a request that came before."""

    request: bytes
    """SHA-256 of what was asked for."""
    status: int
    """Of the answer, or one of `AT_WORK` and `CUT_OFF`."""
    answer: bytes
    """Its body; empty: it is not kept."""


class TooManyKeysError(Exception):
    """A token has given `MAX_KEYS_OF_A_TOKEN` keys within `KEY_KEPT_SECONDS`."""


class IdempotencyTable(Transactions):
    """The part of `Database` that is about requests which are carried out once; raises as all of it."""

    def begin_request(
        self, token_id: str, key: str, request: bytes, now: float, *, most: int = MAX_KEYS_OF_A_TOKEN
    ) -> KeptAnswer | None:
        """Note that a request is worked on; None: it is new. Else what is known of the one that came before.

        Raises `TooManyKeysError`.
        """
        ours = (IDEMPOTENCY.c.token_id == token_id) & (IDEMPOTENCY.c.key == key)
        with self._writing() as connection:
            connection.execute(IDEMPOTENCY.delete().where(IDEMPOTENCY.c.begun_at < now - KEY_KEPT_SECONDS))
            mine = select(func.count()).select_from(IDEMPOTENCY).where(IDEMPOTENCY.c.token_id == token_id)
            row = connection.execute(select(IDEMPOTENCY).where(ours)).one_or_none()
            if row is None and (connection.scalar(mine) or 0) >= most:
                raise TooManyKeysError
            if row is None:
                values = {"begun_at": now, "status": AT_WORK, "token_id": token_id, "key": key, "request": request}
                connection.execute(IDEMPOTENCY.insert().values(**values, answer=b""))  # one writes at a time
                return None
        return KeptAnswer(bytes(row.request), row.status, bytes(row.answer))

    def end_request(self, token_id: str, key: str, status: int, answer: bytes) -> None:
        """Keep the answer to a request."""
        ours = (IDEMPOTENCY.c.token_id == token_id) & (IDEMPOTENCY.c.key == key)
        with self._writing() as connection:
            connection.execute(IDEMPOTENCY.update().where(ours).values(status=status, answer=answer))

    def forget_request(self, token_id: str, key: str) -> None:
        """Let a request be new again: nothing of it was carried out."""
        ours = (IDEMPOTENCY.c.token_id == token_id) & (IDEMPOTENCY.c.key == key)
        with self._writing() as connection:
            connection.execute(IDEMPOTENCY.delete().where(ours))

    def requests_cut_off(self) -> int:
        """Say of what is worked on that it was cut off, when the process begins that does it; return of how many."""
        with self._writing() as connection:
            at_work = IDEMPOTENCY.update().where(IDEMPOTENCY.c.status == AT_WORK)
            return connection.execute(at_work.values(status=CUT_OFF)).rowcount
