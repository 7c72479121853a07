"""The database's rollouts and exceptions, and what the engine reads of PCs. Blocking."""

from collections.abc import Collection

import msgspec
from sqlalchemy import RowMapping, Text, case, cast, func, select

from p2pdist.shared.identifiers import PatchRef
from seed_server.store.engines import upsert
from seed_server.store.event_months import hot_events
from seed_server.store.rollout_records import (
    FAILED_INSTALLS,
    OVER_STATES,
    ApprovalRow,
    ExceptionRow,
    PcRow,
    PcWord,
    RolloutFault,
    RolloutRow,
)
from seed_server.store.tables import ENDPOINTS, PATCHES, SITES, STANDING, TEXTS, states_of
from seed_server.store.tables_rollouts import EXCEPTIONS, ROLLOUT_APPROVALS, ROLLOUT_FAULTS, ROLLOUTS
from seed_server.store.transactions import Transactions


class RolloutTable(Transactions):
    """The part of `Database` that is about rollouts; raises as all of it."""

    def add_rollout(self, row: RolloutRow) -> int:
        """Record a new rollout, whose ``number`` is not looked at; return its number."""
        values = {name: value for name, value in msgspec.structs.asdict(row).items() if name != "number"}
        with self._writing() as connection:
            return int(connection.execute(ROLLOUTS.insert().returning(ROLLOUTS.c.number), values).scalar_one())

    def change_rollout(
        self, number: int, *, state: str, progress: bytes, now: float, acknowledged: bytes | None = None
    ) -> None:
        """Record how a rollout stands now; ``acknowledged`` None: as before. By no clock is that before what was."""
        last = case((ROLLOUTS.c.changed_at > now, ROLLOUTS.c.changed_at), else_=now)
        values: dict[str, object] = {"state": state, "progress": progress, "changed_at": last}
        if acknowledged is not None:
            values["acknowledged"] = acknowledged
        with self._writing() as connection:
            connection.execute(ROLLOUTS.update().where(ROLLOUTS.c.number == number).values(values))

    def rollouts(self, *, live: bool = False) -> list[RolloutRow]:
        """Return all rollouts, the oldest first; ``live``: those that are not over."""
        query = select(ROLLOUTS).order_by(ROLLOUTS.c.number)
        if live:
            query = query.where(ROLLOUTS.c.state.not_in(OVER_STATES))
        with self.reading() as connection:
            return list(map(_rollout, connection.execute(query).mappings()))

    def rollout(self, number: int) -> RolloutRow | None:
        """Return one rollout; None: there is none of that number."""
        with self.reading() as connection:
            row = connection.execute(select(ROLLOUTS).where(ROLLOUTS.c.number == number)).mappings().one_or_none()
        return None if row is None else _rollout(row)

    def approvals(self, rollout: int) -> list[ApprovalRow]:
        """Return who approves a rollout, the first one first."""
        columns = [ROLLOUT_APPROVALS.c[name] for name in ApprovalRow.__struct_fields__]
        query = select(*columns).where(ROLLOUT_APPROVALS.c.rollout == rollout)
        with self.reading() as connection:
            found = [ApprovalRow(*row) for row in connection.execute(query)]
        return sorted(found, key=lambda row: (row.at, row.person))

    def all_approvals(self) -> dict[int, list[ApprovalRow]]:
        """Return who approves each rollout, by its number, the first one first."""
        columns = [ROLLOUT_APPROVALS.c[name] for name in ApprovalRow.__struct_fields__]
        found: dict[int, list[ApprovalRow]] = {}
        with self.reading() as connection:
            for rollout, *row in connection.execute(select(ROLLOUT_APPROVALS.c.rollout, *columns)):
                found.setdefault(rollout, []).append(ApprovalRow(*row))
        return {rollout: sorted(rows, key=lambda row: (row.at, row.person)) for rollout, rows in found.items()}

    def add_approval(self, rollout: int, row: ApprovalRow) -> None:
        """Record a person's word, in place of an earlier one of theirs."""
        with self._writing() as connection:
            connection.execute(
                upsert(connection, ROLLOUT_APPROVALS), msgspec.structs.asdict(row) | {"rollout": rollout}
            )

    def add_exception(self, row: ExceptionRow) -> int:
        """Record a new exception, whose ``number`` is not looked at; return its number."""
        values = {name: value for name, value in msgspec.structs.asdict(row).items() if name != "number"}
        with self._writing() as connection:
            return int(connection.execute(EXCEPTIONS.insert().returning(EXCEPTIONS.c.number), values).scalar_one())

    def end_exception(self, number: int, *, who: str, now: float) -> None:
        """Record that somebody ends an exception before its day."""
        ours = (EXCEPTIONS.c.number == number) & EXCEPTIONS.c.ended_at.is_(None)
        with self._writing() as connection:
            connection.execute(EXCEPTIONS.update().where(ours).values(ended_at=now, ended_by=who))

    def exceptions(self) -> list[ExceptionRow]:
        """Return all exceptions, also those that are over, the oldest first."""
        columns = [EXCEPTIONS.c[name] for name in ExceptionRow.__struct_fields__]
        with self.reading() as connection:
            return [ExceptionRow(*row) for row in connection.execute(select(*columns).order_by(EXCEPTIONS.c.number))]

    def rollout_faults(self) -> list[RolloutFault]:
        """Return which rollouts are not carried on, and why not."""
        columns = [ROLLOUT_FAULTS.c[name] for name in RolloutFault._fields]
        with self.reading() as connection:
            return [RolloutFault(*row) for row in connection.execute(select(*columns).order_by(columns[0]))]

    def keep_rollout_faults(self, faults: Collection[RolloutFault]) -> None:
        """Record that these are broken now, and no others."""
        with self._writing() as connection:
            connection.execute(ROLLOUT_FAULTS.delete())
            if faults:
                connection.execute(ROLLOUT_FAULTS.insert(), [one._asdict() for one in faults])

    # --- what the engine reads ---------------------------------------------------------------

    def ring_pcs(self, only: Collection[int] | None = None) -> list[PcRow]:
        """Return every PC, or those with one of these numbers, in the order of their numbers."""
        columns = (
            ENDPOINTS.c.number, ENDPOINTS.c.endpoint_id, ENDPOINTS.c.hostname, SITES.c.name, ENDPOINTS.c.tags,
            ENDPOINTS.c.denied, ENDPOINTS.c.connected_to, ENDPOINTS.c.last_seen_at,
        )  # fmt: skip
        query = select(*columns).join_from(ENDPOINTS, SITES).order_by(ENDPOINTS.c.number)
        if only is not None:
            query = query.where(ENDPOINTS.c.number.in_(sorted(only)))
        with self.reading() as connection:
            return [
                PcRow(number, name, hostname, site, tuple(tags.split()), not denied, server is not None, seen)
                for number, name, hostname, site, tags, denied, server, seen in connection.execute(query)
            ]

    def said_on(self, patch: int, *, failures_since: int) -> dict[tuple[str, str], list[int]]:
        """Return what PCs say of the patch with this number, and of each word the numbers of those that say it.

        Who failed before ``failures_since``, in seconds since `REPORTED_SINCE`, waits. One row for each word, not for
        each PC: a server that starts reads millions.
        """
        numbers = func.aggregate_strings(cast(STANDING.c.endpoint, Text), ",")
        earlier = (STANDING.c.reported_at < failures_since).label("earlier")
        query = select(STANDING.c.said, earlier, numbers).where(STANDING.c.patch == patch)
        found: dict[tuple[str, str], list[int]] = {}
        with self.reading() as connection:
            for said, is_past, text in connection.execute(query.group_by(STANDING.c.said, earlier)):
                state, install = states_of(said)
                word = (state, "waiting" if is_past and install in FAILED_INSTALLS else install)
                found.setdefault(word, []).extend(map(int, text.split(",")))
        return found

    def words_since(self, moment: int, patches: Collection[int]) -> list[PcWord]:
        """Return each step of a PC with ``patches`` at ``moment`` and after it, in seconds since `REPORTED_SINCE`.

        They come in their order. One that is being written may be missing, with an earlier moment than others that
        are there.
        """
        with self.reading() as connection:
            steps = hot_events(connection, moment)
            query = select(steps).where(steps.c.patch.in_(patches)).order_by(steps.c.at)
            found = connection.execute(query).mappings().all()
        return [PcWord(row["endpoint"], row["patch"], *states_of(row["said"]), row["at"]) for row in found]

    def install_words(self, patch: int) -> list[tuple[int, str, str]]:
        """Return of each PC that says anything of the patch: its number, the installation's state, and why it is so."""
        query = (
            select(STANDING.c.endpoint, STANDING.c.said, TEXTS.c.text)
            .outerjoin_from(STANDING, TEXTS, TEXTS.c.number == STANDING.c.reason)
            .where(STANDING.c.patch == patch)
        )
        with self.reading() as connection:
            return [(pc, states_of(said)[1], text or "") for pc, said, text in connection.execute(query)]

    def patch_number(self, ref: PatchRef) -> int | None:
        """Return the number of a published patch; None: it is not known."""
        ours = (PATCHES.c.patch_id == ref.patch_id) & (PATCHES.c.version == ref.version)
        with self.reading() as connection:
            return connection.scalar(select(PATCHES.c.number).where(ours))


def _rollout(row: RowMapping) -> RolloutRow:
    return RolloutRow(**{name: row[name] for name in RolloutRow.__struct_fields__})
