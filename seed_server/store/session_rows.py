"""The database's sessions in browsers and keys of people. Blocking."""

from typing import Any, get_args

from sqlalchemy import Row, func, select

from seed_server.store.session_records import PasskeyRow, SessionProof, WebSessionRow
from seed_server.store.tables_people import PEOPLE
from seed_server.store.tables_sessions import PASSKEYS, TAKEN_CHALLENGES, WEB_SESSIONS
from seed_server.store.token_names import hash_of_token
from seed_server.store.transactions import Transactions

USE_NOTED_SECONDS = 60.0  # each page would be a write otherwise
MAX_SESSIONS = 20  # of one account: browsers of one person; the one that was used least lately ends


class SessionTable(Transactions):
    """The part of `Database` that is about logins in a browser; raises as all of it."""

    # --- sessions ------------------------------------------------------------------------

    def add_web_session(self, secret: bytes, session: WebSessionRow, *, most: int = MAX_SESSIONS) -> None:
        """Let ``secret`` open ``session``, whose person has an account; of those that are over none is kept."""
        owner = select(PEOPLE.c.number).where(PEOPLE.c.name == session.person).scalar_subquery()
        now = session.created_at
        over = (WEB_SESSIONS.c.ends_at <= now) | (WEB_SESSIONS.c.used_at + WEB_SESSIONS.c.idle_seconds <= now)
        values = {
            "secret_sha256": hash_of_token(secret),
            "session_id": session.session_id,
            "person": owner,
            "created_at": session.created_at,
            "used_at": session.used_at,
            "ends_at": session.ends_at,
            "idle_seconds": session.idle_seconds,
            "factor_at": session.factor_at,
            "proof": session.proof,
            "address": session.address,
            "browser": session.browser,
        }
        with self._writing() as connection:
            connection.execute(WEB_SESSIONS.delete().where(over))
            newest = select(WEB_SESSIONS.c.session_id).where(WEB_SESSIONS.c.person == owner)
            kept = list(connection.scalars(newest.order_by(WEB_SESSIONS.c.used_at.desc()).limit(most - 1)))
            mine = WEB_SESSIONS.c.person == owner
            connection.execute(WEB_SESSIONS.delete().where(mine, WEB_SESSIONS.c.session_id.not_in(kept)))
            connection.execute(WEB_SESSIONS.insert().values(**values))

    def web_session(self, secret: bytes) -> WebSessionRow | None:
        """Return the session that a cookie's secret opens, whether it is over or not."""
        found = self._web_sessions(WEB_SESSIONS.c.secret_sha256 == hash_of_token(secret))
        return found[0] if found else None

    def web_sessions(self, person: str | None = None) -> list[WebSessionRow]:
        """Return the sessions of one account, or of all; the one that was used last comes first."""
        return self._web_sessions(*(() if person is None else (PEOPLE.c.name == person,)))

    def note_web_session_use(self, session: WebSessionRow, now: float) -> None:
        """Record that a session was used; at most once in `USE_NOTED_SECONDS`."""
        if abs(now - session.used_at) < USE_NOTED_SECONDS:
            return
        with self._writing() as connection:
            ours = WEB_SESSIONS.c.session_id == session.session_id
            connection.execute(WEB_SESSIONS.update().where(ours).values(used_at=now))

    def note_second_factor(self, session_id: str, now: float) -> None:
        """Record that a second factor was shown in a session."""
        with self._writing() as connection:
            ours = WEB_SESSIONS.c.session_id == session_id
            connection.execute(WEB_SESSIONS.update().where(ours).values(factor_at=now))

    def end_web_session(self, session_id: str) -> None:
        """Let a session speak for nobody any more."""
        with self._writing() as connection:
            connection.execute(WEB_SESSIONS.delete().where(WEB_SESSIONS.c.session_id == session_id))

    def end_web_sessions(self, person: str, *, but: str = "") -> int:
        """End the sessions of an account, ``but`` one; return how many ended."""
        owner = select(PEOPLE.c.number).where(PEOPLE.c.name == person).scalar_subquery()
        mine = (WEB_SESSIONS.c.person == owner) & (WEB_SESSIONS.c.session_id != but)
        with self._writing() as connection:
            return connection.execute(WEB_SESSIONS.delete().where(mine)).rowcount

    def end_all_web_sessions(self) -> int:
        """End the sessions of everybody; return how many there were."""
        with self._writing() as connection:
            return connection.execute(WEB_SESSIONS.delete()).rowcount

    def _web_sessions(self, *conditions: Any) -> list[WebSessionRow]:
        query = select(WEB_SESSIONS, PEOPLE.c.name).join_from(WEB_SESSIONS, PEOPLE).where(*conditions)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(WEB_SESSIONS.c.used_at.desc(), WEB_SESSIONS.c.session_id)).all()
        return [
            WebSessionRow(
                session_id=row.session_id,
                person=row.name,
                created_at=row.created_at,
                used_at=row.used_at,
                ends_at=row.ends_at,
                idle_seconds=row.idle_seconds,
                proof=_proof(row.proof),
                factor_at=row.factor_at,
                address=row.address,
                browser=row.browser,
            )
            for row in rows
        ]

    # --- keys ----------------------------------------------------------------------------

    def add_passkey(self, key: PasskeyRow) -> bool:
        """Add a key, whose person has an account; False: it is somebody's already."""
        owner = select(PEOPLE.c.number).where(PEOPLE.c.name == key.person).scalar_subquery()
        known = select(PASSKEYS.c.key_id).where(PASSKEYS.c.credential_id == key.credential_id)
        values = {
            "credential_id": key.credential_id,
            "key_id": key.key_id,
            "person": owner,
            "name": key.name,
            "public_key": key.public_key,
            "sign_count": key.sign_count,
            "made_at": key.made_at,
            "used_at": key.used_at,
        }
        with self._writing() as connection:
            if connection.scalar(known) is not None:
                return False
            connection.execute(PASSKEYS.insert().values(**values))
            return True

    def passkeys(self, person: str) -> list[PasskeyRow]:
        """Return the keys of an account, the oldest first."""
        return self._passkeys(PEOPLE.c.name == person)

    def passkey(self, credential_id: bytes) -> PasskeyRow | None:
        """Return one key."""
        found = self._passkeys(PASSKEYS.c.credential_id == credential_id)
        return found[0] if found else None

    def count_passkeys(self) -> dict[str, int]:
        """Return how many keys each account has that has any."""
        query = select(PEOPLE.c.name, func.count()).join_from(PASSKEYS, PEOPLE).group_by(PEOPLE.c.name)
        with self.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def rename_passkey(self, key_id: str, name: str) -> None:
        """Call a key by another name."""
        with self._writing() as connection:
            connection.execute(PASSKEYS.update().where(PASSKEYS.c.key_id == key_id).values(name=name))

    def remove_passkey(self, key_id: str) -> None:
        """Let a key open nothing any more."""
        with self._writing() as connection:
            connection.execute(PASSKEYS.delete().where(PASSKEYS.c.key_id == key_id))

    def remove_passkeys(self, person: str) -> int:
        """Remove all keys of an account; return how many there were."""
        owner = select(PEOPLE.c.number).where(PEOPLE.c.name == person).scalar_subquery()
        with self._writing() as connection:
            return connection.execute(PASSKEYS.delete().where(PASSKEYS.c.person == owner)).rowcount

    def take_passkey_use(self, key: PasskeyRow, sign_count: int, now: float) -> bool:
        """Record that a key was used, and how far it has counted; False: it was used meanwhile, and counts."""
        ours = (PASSKEYS.c.key_id == key.key_id) & (PASSKEYS.c.sign_count == key.sign_count)
        with self._writing() as connection:
            change = PASSKEYS.update().where(ours).values(sign_count=sign_count, used_at=now)
            return connection.execute(change).rowcount == 1

    def take_challenge(self, challenge: bytes, now: float, until: float) -> bool:
        """Record that an answer to ``challenge`` was taken; False: one was taken before. It is none after ``until``."""
        name = hash_of_token(challenge)
        with self._writing() as connection:
            connection.execute(TAKEN_CHALLENGES.delete().where(TAKEN_CHALLENGES.c.until < now))
            known = select(TAKEN_CHALLENGES.c.until).where(TAKEN_CHALLENGES.c.challenge_sha256 == name)
            if connection.scalar(known) is not None:
                return False
            connection.execute(TAKEN_CHALLENGES.insert().values(challenge_sha256=name, until=until))  # one writes
            return True

    def _passkeys(self, *conditions: Any) -> list[PasskeyRow]:
        query = select(PASSKEYS, PEOPLE.c.name.label("owner")).join_from(PASSKEYS, PEOPLE).where(*conditions)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(PASSKEYS.c.made_at, PASSKEYS.c.key_id)).all()
        return [_passkey(row) for row in rows]


def _passkey(row: Row[Any]) -> PasskeyRow:
    return PasskeyRow(
        key_id=row.key_id,
        person=row.owner,
        name=row.name,
        credential_id=bytes(row.credential_id),
        public_key=bytes(row.public_key),
        sign_count=row.sign_count,
        made_at=row.made_at,
        used_at=row.used_at,
    )


def _proof(text: str) -> SessionProof:
    return next((one for one in get_args(SessionProof) if one == text), "password")
