"""The database's endpoints: who is enrolled, denied, and where. Blocking."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select

from seed_server.store.engines import insert_into, upsert
from seed_server.store.interned import forget_unused_texts, parts, site_numbers
from seed_server.store.inventory import clear_inventory
from seed_server.store.rows import Admission, EndpointRow, Recorded, SeenRow
from seed_server.store.software_rows import forget_unused_software
from seed_server.store.standing_rows import count_endpoint, move_to_sites
from seed_server.store.tables import COUNTERS, ENDPOINTS, SITE_LIMITS, SITES, STANDING, THIS_SERVER
from seed_server.store.tables_events import FORGOTTEN_ENDPOINTS
from seed_server.store.transactions import Transactions

ADMISSIONS = "admissions"

ENDPOINT_COLUMNS = (
    ENDPOINTS.c.endpoint_id,
    ENDPOINTS.c.hostname,
    ENDPOINTS.c.enrolled_at,
    ENDPOINTS.c.denied,
    SITES.c.name.label("site"),
    ENDPOINTS.c.address,
    ENDPOINTS.c.software,
    ENDPOINTS.c.connected_to,
    ENDPOINTS.c.last_seen_at,
    ENDPOINTS.c.tags,
    ENDPOINTS.c.pending,
    ENDPOINTS.c.claimed_site,
    ENDPOINTS.c.refuses,
    ENDPOINTS.c.shared_with,
    ENDPOINTS.c.recorded_of,
    ENDPOINTS.c.recorded,
)
_FORGOTTEN = FORGOTTEN_ENDPOINTS.c
_QUERY = select(*ENDPOINT_COLUMNS).join(SITES)


class EndpointTable(Transactions):
    """The part of `Database` that is about endpoints; raises as all of it."""

    def add_endpoint(self, endpoint_id: str, hostname: str, now: float, tags: Sequence[str] = ()) -> None:
        """Record an enrolment; a key that enrols again keeps its row, and stays denied if it was.

        One that was forgotten gets its number back: what it did, and what it has signed, is its own again.
        """
        with self._writing() as connection:
            again = {"hostname": hostname, "enrolled_at": now, "tags": " ".join(tags)}
            if connection.execute(ENDPOINTS.update().where(ENDPOINTS.c.endpoint_id == endpoint_id), again).rowcount:
                return
            nowhere = site_numbers(connection, [""])[""]
            before = select(func.max(_FORGOTTEN.number)).where(_FORGOTTEN.endpoint_id == endpoint_id)
            number = connection.scalar(before)
            known = {} if number is None else {"number": number}
            connection.execute(ENDPOINTS.insert(), again | known | {"endpoint_id": endpoint_id, "site": nowhere})

    def endpoints(self) -> list[EndpointRow]:
        """Return all endpoints, by hostname."""
        with self.reading() as connection:
            rows = connection.execute(_QUERY).mappings().all()
        # here, for each database has an order of its own
        return sorted(map(endpoint_row, rows), key=lambda row: (row.hostname, row.endpoint_id))

    def endpoint(self, endpoint_id: str) -> EndpointRow | None:
        """Return one endpoint, or None when it is not enrolled."""
        with self.reading() as connection:
            row = connection.execute(_QUERY.where(ENDPOINTS.c.endpoint_id == endpoint_id)).mappings().one_or_none()
        return None if row is None else endpoint_row(row)

    def endpoint_names(self) -> list[tuple[str, str]]:
        """Return the id and the host name of every endpoint, in the order of their enrolment."""
        with self.reading() as connection:
            query = select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.hostname).order_by(ENDPOINTS.c.number)
            return [(endpoint_id, hostname) for endpoint_id, hostname in connection.execute(query)]

    def shared_identities(self) -> dict[str, list[str]]:
        """Return the endpoints whose identity several PCs show, by the sites where they were seen last."""
        query = select(SITES.c.name, ENDPOINTS.c.endpoint_id).join_from(ENDPOINTS, SITES)
        found: dict[str, list[str]] = {}
        with self.reading() as connection:
            for site, endpoint_id in connection.execute(query.where(ENDPOINTS.c.shared_with != "")):
                found.setdefault(site, []).append(endpoint_id)
        return {site: sorted(ids) for site, ids in found.items()}

    def last_seen_at(self) -> float:
        """Return when any endpoint was seen last; 0: none ever was."""
        with self.reading() as connection:
            return connection.scalar(select(func.max(ENDPOINTS.c.last_seen_at))) or 0.0

    def admissions(self, endpoint_ids: Sequence[str]) -> dict[str, Admission]:
        """Return of each endpoint what is to be known when it connects; those that are not enrolled are left out."""
        columns = (ENDPOINTS.c.endpoint_id, ENDPOINTS.c.denied, ENDPOINTS.c.recorded_of, ENDPOINTS.c.recorded)
        with self.reading() as connection:
            return {
                endpoint_id: Admission(denied, instance, serial)
                for part in parts(endpoint_ids)
                for endpoint_id, denied, instance, serial in connection.execute(
                    select(*columns).where(ENDPOINTS.c.endpoint_id.in_(part))
                )
            }

    def enrolled(self) -> dict[str, bool]:
        """Return the ids of all endpoints, and whether each is denied."""
        with self.reading() as connection:
            return dict(connection.execute(select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.denied)).all())

    def denied_ids(self) -> list[str]:
        """Return the ids of the endpoints that an operator has denied, those that enrolled last at the end."""
        query = select(ENDPOINTS.c.endpoint_id).where(ENDPOINTS.c.denied, ~ENDPOINTS.c.pending)
        with self.reading() as connection:
            return list(connection.scalars(query.order_by(ENDPOINTS.c.number)))

    def enrolled_addresses(self) -> list[str]:
        """Return the addresses where endpoints that are not denied were seen last, each once."""
        query = select(ENDPOINTS.c.address).where(~ENDPOINTS.c.denied, ENDPOINTS.c.address != "").distinct()
        with self.reading() as connection:
            return list(connection.scalars(query))

    def denied_named(self, hostname: str, but: str) -> list[str]:
        """Return the ids of denied endpoints that call themselves ``hostname``, in any case, without ``but``."""
        query = select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.hostname).where(
            ENDPOINTS.c.denied, ENDPOINTS.c.endpoint_id != but
        )
        with self.reading() as connection:
            named = connection.execute(query.order_by(ENDPOINTS.c.number)).all()
        return [endpoint_id for endpoint_id, name in named if name.casefold() == hostname.casefold()]

    def set_denied(self, endpoint_id: str, denied: bool, *, pending: bool = False) -> None:
        """Deny an endpoint, or allow it; ``pending``: deny it until an operator has looked at it."""
        ours = ENDPOINTS.c.endpoint_id == endpoint_id
        with self._writing() as connection:
            row = connection.execute(select(ENDPOINTS.c.number, ENDPOINTS.c.denied).where(ours)).one_or_none()
            if row is None:
                return
            if row.denied != denied:
                count_endpoint(connection, row.number, -1 if denied else 1)
            connection.execute(ENDPOINTS.update().where(ours).values(denied=denied, pending=pending))
            self._admissions_changed()

    def forget_endpoint(self, endpoint_id: str, now: float = 0.0) -> None:
        """Remove an endpoint with its reports, inventory, answers and enrolments; its name stays beside what it did.

        ``now`` 0: it is not known when that was.
        """
        ours = ENDPOINTS.c.endpoint_id == endpoint_id
        query = select(ENDPOINTS.c.number, ENDPOINTS.c.denied, ENDPOINTS.c.hostname).where(ours)
        with self._writing() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return
            if not row.denied:
                count_endpoint(connection, row.number, -1)
            clear_inventory(connection, row.number)
            connection.execute(ENDPOINTS.delete().where(ours))
            name = {"number": row.number, "endpoint_id": endpoint_id, "hostname": row.hostname, "forgotten_at": now}
            connection.execute(upsert(connection, FORGOTTEN_ENDPOINTS), name)
            self._admissions_changed()

    def forget_what_nobody_says(self) -> None:
        """Forget words that forgotten PCs alone have said, and names of packages that they alone had.

        They would stay for a while otherwise; it takes a second in a large fleet.
        """
        for forget in (forget_unused_texts, forget_unused_software):
            with self._writing() as connection:
                forget(connection)

    def admissions_version(self) -> int:
        """Return a number that rises when an endpoint was denied, allowed or forgotten, by any process."""
        with self.reading() as connection:
            query = select(COUNTERS.c.count).where(COUNTERS.c.name == ADMISSIONS)
            return connection.scalar(query) or 0

    def _admissions_changed(self) -> None:
        with self._writing() as connection:
            insert = insert_into(connection, COUNTERS).values(name=ADMISSIONS, count=1)
            risen = {"count": COUNTERS.c.count + 1}
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=risen))

    def save_seen(self, rows: Mapping[str, SeenRow]) -> None:
        """Record where endpoints are, and whether they are connected; unknown ones are skipped."""
        if not rows:
            return
        update = ENDPOINTS.update().where(ENDPOINTS.c.endpoint_id == bindparam("of"))
        with self._writing() as connection:
            numbers = site_numbers(connection, (seen.site for seen in rows.values()))
            query = select(ENDPOINTS.c.number, ENDPOINTS.c.endpoint_id)
            for part in parts(sorted(rows)):
                found = connection.execute(query.where(ENDPOINTS.c.endpoint_id.in_(part)))
                move_to_sites(connection, {number: numbers[rows[endpoint_id].site] for number, endpoint_id in found})
            connection.execute(update, [_seen_values(endpoint_id, seen, numbers) for endpoint_id, seen in rows.items()])

    def moving(self, rows: Mapping[str, SeenRow]) -> dict[str, int]:
        """Return of how many patches those PCs have spoken that are in another site now: that much moves along."""
        found: dict[str, int] = {}
        query = select(ENDPOINTS.c.endpoint_id, SITES.c.name, ENDPOINTS.c.number).join(SITES)
        said = select(STANDING.c.endpoint, func.count()).group_by(STANDING.c.endpoint)
        with self.reading() as connection:
            for part in parts(sorted(rows)):
                there = connection.execute(query.where(ENDPOINTS.c.endpoint_id.in_(part)))
                moved = {number: name for name, site, number in there if site != rows[name].site}
                if moved:
                    counted = connection.execute(said.where(STANDING.c.endpoint.in_(moved)))
                    found |= {moved[number]: count for number, count in counted}
        return found

    def save_refusals(self, refusals: Mapping[str, str]) -> None:
        """Record why endpoints accept nothing new that was signed here; empty: they do."""
        if not refusals:
            return
        changed = (ENDPOINTS.c.endpoint_id == bindparam("of")) & (ENDPOINTS.c.refuses != bindparam("said"))
        update = ENDPOINTS.update().where(changed).values(refuses=bindparam("said"))
        with self._writing() as connection:
            connection.execute(update, [{"of": of, "said": said} for of, said in refusals.items()])

    def save_recorded(self, rows: Mapping[str, Recorded]) -> None:
        """Record up to which of their reports endpoints need not repeat any: with these, in one transaction."""
        if not rows:
            return
        ours = ENDPOINTS.c.endpoint_id == bindparam("of")
        update = ENDPOINTS.update().where(ours).values(recorded_of=bindparam("run"), recorded=bindparam("serial"))
        with self._writing() as connection:
            said = [{"of": of, "run": row.instance, "serial": row.serial} for of, row in rows.items()]
            connection.execute(update, said)

    def disconnect_all(self, now: float) -> None:
        """Record that no endpoint is connected and nothing is sent: `serve` has just started, or ends."""
        with self._writing() as connection:
            here = ENDPOINTS.c.connected_to == THIS_SERVER
            connection.execute(ENDPOINTS.update().where(here).values(connected_to=None, last_seen_at=now))
            shared = ENDPOINTS.c.shared_with != ""  # to be seen anew
            connection.execute(ENDPOINTS.update().where(shared).values(shared_with=""))
            sending = (SITE_LIMITS.c.server == THIS_SERVER) & SITE_LIMITS.c.active
            connection.execute(SITE_LIMITS.update().where(sending).values(active=False))


def _seen_values(endpoint_id: str, seen: SeenRow, numbers: Mapping[str, int]) -> dict[str, object]:
    values = msgspec.structs.asdict(seen)
    here = THIS_SERVER if values.pop("connected") else None
    return values | {"of": endpoint_id, "site": numbers[seen.site], "connected_to": here}


def endpoint_row(row: Mapping[Any, Any]) -> EndpointRow:
    """Return the row of these `ENDPOINT_COLUMNS`."""
    values = dict(row)
    connected = values.pop("connected_to") is not None
    return EndpointRow(**values | {"connected": connected, "tags": tuple(values["tags"].split())})
