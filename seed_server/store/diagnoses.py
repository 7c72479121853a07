"""The database's answers of endpoints to templates. Blocking."""

from collections.abc import Iterable

from sqlalchemy import func, select

from p2pdist.shared.manifest.template import MAX_TEMPLATES
from p2pdist.shared.wire.messages import Diagnosis
from seed_server.store.engines import upsert
from seed_server.store.rows import DiagnosisRow
from seed_server.store.tables import DIAGNOSES, ENDPOINTS
from seed_server.store.transactions import Transactions


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

    def forget_diagnoses(self, template: str) -> None:
        """Forget all answers to a template that has changed or is gone."""
        with self._writing() as connection:
            connection.execute(DIAGNOSES.delete().where(DIAGNOSES.c.template == template))

    def forget_other_diagnoses(self, templates: Iterable[str]) -> None:
        """Forget all answers but those to ``templates``."""
        with self._writing() as connection:
            connection.execute(DIAGNOSES.delete().where(DIAGNOSES.c.template.not_in(sorted(templates))))
