"""Enrolments of PCs in the audit log: each in the transaction of its entry, as what people do. Blocking."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from seed_server.enrolment.decisions import EnrolmentRecord, Recording
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed, Request
from seed_server.fleet.context import Context
from seed_server.store.database import Database


def recorded_enrolments(context: Context) -> Recording:
    """Return what records an enrolment together with its entry: done by the PC, known by its token."""

    @contextlib.contextmanager
    def recording(database: Database, enrolled: EnrolmentRecord) -> Iterator[None]:
        def done() -> tuple[Actor, Deed] | None:
            after = enrolled.after
            if after is None:
                return None
            details = {"hostname": after.hostname, "token": enrolled.token_id, "tags": " ".join(after.tags)}
            details["waits to be allowed"] = "yes" if after.pending else "no"
            deed = Deed("enrol", after.endpoint_id, details=details, before=enrolled.before, after=after)
            return Actor(after.endpoint_id, "enrolment token"), deed

        with replace(context, request=Request(enrolled.address)).joined(database, done):
            yield

    return recording
