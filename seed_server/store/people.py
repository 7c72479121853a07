"""The database's accounts, API tokens and attempts to log in. Blocking.

Of secrets only hashes are stored; what is sealed is sealed by whoever calls. What is one decision and its change runs
in a `people_change`, which one at a time has.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Row, func, select

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.store.engines import insert_into
from seed_server.store.people_rows import ApiTokenRow, LoginRow, PersonRow
from seed_server.store.tables_people import API_TOKENS, LOGINS, PEOPLE
from seed_server.store.tables_sessions import PASSKEYS, WEB_SESSIONS
from seed_server.store.token_names import hash_of_token, token_id_of
from seed_server.store.transactions import Transactions

USE_SHOWN_SECONDS = 60.0  # a token's last use is this exact: each request would be a write otherwise
FAILURES_KEPT_SECONDS = 3_600.0
PLACES_KEPT_SECONDS = 90.0 * DAY_SECONDS
MAX_LOGIN_ROWS = 10_000
SPENT_API_TOKEN_KEPT_SECONDS = 90.0 * DAY_SECONDS  # for so long it is listed why a program does not get in


class PersonTable(Transactions):
    """The part of `Database` that is about people; raises as all of it."""

    @contextmanager
    def people_change(self) -> Iterator[None]:
        """Make what is read and changed of people within the block one transaction, one after the other."""
        with self.batch(), self._writing() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
                connection.exec_driver_sql("LOCK TABLE people, logins IN EXCLUSIVE MODE")
            yield

    # --- accounts ------------------------------------------------------------------------

    def people(self) -> list[PersonRow]:
        """Return all accounts, by name."""
        with self.reading() as connection:
            return [_person(row) for row in connection.execute(select(PEOPLE).order_by(PEOPLE.c.name))]

    def person(self, name: str) -> PersonRow | None:
        """Return one account."""
        with self.reading() as connection:
            row = connection.execute(select(PEOPLE).where(PEOPLE.c.name == name)).one_or_none()
        return None if row is None else _person(row)

    def person_of_subject(self, subject: str) -> PersonRow | None:
        """Return the account of somebody whom an identity provider knows; ``subject`` is not empty."""
        with self.reading() as connection:
            row = connection.execute(select(PEOPLE).where(PEOPLE.c.subject == subject)).one_or_none()
        return None if row is None else _person(row)

    def add_person(self, person: PersonRow) -> bool:
        """Add an account, within a `people_change`; False: the name is taken."""
        with self._writing() as connection:
            if connection.scalar(select(PEOPLE.c.number).where(PEOPLE.c.name == person.name)) is not None:
                return False
            connection.execute(PEOPLE.insert().values(**_values(person), totp_step=0))
            return True

    def change_person(self, person: PersonRow) -> None:
        """Make the account of this name as ``person``."""
        with self._writing() as connection:
            connection.execute(PEOPLE.update().where(PEOPLE.c.name == person.name).values(**_values(person)))

    def remove_person(self, name: str) -> None:
        """Remove an account with its API tokens, sessions and keys."""
        ours = select(PEOPLE.c.number).where(PEOPLE.c.name == name).scalar_subquery()
        with self._writing() as connection:
            connection.execute(API_TOKENS.delete().where(API_TOKENS.c.person == ours))
            connection.execute(WEB_SESSIONS.delete().where(WEB_SESSIONS.c.person == ours))
            connection.execute(PASSKEYS.delete().where(PASSKEYS.c.person == ours))
            connection.execute(PEOPLE.delete().where(PEOPLE.c.name == name))
            connection.execute(LOGINS.delete().where(LOGINS.c.name == name))

    def take_totp_step(self, name: str, step: int) -> bool:
        """Record that the code of ``step`` was given; False: that one, or a later one, was given before."""
        new = (PEOPLE.c.name == name) & (PEOPLE.c.totp_step < step)
        with self._writing() as connection:
            return connection.execute(PEOPLE.update().where(new).values(totp_step=step)).rowcount == 1

    def begin_totp(self, name: str, step: int) -> None:
        """Record that ``step`` is the first whose code was given for a new seed; those of older seeds are no matter."""
        with self._writing() as connection:
            connection.execute(PEOPLE.update().where(PEOPLE.c.name == name).values(totp_step=step))

    # --- attempts to log in --------------------------------------------------------------

    def logins(self, name: str) -> list[LoginRow]:
        """Return how attempts to log in as ``name`` went, by place; also for a name that nobody has."""
        with self.reading() as connection:
            rows = connection.execute(select(LOGINS).where(LOGINS.c.name == name)).all()
        return [LoginRow(row.source, row.failures, row.failed_at, row.succeeded_at) for row in rows]

    def note_login_failure(self, name: str, source: str, now: float, *, most_rows: int = MAX_LOGIN_ROWS) -> None:
        """Count a failure; places of which nothing needs to be known any more are forgotten."""
        strange = LOGINS.c.succeeded_at == 0.0
        left = strange | (LOGINS.c.succeeded_at < now - PLACES_KEPT_SECONDS)
        old = (LOGINS.c.failed_at < now - FAILURES_KEPT_SECONDS) & left
        with self._writing() as connection:
            connection.execute(LOGINS.delete().where(old))
            if (connection.scalar(select(func.count()).select_from(LOGINS)) or 0) >= most_rows:
                failed = select(LOGINS.c.failed_at).where(strange).order_by(LOGINS.c.failed_at)
                median = connection.scalar(failed.offset(most_rows // 2).limit(1)) or now
                connection.execute(LOGINS.delete().where(strange, LOGINS.c.failed_at <= median))
            values = {"name": name, "source": source, "failures": 1, "failed_at": now, "succeeded_at": 0.0}
            insert = insert_into(connection, LOGINS).values(**values)
            change = {"failures": LOGINS.c.failures + 1, "failed_at": now}
            connection.execute(insert.on_conflict_do_update(index_elements=["name", "source"], set_=change))

    def forget_login_failure(self, name: str, source: str) -> None:
        """Take back one failure: the attempt was not looked at."""
        ours = (LOGINS.c.name == name) & (LOGINS.c.source == source) & (LOGINS.c.failures > 0)
        with self._writing() as connection:
            connection.execute(LOGINS.update().where(ours).values(failures=LOGINS.c.failures - 1))

    def note_login(self, name: str, source: str, now: float) -> None:
        """Record that somebody has logged in; failures from there are forgotten."""
        values = {"failures": 0, "failed_at": 0.0, "succeeded_at": now}
        with self._writing() as connection:
            insert = insert_into(connection, LOGINS).values(name=name, source=source, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["name", "source"], set_=values))
            connection.execute(PEOPLE.update().where(PEOPLE.c.name == name).values(logged_in_at=now))

    # --- API tokens ----------------------------------------------------------------------

    def add_api_token(self, secret: bytes, token: ApiTokenRow) -> None:
        """Accept ``secret`` as ``token``, whose owner has an account; of those long spent none is kept."""
        spent = API_TOKENS.c.expires_at < token.created_at - SPENT_API_TOKEN_KEPT_SECONDS
        owner = select(PEOPLE.c.number).where(PEOPLE.c.name == token.owner).scalar_subquery()
        values = {
            "secret_sha256": hash_of_token(secret),
            "token_id": token_id_of(secret),
            "person": owner,
            "label": token.label,
            "permissions": " ".join(token.permissions),
            "sites": " ".join(token.sites),
            "tags": " ".join(token.tags),
            "created_at": token.created_at,
            "made_by": token.made_by,
            "expires_at": token.expires_at,
            "used_at": 0.0,
        }
        with self._writing() as connection:
            connection.execute(API_TOKENS.delete().where(spent))
            connection.execute(API_TOKENS.insert().values(**values))

    def api_token(self, secret: bytes) -> ApiTokenRow | None:
        """Return the API token of a secret."""
        found = self._api_tokens(API_TOKENS.c.secret_sha256 == hash_of_token(secret))
        return found[0] if found else None

    def api_tokens(self, owner: str | None = None) -> list[ApiTokenRow]:
        """Return the API tokens of one account, or of all; the newest first."""
        return self._api_tokens(*(() if owner is None else (PEOPLE.c.name == owner,)))

    def open_api_token_counts(self, now: float) -> dict[str, int]:
        """Return how many open API tokens speak for each account that has any, by its name."""
        still = API_TOKENS.c.revoked_at.is_(None) & (API_TOKENS.c.expires_at > now)
        query = select(PEOPLE.c.name, func.count()).join_from(API_TOKENS, PEOPLE).where(still).group_by(PEOPLE.c.name)
        with self.reading() as connection:
            return dict(connection.execute(query).all())

    def revoke_api_token(self, token_id: str, now: float) -> None:
        """Let an API token speak for nobody any more; one that is revoked keeps the time of that."""
        ours = (API_TOKENS.c.token_id == token_id) & API_TOKENS.c.revoked_at.is_(None)
        with self._writing() as connection:
            connection.execute(API_TOKENS.update().where(ours).values(revoked_at=now))

    def revoke_all_api_tokens(self, now: float) -> int:
        """Let no API token and no login speak for anybody any more; return how many still did."""
        still = API_TOKENS.c.revoked_at.is_(None) & (API_TOKENS.c.expires_at > now)
        with self._writing() as connection:
            return connection.execute(API_TOKENS.update().where(still).values(revoked_at=now)).rowcount

    def note_api_token_use(self, token: ApiTokenRow, now: float) -> None:
        """Record that a token was used; at most once in `USE_SHOWN_SECONDS`."""
        if abs(now - token.used_at) < USE_SHOWN_SECONDS:
            return
        with self._writing() as connection:
            ours = API_TOKENS.c.token_id == token.token_id
            connection.execute(API_TOKENS.update().where(ours).values(used_at=now))

    def _api_tokens(self, *conditions: Any) -> list[ApiTokenRow]:
        query = select(API_TOKENS, PEOPLE.c.name).join_from(API_TOKENS, PEOPLE).where(*conditions)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(API_TOKENS.c.created_at.desc(), API_TOKENS.c.token_id)).all()
        return [
            ApiTokenRow(
                token_id=row.token_id,
                owner=row.name,
                label=row.label,
                permissions=_split(row.permissions),
                sites=_split(row.sites),
                tags=_split(row.tags),
                created_at=row.created_at,
                made_by=row.made_by,
                expires_at=row.expires_at,
                revoked_at=row.revoked_at,
                used_at=row.used_at,
            )
            for row in rows
        ]


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _joined(names: Sequence[str]) -> str:
    return " ".join(names)


def _person(row: Row[Any]) -> PersonRow:
    return PersonRow(
        name=row.name,
        roles=_split(row.roles),
        sites=_split(row.sites),
        tags=_split(row.tags),
        created_at=row.created_at,
        created_by=row.created_by,
        disabled=row.disabled,
        password=row.password,
        totp=row.totp,
        logged_in_at=row.logged_in_at,
        subject=row.subject,
    )


def _values(person: PersonRow) -> dict[str, object]:
    return {
        "name": person.name,
        "roles": _joined(person.roles),
        "sites": _joined(person.sites),
        "tags": _joined(person.tags),
        "created_at": person.created_at,
        "created_by": person.created_by,
        "disabled": person.disabled,
        "password": person.password,
        "totp": person.totp,
        "logged_in_at": person.logged_in_at,
        "subject": person.subject,
    }
