"""`seed-server audit custody`, as an auditor runs it; its proofs, checked by a verifier that shares nothing with us."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from p2pdist.identity.signed_statement import sign_statement
from p2pdist.identity.store import Identity
from p2pdist.shared.custody import Custody, CustodyRecord, custody_statement
from p2pdist.shared.custody_check import check_head
from p2pdist.shared.errors import UserError
from p2pdist.shared.language import use
from p2pdist.shared.wire.custody import CustodyTold
from seed_server.settings.home import ServerHome
from seed_server.store.custody import MAX_CUSTODY_LOGS, SignedPart
from seed_server.store.database import Database
from seed_server.store.tables_custody import CUSTODY_RECORDS
from tests.helpers.statements import Company
from tests.unit.seed_server.commands.test_audit_commands import Shell

NOW = 1_900_000_000.0


def say(home: ServerHome, pc: Identity, custody: Custody) -> None:
    statement = sign_statement(pc, custody_statement(pc.endpoint_id, custody, NOW))
    told = CustodyTold(custody.size, custody.root(), b"".join(custody.frontier), custody.records, statement)
    part = SignedPart(told, check_head(statement, None, pc.endpoint_id))
    with Database.open(home.database) as database:
        database.save_custody({pc.endpoint_id: part}, NOW)


def log_of(*patches: str) -> Custody:
    custody = Custody()
    for n, patch_id in enumerate(patches):
        custody = custody.with_record(CustodyRecord(int(NOW) + n, patch_id, "1", 7, n, "installed"))
    return custody


@pytest.fixture
def pc(tmp_path: Path) -> Identity:
    return Company(tmp_path / "ca", NOW).pc(NOW)


@pytest.fixture
def shell(tmp_path: Path, pc: Identity) -> Shell:
    shell = Shell(ServerHome(tmp_path / "home"))
    shell("init", "--name", "hq", "--address", "127.0.69.1")
    with Database.open(shell.home.database) as database:
        database.add_endpoint(pc.endpoint_id, "pc-17", NOW)
    return shell


def unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def proved(shown: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether the PC has signed this record: RFC 9162, 2.1.3.2, and RFC 7515."""
    (log,) = [log for log in shown["logs"] if log["log"] == record["log"]]
    head, body, signature = log["statement"].split(".")
    key = x509.load_der_x509_certificate(base64.b64decode(json.loads(unpacked(head))["x5c"][0])).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    raw = unpacked(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(der, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    said = json.loads(unpacked(body))
    at, last = record["number"], said["size"] - 1
    found = hashlib.sha256(b"\0" + base64.b64decode(record["record"])).digest()
    for sibling in map(bytes.fromhex, record["hashes"]):
        if at & 1 or at == last:
            found = hashlib.sha256(b"\1" + sibling + found).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + sibling).digest()
        at, last = at >> 1, last >> 1
    return bool(last == 0 and found.hex() == said["root"])


def test_what_a_pc_has_signed_is_shown_and_proved(shell: Shell, pc: Identity) -> None:
    assert "has signed nothing" in shell("audit", "custody", "pc-17")
    say(shell.home, pc, log_of("office", "browser", "office", "driver", "office"))
    text = shell("audit", "custody", "pc-17", "--patch", "office")
    assert "office@1" in text
    assert "browser" not in text
    assert "Log 0 is what the PC has signed: 5 records." in text
    shown = json.loads(shell("audit", "custody", pc.endpoint_id, "--patch", "office", "--json"))
    assert [one["number"] for one in shown["records"]] == [0, 2, 4]
    assert all(proved(shown, one) for one in shown["records"])
    other = shown["records"][0] | {"record": shown["records"][1]["record"]}
    assert not proved(shown, other)


def test_a_restored_pc_is_shown(shell: Shell, pc: Identity) -> None:
    say(shell.home, pc, log_of("office", "browser"))
    say(shell.home, pc, log_of("office"))
    text = shell("audit", "custody", "pc-17")
    assert "Log 1 does not continue the one before (shorter)" in text


def test_what_was_too_much_for_a_day_is_said(shell: Shell, pc: Identity) -> None:
    say(shell.home, pc, log_of("office"))
    shown = json.loads(shell("audit", "custody", "pc-17", "--json"))
    assert (shown["held_back"], shown["held_back_at"]) == (0, None)
    for n in range(MAX_CUSTODY_LOGS + 2):
        say(shell.home, pc, log_of(f"patch-{n}"))
    shown = json.loads(shell("audit", "custody", "pc-17", "--json"))
    assert (shown["held_back"], shown["held_back_at"]) == (3, NOW)
    text = shell("audit", "custody", "pc-17")
    assert "3 parts of its log were not written, the last at 2030-03-17 17:46 UTC" in " ".join(text.split())


@pytest.mark.parametrize("how", ["changed", "dropped", "swapped"])
def test_what_was_changed_on_the_server_is_found(shell: Shell, pc: Identity, how: str) -> None:
    say(shell.home, pc, log_of("office", "browser", "driver"))
    number = CUSTODY_RECORDS.c.number
    with Database.open(shell.home.database) as database, database._writing() as connection:
        if how == "changed":
            connection.execute(CUSTODY_RECORDS.update().where(number == 1).values(record=b"\x91\x01"))
        elif how == "dropped":
            connection.execute(CUSTODY_RECORDS.delete().where(number == 2))
        else:
            for old, new in ((0, 9), (1, 0), (9, 1)):
                connection.execute(CUSTODY_RECORDS.update().where(number == old).values(number=new))
    result = shell.run("audit", "custody", "pc-17")
    assert result.exit_code == 1
    assert "Log 0 is NOT what the PC has signed" in result.output


def test_all_of_it_is_said_in_japanese(shell: Shell, pc: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    custody = log_of("office").with_record(CustodyRecord(int(NOW), "", "", 0, 0, "aside"))
    for n in range(MAX_CUSTODY_LOGS + 2):
        say(shell.home, pc, log_of(f"patch-{n}"))
    say(shell.home, pc, custody)
    monkeypatch.setenv("COLUMNS", "1000")
    text = shell("--lang", "ja", "audit", "custody", "pc-17") + shell(
        "--lang", "ja", "audit", "custody", "pc-17", "--patch", "x"
    )
    use("en")
    sentences = [line for line in text.splitlines() if line.endswith(("。", "."))]
    assert len(sentences) > MAX_CUSTODY_LOGS
    assert [line for line in sentences if line.endswith(".")] == []


def test_a_pc_that_is_not_enrolled_is_named(shell: Shell) -> None:
    with pytest.raises(UserError, match="No endpoint nobody is enrolled"):
        shell("audit", "custody", "nobody")
