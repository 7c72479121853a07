"""All that the database knows of one PC, beside its patches and what it did. Blocking."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, not_, select

from p2pdist.shared.manifest.ring_facts import ToldFacts
from p2pdist.shared.wire import codec
from seed_server.store.endpoints import ENDPOINT_COLUMNS, endpoint_row
from seed_server.store.facts import MAX_FACTS_BYTES
from seed_server.store.rows import EndpointRow, ForgottenRow
from seed_server.store.tables import ENDPOINTS, ENROLMENTS, SITES, TOKENS
from seed_server.store.tables_events import FORGOTTEN_ENDPOINTS
from seed_server.store.tables_facts import ENDPOINT_FACTS, ENDPOINT_FINDINGS
from seed_server.store.transactions import Transactions

MOST_BESIDE = 10  # PCs of its site that are named
MOST_ENROLMENTS = 20

_PC = ENDPOINTS.c


class EnrolmentRow(NamedTuple):
    """By which token a PC was enrolled."""

    token_id: str
    at: float
    """Seconds since 1970."""
    made_by: str
    """Who made the token; empty: it is not known."""


class EndpointCardRow(NamedTuple):
    """One PC."""

    endpoint: EndpointRow
    enrolments: list[EnrolmentRow]
    """The newest first; empty: it is not known which tokens these were."""
    forgotten: list[ForgottenRow]
    """When a PC with this id was forgotten before, the last time first."""
    facts: dict[str, int | str] | None
    """What it said of itself; None: nothing yet."""
    findings: list[str]
    """What it said is wrong with it, in codes."""
    beside: int
    """How many other PCs of its site are connected."""
    some_beside: list[EndpointRow]
    """Some of them, by name."""


class EndpointCardTable(Transactions):
    """The part of `Database` that shows one PC; raises as all of it."""

    def endpoint_card(self, endpoint_id: str) -> EndpointCardRow | None:
        """Return what is known of a PC; None: it is not enrolled."""
        query = select(_PC.number, _PC.site.label("place"), *ENDPOINT_COLUMNS).join_from(ENDPOINTS, SITES)
        enrolled = select(ENROLMENTS.c.token_id, ENROLMENTS.c.at, TOKENS.c.made_by).join_from(
            ENROLMENTS, TOKENS, TOKENS.c.token_id == ENROLMENTS.c.token_id, isouter=True
        )
        gone = FORGOTTEN_ENDPOINTS.c
        with self.reading() as connection:
            row = connection.execute(query.where(_PC.endpoint_id == endpoint_id)).mappings().one_or_none()
            if row is None:
                return None
            values = dict(row)
            number, place = values.pop("number"), values.pop("place")
            newest = enrolled.where(ENROLMENTS.c.endpoint == number).order_by(ENROLMENTS.c.at.desc())
            enrolments = [
                EnrolmentRow(token_id, at, made_by or "")
                for token_id, at, made_by in connection.execute(newest.limit(MOST_ENROLMENTS))
            ]
            before = select(gone.endpoint_id, gone.hostname, gone.forgotten_at).where(gone.endpoint_id == endpoint_id)
            forgotten = [ForgottenRow(*one) for one in connection.execute(before.order_by(gone.forgotten_at.desc()))]
            facts = connection.scalar(select(ENDPOINT_FACTS.c.facts).where(ENDPOINT_FACTS.c.endpoint == number))
            codes = select(ENDPOINT_FINDINGS.c.code).where(ENDPOINT_FINDINGS.c.endpoint == number)
            findings = sorted(connection.scalars(codes))
            others = self._connected_beside(number, place)
            count = connection.scalar(select(func.count()).select_from(ENDPOINTS).where(others)) or 0
            beside = select(*ENDPOINT_COLUMNS).join_from(ENDPOINTS, SITES).where(others)
            some = connection.execute(beside.order_by(_PC.hostname, _PC.number).limit(MOST_BESIDE)).mappings()
            return EndpointCardRow(
                endpoint=endpoint_row(values),
                enrolments=enrolments,
                forgotten=forgotten,
                facts=None if facts is None else codec.decode(facts, ToldFacts, max_bytes=MAX_FACTS_BYTES),
                findings=findings,
                beside=count,
                some_beside=[endpoint_row(one) for one in some],
            )

    @staticmethod
    def _connected_beside(number: int, site: int) -> ColumnElement[bool]:
        return and_(_PC.site == site, _PC.number != number, _PC.connected_to.is_not(None), not_(_PC.denied))
