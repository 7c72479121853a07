"""A PC that connects again need not repeat what is recorded, and repeats all that may be lost."""

from typing import Any

import pytest
import trio

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.features import COUNTED_REPORTS
from p2pdist.shared.wire.messages import OLDEST_PROTOCOL, PatchReport, Report, Welcome
from seed_server.store.rows import EndpointRow
from tests.helpers.origin_endpoint import Connection, Identity
from tests.helpers.origin_harness import Lab

OTHER_RUN = "1" * 32
REPORT = PatchReport(
    patch_id="p", version="1", state="verified", progress=1.0, bytes_from_origin=1, bytes_from_peers=2,
    bytes_wasted=0, seconds=1.5, error="",
)  # fmt: skip


async def connected(lab: Lab, identity: Identity, **changes: object) -> tuple[Connection, Welcome]:
    return await lab.control(identity, **{"features": [COUNTED_REPORTS], **changes})


def row_of(lab: Lab, identity: Identity) -> EndpointRow:
    row = lab.database.endpoint(identity.endpoint)
    assert row is not None
    return row


async def said(lab: Lab, control: Connection, identity: Identity, serial: int, connection: int) -> None:
    """Send a report, and wait until it is in the database."""
    await control.send(Report(patches=[REPORT], refuses=f"report {serial}", serial=serial, connection=connection))
    with trio.fail_after(10):
        while row_of(lab, identity).refuses != f"report {serial}":  # noqa: ASYNC110
            await trio.sleep(0.05)


class TestCountedReports:
    async def test_what_is_recorded_is_named_to_the_same_run_of_the_same_pc_alone(self, lab: Lab) -> None:
        identity = lab.identity()
        control, welcome = await connected(lab, identity)
        assert welcome.recorded == 0
        assert welcome.connection
        for serial in (1, 2):
            await said(lab, control, identity, serial, welcome.connection)
        assert (await connected(lab, identity))[1].recorded == 2
        assert (await connected(lab, identity, instance=OTHER_RUN))[1].recorded == 0
        assert (await connected(lab, lab.identity()))[1].recorded == 0

    async def test_a_report_that_was_meant_for_an_earlier_connection_counts_for_nothing(self, lab: Lab) -> None:
        identity = lab.identity()
        _, first = await connected(lab, identity)
        control, second = await connected(lab, identity)
        assert first.connection != second.connection
        await said(lab, control, identity, 5, first.connection)
        assert (await connected(lab, identity))[1].recorded == 0

    async def test_what_cannot_be_written_is_not_called_recorded(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        identity, full = lab.identity(), [True]
        write = lab.database.save_reports

        def save(*arguments: Any) -> None:
            if full[0]:
                raise UserError("The disk is full.", FaultKind.STORAGE)
            write(*arguments)

        monkeypatch.setattr(lab.database, "save_reports", save)
        control, welcome = await connected(lab, identity)
        await control.send(Report(patches=[REPORT], refuses="", serial=1, connection=welcome.connection))
        await trio.sleep(1.5)  # it has been tried
        assert (await connected(lab, identity))[1].recorded == 0
        full[0] = False
        with trio.fail_after(10):
            while not row_of(lab, identity).recorded:  # noqa: ASYNC110
                await trio.sleep(0.05)
        assert row_of(lab, identity).recorded == 1

    async def test_a_pc_of_the_protocol_before_is_told_of_no_count(self, lab: Lab) -> None:
        _, welcome = await lab.control(lab.identity(), protocol=OLDEST_PROTOCOL)
        assert (welcome.connection, welcome.recorded) == (0, 0)
