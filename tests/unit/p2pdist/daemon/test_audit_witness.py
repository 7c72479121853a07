"""`p2pdist.daemon.audit_witness`: when a PC asks for a proof, and what it says where there is none."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from p2pdist.daemon.audit_witness import (
    ALARM_WORDS,
    ASK_AGAIN_SECONDS,
    LATER_WORDS,
    PROOF_SECONDS,
    SHOWN_SECONDS,
    UNPROVED_WORDS,
    AuditWitness,
)
from p2pdist.shared.wire.features import AUDIT_WITNESS, SERVER_FEATURES
from p2pdist.shared.wire.messages import FromEndpoint
from p2pdist.shared.wire.witness import AuditAlarm, Consistency, ConsistencyWanted
from p2pdist.trust.witness import Witness
from tests.helpers.fake_clock import FakeClock
from tests.unit.p2pdist.shared.test_audit_checkpoint import COSIGNED
from tests.unit.p2pdist.trust.test_witness import FIVE, KNOWN, LOST, ServersLog, anchored

GROWN = ServersLog(*FIVE, b"5", b"6", b"7")


class Pc:
    """A PC's witness, and a server that answers as it is told to."""

    def __init__(self, path: Path, nursery: trio.Nursery) -> None:
        self.sent: list[FromEndpoint] = []
        self.path = path
        self.clock = FakeClock()
        self.server: ServersLog | None = KNOWN
        self.witness = AuditWitness(Witness(path), self._send, self.clock)
        nursery.start_soon(self.witness.run)

    async def _send(self, message: FromEndpoint) -> None:
        self.sent.append(message)
        if isinstance(message, ConsistencyWanted) and self.server is not None:
            self.witness.heard(Consistency(1, 2, b"of another question"))
            self.witness.heard(self.server.proof(message.first))

    async def after(self, seconds: float) -> list[FromEndpoint]:
        """Return what was sent within some time."""
        await trio.sleep(seconds)
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
async def pc(tmp_path: Path, nursery: trio.Nursery, autojump_clock: MockClock) -> Pc:
    autojump_clock.autojump_threshold = 0.05  # threads write files
    pc = Pc(tmp_path / "witness", nursery)
    pc.witness.welcomed(SERVER_FEATURES)
    pc.witness.told(KNOWN.note())
    assert await pc.after(1.0) == []
    assert Witness(pc.path).known_size == 5
    return pc


async def test_a_log_that_has_grown_is_asked_for_its_proof_once(pc: Pc, autojump_clock: MockClock) -> None:
    pc.server = GROWN
    pc.witness.told(GROWN.note())
    pc.witness.told(GROWN.note())
    assert await pc.after(10 * ASK_AGAIN_SECONDS) == [ConsistencyWanted(5, 8)]
    assert (pc.witness.problem, Witness(pc.path).known_size) == ("", 8)


async def test_a_fork_is_an_alarm_which_the_server_is_told_on_each_connection(
    pc: Pc, autojump_clock: MockClock
) -> None:
    pc.server = ServersLog(*FIVE[:4], b"other", b"5")
    pc.witness.told(pc.server.note())
    alarm = AuditAlarm("no_proof", 5, 6)
    assert await pc.after(1.0) == [ConsistencyWanted(5, 6), alarm]
    assert pc.witness.problem == ALARM_WORDS
    pc.witness.disconnected()
    pc.witness.welcomed(SERVER_FEATURES)
    pc.witness.told(GROWN.note())
    assert await pc.after(10 * ASK_AGAIN_SECONDS) == [alarm]
    pc.witness.disconnected()
    pc.witness.welcomed(())
    assert await pc.after(1.0) == [], "a server that knows nothing of it would not understand"


async def test_a_server_that_does_not_answer_is_asked_again_and_shown(pc: Pc, autojump_clock: MockClock) -> None:
    pc.server = None
    pc.witness.told(GROWN.note())
    assert await pc.after(PROOF_SECONDS - 1) == [ConsistencyWanted(5, 8)]
    assert pc.witness.problem == ""
    assert await pc.after(2) == []
    assert pc.witness.problem == UNPROVED_WORDS
    pc.server = GROWN
    assert await pc.after(ASK_AGAIN_SECONDS) == [ConsistencyWanted(5, 8)]
    assert pc.witness.problem == ""


