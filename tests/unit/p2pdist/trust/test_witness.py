"""`p2pdist.trust.witness`: what a PC has seen of an audit log, and what does not follow from it."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist.shared.audit_checkpoint import LaterCheckpointError, signed_checkpoint
from p2pdist.shared.log_anchor import LogAnchor, LogBeginning, decode_anchor, encode_anchor
from p2pdist.shared.merkle_log import consistency_proof, log_root
from p2pdist.shared.wire.witness import Consistency, WitnessFault
from p2pdist.trust.witness import ProofQuestion, Witness
from tests.unit.p2pdist.shared.test_audit_checkpoint import COSIGNED
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


def anchored(log: ServersLog, number: int = 1, begun: int = 0) -> bytes:
    """Return what the offline role signs for the key of ``log``; it began again with the anchor ``begun``, 0: never."""
    beginning = LogBeginning(begun, 1_700_000_000, "a disk was lost") if begun else None
    return encode_anchor(LogAnchor(1, number, log.note(), 1_700_000_000, "the key was stolen", beginning=beginning))


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


NEW = ServersLog(*FIVE, b"5", key=OTHER_KEY)
LOST = ServersLog(*FIVE[:3], b"restored", key=OTHER_KEY)


def test_another_key_is_taken_from_the_offline_role_and_the_log_must_still_go_on(path: Path) -> None:
    witness = Witness(path)
    question = witness.look(NEW.note(), anchored(NEW))
    assert question is not None
    assert (witness.fault, witness.known_size) == (None, 5), "nothing is believed without a proof"
    witness.answer(question, NEW.proof(5))
    assert (witness.fault, Witness(path).known_size) == (None, 6)
    later = ServersLog(*FIVE, b"5", b"6", key=OTHER_KEY)
    question = Witness(path).look(later.note(), anchored(NEW))
    assert question is not None
    assert witness.begun_again is None


def test_the_key_from_before_signs_nothing_any_more(path: Path) -> None:
    witness = Witness(path)
    assert witness.look(KNOWN.note(), anchored(NEW)) is None
    assert witness.fault is None, "what is known already is no news"
    assert witness.look(ServersLog(*FIVE, b"5").note(), anchored(NEW)) is None
    assert witness.fault == "other_key"


def test_another_key_lets_nobody_write_the_log_anew(path: Path) -> None:
    forked = ServersLog(*FIVE[:4], b"other", b"5", key=OTHER_KEY)
    witness = Witness(path)
    question = witness.look(forked.note(), anchored(forked))
    assert question is not None
    witness.answer(question, forked.proof(5))
    assert witness.fault == "no_proof"
    shorter = Witness(path)
    assert shorter.look(ServersLog(*FIVE[:2], key=OTHER_KEY).note(), anchored(forked, 2)) is None
    assert shorter.fault == "no_proof"


def test_what_the_anchor_itself_says_may_be_older_than_what_is_known(path: Path) -> None:
    older = ServersLog(*FIVE[:3], key=OTHER_KEY)
    witness = Witness(path)
    assert witness.look(older.note(), anchored(older)) is None
    assert (witness.fault, witness.known_size) == (None, 5)
    assert witness.look(ServersLog(*FIVE[:2], key=OTHER_KEY).note(), anchored(older)) is None
    assert witness.fault == "shorter"


def test_a_log_that_begins_again_ends_the_alarm_and_the_evidence_stays(path: Path) -> None:
    alarmed = Witness(path)
    told = ServersLog(*FIVE[:3], b"restored").note()
    assert alarmed.look(told) is None
    assert (alarmed.fault, alarmed.begun_again, alarmed.had_alarm) == ("shorter", None, True)
    witness = Witness(path)
    assert witness.look(LOST.note(), anchored(LOST, begun=1)) is None
    for one in (witness, Witness(path)):
        assert (one.fault, one.known_size, one.had_alarm) == (None, 4, True)
        assert one.begun_again == (LogBeginning(1, 1_700_000_000, "a disk was lost"), 5)
    assert KNOWN.note() in path.read_bytes()
    assert told in path.read_bytes()
    grown = ServersLog(*FIVE[:3], b"restored", b"more", key=OTHER_KEY)
    question = witness.look(grown.note(), anchored(LOST, begun=1))
    assert question is not None
    witness.answer(question, grown.proof(4))
    assert (witness.fault, witness.known_size) == (None, 5)
    forked = ServersLog(*FIVE, b"x", key=OTHER_KEY)
    question = witness.look(forked.note(), anchored(LOST, begun=1))
    assert question is not None
    witness.answer(question, forked.proof(5))
    assert witness.fault == "no_proof", "it began again once, not for ever"
    assert witness.look(LOST.note(), anchored(LOST, begun=1)) is None
    assert witness.fault == "no_proof"


def test_a_pc_that_was_away_learns_later_that_the_log_began_again(path: Path) -> None:
    third = Ed25519PrivateKey.from_private_bytes(b"3" * 32)
    newest = ServersLog(*FIVE[:3], b"restored", b"more", key=third)
    witness = Witness(path)
    assert witness.look(newest.note(), anchored(newest, number=3, begun=2)) is None
    assert (witness.fault, witness.known_size) == (None, 5)
    again = anchored(newest, number=4, begun=2)
    assert witness.look(LOST.note(), again) is None
    assert witness.fault == "other_key", "that was known"


def test_an_anchor_from_before_is_passed_over(path: Path) -> None:
    witness = Witness(path)
    assert witness.look(LOST.note(), anchored(LOST, number=2, begun=2)) is None
    third = ServersLog(b"own", key=Ed25519PrivateKey.from_private_bytes(b"3" * 32))
    assert witness.look(third.note(), anchored(third, number=2, begun=2)) is None
    assert (witness.fault, witness.known_size) == ("other_key", 4)


def test_a_new_pc_believes_the_offline_role_before_the_server(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "witness")
    forked = ServersLog(b"other", *FIVE, key=OTHER_KEY)
    question = witness.look(forked.note(), anchored(LOST, begun=1))
    assert question is not None
    assert question.known.size == 4
    assert witness.begun_again is None, "it has seen nothing before"


@pytest.mark.parametrize(
    ("note", "anchor"),
    [
        (ServersLog(*FIVE, b"5").note() + COSIGNED.encode(), b""),
        (NEW.note(), b"\x80"),
        (NEW.note(), b"of a later form"),
    ],
)
def test_what_a_later_release_signs_is_neither_believed_nor_an_alarm(path: Path, note: bytes, anchor: bytes) -> None:
    witness = Witness(path)
    with pytest.raises(LaterCheckpointError):
        witness.look(note, anchor)
    assert (witness.fault, witness.known_size, witness.had_alarm) == (None, 5, False)


def test_an_anchor_is_read_as_it_was_signed() -> None:
    anchor = decode_anchor(anchored(NEW, number=3, begun=2))
    assert (anchor.number, anchor.known.size, anchor.begins_after(1), anchor.begins_after(2)) == (3, 6, True, False)
