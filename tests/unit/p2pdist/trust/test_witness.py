"""`p2pdist.trust.witness`: what a PC has seen of an audit log, and what does not follow from it."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist.shared.audit_checkpoint import signed_checkpoint
from p2pdist.shared.merkle_log import consistency_proof, log_root
from p2pdist.shared.wire.witness import Consistency, WitnessFault
from p2pdist.trust.witness import ProofQuestion, Witness
from tests.unit.p2pdist.shared.test_merkle_log import Log

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
ORIGIN = "p2pdist-audit/" + "ab" * 16


class ServersLog:
    """A log as its server has it, and what it signs."""

    def __init__(self, *entries: bytes, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> None:
        self.log, self.size, self._key, self._origin = Log(entries), len(entries), key, origin

    def note(self) -> bytes:
        return signed_checkpoint(self._origin, self.size, log_root(self.size, self.log.hash_of), self._key)

    def proof(self, first: int) -> Consistency:
        return Consistency(first, self.size, b"".join(consistency_proof(first, self.size, self.log.hash_of)))


FIVE = [b"%d" % number for number in range(5)]
KNOWN = ServersLog(*FIVE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the file of a PC that has seen `KNOWN`."""
    path = tmp_path / "witness"
    assert Witness(path).look(KNOWN.note()) is None
    return path


def asked(path: Path, log: ServersLog) -> tuple[Witness, ProofQuestion]:
    witness = Witness(path)
    question = witness.look(log.note())
    assert question is not None
    return witness, question


def test_what_is_seen_first_is_believed_and_kept(path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0
    again = Witness(path)
    assert (again.fault, again.known_size) == (None, 5)
    assert again.look(KNOWN.note()) is None
    assert again.fault is None


def test_a_log_that_has_grown_proves_it(path: Path) -> None:
    grown = ServersLog(*FIVE, b"5", b"6")
    witness, question = asked(path, grown)
    assert (question.known.size, question.told.size, witness.known_size) == (5, 7, 5)
    witness.answer(question, grown.proof(5))
    assert (witness.fault, Witness(path).known_size) == (None, 7)


@pytest.mark.parametrize("hashes", [b"", b"x" * 32, b"x" * 33])
def test_a_proof_that_fails_is_an_alarm(path: Path, hashes: bytes) -> None:
    witness, question = asked(path, ServersLog(*FIVE, b"5"))
    witness.answer(question, Consistency(5, 6, hashes))
    assert (witness.fault, witness.known_size, witness.told_size) == ("no_proof", 5, 6)


def test_a_fork_proves_nothing(path: Path) -> None:
    forked = ServersLog(*FIVE[:3], b"other", b"4", b"5", b"6")
    witness, question = asked(path, forked)
    witness.answer(question, forked.proof(5))
    assert witness.fault == "no_proof"


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (ServersLog(*FIVE[:4]).note(), "shorter"),
        (ServersLog().note(), "shorter"),
        (ServersLog(*FIVE[:4], b"other").note(), "other_entries"),
        (ServersLog(*FIVE, b"5", key=OTHER_KEY).note(), "other_key"),
        (ServersLog(*FIVE, key=OTHER_KEY).note(), "other_key"),
        (ServersLog(*FIVE, b"5", origin="p2pdist-audit/" + "00" * 16).note(), "other_key"),
        (b"no note", "malformed"),
        (b"x" * 5_000, "malformed"),
    ],
)
def test_an_alarm_stays_with_its_evidence(path: Path, told: bytes, fault: WitnessFault) -> None:
    witness = Witness(path)
    assert witness.look(told) is None
    for later in (witness, Witness(path)):
        assert (later.fault, later.known_size) == (fault, 5)
        assert later.look(ServersLog(*FIVE, b"5").note()) is None, "nothing that comes later mends it"
    kept = path.read_bytes()
    assert KNOWN.note() in kept
    assert told[:1_024] in kept


@pytest.mark.parametrize("damage", [b"", b"x" * 40, b"x" * 9_000])
def test_a_damaged_file_is_that_of_a_pc_that_has_seen_nothing(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    witness = Witness(path)
    assert (witness.fault, witness.known_size, witness.told_size) == (None, 0, 0)
    assert witness.look(ServersLog(b"0").note()) is None
    assert Witness(path).known_size == 1


def test_a_full_disk_is_told_and_nothing_is_believed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown = ServersLog(*FIVE, b"5")
    witness, question = asked(path, grown)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("p2pdist.shared.durable_files.write_file", full)
    with pytest.raises(OSError, match="No space"):
        witness.answer(question, grown.proof(5))
    assert witness.known_size == 5