async def test_a_server_that_cannot_prove_anything_is_shown(pc: Pc, autojump_clock: MockClock) -> None:
    pc.witness.disconnected()
    pc.witness.welcomed(tuple(name for name in SERVER_FEATURES if name != AUDIT_WITNESS))
    pc.witness.told(GROWN.note())
    assert await pc.after(1.0) == []
    assert pc.witness.problem == UNPROVED_WORDS


async def test_without_a_connection_it_waits_for_one(pc: Pc, autojump_clock: MockClock) -> None:
    pc.witness.disconnected()
    pc.server = GROWN
    pc.witness.told(GROWN.note())
    assert await pc.after(ASK_AGAIN_SECONDS) == []
    assert pc.witness.problem == ""
    pc.witness.welcomed(SERVER_FEATURES)
    assert await pc.after(1.0) == [ConsistencyWanted(5, 8)]


async def test_a_connection_that_ends_in_the_middle_is_no_silence_of_the_server(
    pc: Pc, autojump_clock: MockClock
) -> None:
    pc.server = None
    pc.witness.told(GROWN.note())
    assert await pc.after(1.0) == [ConsistencyWanted(5, 8)]
    pc.witness.disconnected()
    pc.server = GROWN
    await trio.sleep(1.0)
    assert pc.witness.problem == ""
    pc.witness.welcomed(SERVER_FEATURES)
    assert await pc.after(1.0) == [ConsistencyWanted(5, 8)]
    assert (pc.witness.problem, Witness(pc.path).known_size) == ("", 8)


async def test_a_full_disk_is_said_and_tried_again(
    pc: Pc, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    pc.server = GROWN
    with monkeypatch.context() as disk:
        disk.setattr("p2pdist.shared.durable_files.write_file", full)
        pc.witness.told(GROWN.note())
        await pc.after(1.0)
        assert "cannot be kept: No space left on device" in pc.witness.problem
    await pc.after(ASK_AGAIN_SECONDS)
    assert (pc.witness.problem, Witness(pc.path).known_size) == ("", 8)


async def test_no_log_is_no_problem(tmp_path: Path, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    pc = Pc(tmp_path / "witness", nursery)
    pc.witness.told(b"")
    pc.witness.welcomed(())
    assert await pc.after(1.0) == []
    assert pc.witness.problem == ""
    assert not pc.path.exists()


async def test_a_server_that_says_no_more_of_its_log_is_shown(pc: Pc, autojump_clock: MockClock) -> None:
    """Whoever rewrites a log signs none: that is no state that is judged, and no reason to say nothing."""
    pc.witness.told(b"")
    assert pc.witness.problem == UNPROVED_WORDS
    again = AuditWitness(Witness(pc.path), pc._send, pc.clock)
    again.told(b"")
    assert again.problem == UNPROVED_WORDS
    pc.witness.told(KNOWN.note())
    assert pc.witness.problem == ""


async def test_what_a_later_release_signs_is_shown_and_no_alarm(pc: Pc, autojump_clock: MockClock) -> None:
    pc.witness.told(GROWN.note() + COSIGNED.encode())
    assert await pc.after(ASK_AGAIN_SECONDS) == []
    assert pc.witness.problem == LATER_WORDS
    pc.server = GROWN
    pc.witness.told(GROWN.note())
    await pc.after(1.0)
    assert pc.witness.problem == ""


async def test_an_alarm_that_is_over_is_told_the_server_and_why_is_shown_for_a_month(
    pc: Pc, autojump_clock: MockClock
) -> None:
    pc.witness.told(ServersLog(*FIVE[:4]).note())
    assert await pc.after(1.0) == [AuditAlarm("shorter", 5, 4)]
    pc.clock.wall = 1_700_000_000 + 60
    pc.witness.told(LOST.note(), anchored(LOST, begun=1))
    over = AuditAlarm(None, 4, 0)
    assert await pc.after(1.0) == [over]
    assert "began again on 2023-11-14, as its operators have signed: a disk was lost." in pc.witness.problem
    assert "5 entries" in pc.witness.problem
    pc.witness.disconnected()
    pc.witness.welcomed(SERVER_FEATURES)
    assert await pc.after(1.0) == [over], "the server may not have heard it"
    pc.clock.wall += SHOWN_SECONDS
    assert pc.witness.problem == ""
