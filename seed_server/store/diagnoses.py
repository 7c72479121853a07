"""The database's answers of endpoints to templates. Blocking."""

import time
from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, func, select

from p2pdist.shared.manifest.template import MAX_TEMPLATES
from p2pdist.shared.wire.messages import Diagnosis
from seed_server.store.engines import upsert
from seed_server.store.rows import AnsweringPc, DiagnosisCount, DiagnosisRow
from seed_server.store.tables import DIAGNOSES, ENDPOINTS, SITES
from seed_server.store.transactions import OTHERS_TURN_SECONDS, Transactions

DIAGNOSES_AT_ONCE = 2_000  # of a transaction, and the rest of their PCs' to the same templates


class DiagnosisTable(Transactions):
    """The part of `Database` that is about diagnoses; raises as all of it."""

    def save_diagnosis(self, endpoint_id: str, diagnosis: Diagnosis, now: float) -> None:
        """Record an endpoint's answers to a template in place of its earlier ones; unknown endpoints are skipped.

        An endpoint that answers to made-up templates fills only its own quota, `MAX_TEMPLATES`.
        """
        with self._writing() as connection:
            number = connection.scalar(select(ENDPOINTS.c.number).where(ENDPOINTS.c.endpoint_id == endpoint_id))
            if number is None:
                return
            ours = DIAGNOSES.c.endpoint == number
            connection.execute(DIAGNOSES.delete().where(ours, DIAGNOSES.c.template == diagnosis.template))
            others = select(func.count(DIAGNOSES.c.template.distinct())).where(ours)
            if (connection.scalar(others) or 0) >= MAX_TEMPLATES:
                return
            common = {"endpoint": number, "template": diagnosis.template, "at": now}
            values = [
                common | {"label": one.label, "applies": one.applies, "needed": one.needed, "reason": one.reason}
                for one in diagnosis.answers
            ]
            connection.execute(upsert(connection, DIAGNOSES), values)

    def diagnoses(self, template: str) -> list[DiagnosisRow]:
        """Return the newest answers of every endpoint to a template."""
        columns = [DIAGNOSES.c[name] for name in DiagnosisRow.__struct_fields__[1:]]
        query = select(ENDPOINTS.c.endpoint_id, *columns).join_from(DIAGNOSES, ENDPOINTS)
        with self.reading() as connection:
            rows = connection.execute(query.where(DIAGNOSES.c.template == template)).all()
        # here, for each database has an order of its own
        return sorted((DiagnosisRow(*row) for row in rows), key=lambda row: (row.endpoint_id, row.label))

    def diagnosis_counts(self, template: str) -> list[DiagnosisCount]:
        """Return how many PCs have given which answer to which item of a template, and when the last one did."""
        given = (DIAGNOSES.c.label, DIAGNOSES.c.needed)
        query = select(*given, func.count(), func.max(DIAGNOSES.c.at)).where(DIAGNOSES.c.template == template)
        with self.reading() as connection:
            return [DiagnosisCount(*row) for row in connection.execute(query.group_by(*given))]

    def pcs_that_answered(
        self, template: str, label: str, needed: bool | None, *, after: int, limit: int
    ) -> list[AnsweringPc]:
        """Return PCs that have given one answer to an item, by their numbers, from the one behind ``after`` on."""
        said = and_(DIAGNOSES.c.endpoint.is_not(None), DIAGNOSES.c.needed.is_not_distinct_from(needed))
        return self._answering(template, label, said, after, limit)

    def pcs_without_answer(self, template: str, label: str, *, after: int, limit: int) -> list[AnsweringPc]:
        """Return PCs that have not answered to an item, likewise."""
        return self._answering(template, label, DIAGNOSES.c.endpoint.is_(None), after, limit)

    def _answering(
        self, template: str, label: str, condition: ColumnElement[bool], after: int, limit: int
    ) -> list[AnsweringPc]:
        pc, said = ENDPOINTS.c, DIAGNOSES.c
        ours = and_(said.endpoint == pc.number, said.template == template, said.label == label)
        query = select(pc.number, pc.endpoint_id, pc.hostname, SITES.c.name, func.coalesce(said.reason, ""), said.at)
        query = query.join_from(ENDPOINTS, SITES).outerjoin(DIAGNOSES, ours).where(condition, pc.number > after)
        with self.reading() as connection:
            return [AnsweringPc(*row) for row in connection.execute(query.order_by(pc.number).limit(limit))]

    def forget_diagnoses(self, template: str, before: float, *, at_once: int = DIAGNOSES_AT_ONCE) -> None:
        """Forget the answers from before a time to a template that has changed or is gone.

        In several transactions, where these are many: what PCs answer meanwhile to the template as it is now stays.
        """
        old = and_(DIAGNOSES.c.template == template, DIAGNOSES.c.at <= before)
        while self._forget_some(old, at_once):
            time.sleep(OTHERS_TURN_SECONDS)

    def forget_other_diagnoses(self, templates: Iterable[str], before: float) -> None:
        """As `forget_diagnoses`, all answers but those to ``templates``."""
        old = and_(DIAGNOSES.c.template.not_in(sorted(templates)), DIAGNOSES.c.at <= before)
        while self._forget_some(old, DIAGNOSES_AT_ONCE):
            time.sleep(OTHERS_TURN_SECONDS)

    def _forget_some(self, old: ColumnElement[bool], at_once: int) -> bool:
        """Forget some of those that are ``old``; return whether there are more."""
        some = select(DIAGNOSES.c.endpoint).where(old).limit(at_once)
        with self._writing() as connection:
            connection.execute(DIAGNOSES.delete().where(old, DIAGNOSES.c.endpoint.in_(some)))
            return connection.scalar(select(DIAGNOSES.c.endpoint).where(old).limit(1)) is not None
