"""The origin port proves to PCs that the audit log has only grown, and logs what they say of it."""

from functools import partial
from pathlib import Path

from structlog.testing import capture_logs

from p2pdist.shared.merkle_log import log_root, proves_consistency
from p2pdist.shared.wire.features import AUDIT_WITNESS
from p2pdist.shared.wire.witness import AuditAlarm, Consistency, ConsistencyWanted
from tests.helpers.origin_harness import running_lab
from tests.unit.p2pdist.shared.test_merkle_log import Log


def _same(entry: bytes, _number: int) -> bytes:
    return entry


async def test_a_pc_gets_its_proof_and_its_alarm_is_logged(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        entries = [b"%d" % number for number in range(9)]
        with lab.database.batch():
            for entry in entries:
                lab.database.append_audit(partial(_same, entry))
        log = Log(entries)
        endpoint = await lab.endpoint()
        assert AUDIT_WITNESS in endpoint.welcome.features
        await endpoint.control.send(ConsistencyWanted(first=4, second=9))
        answer = await endpoint.control.expect(Consistency)
        hashes = [answer.hashes[at : at + 32] for at in range(0, len(answer.hashes), 32)]
        assert proves_consistency(4, log_root(4, log.hash_of), 9, log_root(9, log.hash_of), hashes)
        await endpoint.control.send(ConsistencyWanted(first=4, second=10))
        assert await endpoint.control.expect(Consistency) == Consistency(4, 10, b"")
        with capture_logs() as logged:
            await endpoint.control.send(AuditAlarm("shorter", 12, 9))
            await endpoint.control.send(ConsistencyWanted(first=4, second=9))
            await endpoint.control.expect(Consistency)
        (line,) = [line for line in logged if "audit log" in line["event"]]
        assert (line["log_level"], line["source"], line["known"]) == ("warning", endpoint.identity.endpoint, 12)
        await lab.still_serves()
