"""`seed_server.signing.key_files`: real files, real encryption."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.signing.key_files import (
    MIN_PASSPHRASE_BYTES,
    OfflineKeys,
    create_signing_key,
    is_encrypted,
    key_path,
    load_signing_key,
)

PASSPHRASE = b"correct horse battery"


def test_a_plain_key_comes_back_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = key_path(tmp_path / "keys", "patches")
    key = create_signing_key(path, None)
    assert load_signing_key(path, None).private_bytes_raw() == key.private_bytes_raw()
    assert load_signing_key(path, PASSPHRASE).private_bytes_raw() == key.private_bytes_raw()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not is_encrypted(path)


def test_an_encrypted_key_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    path = key_path(tmp_path, "root")
    key = create_signing_key(path, PASSPHRASE)
    assert is_encrypted(path)
    assert key.private_bytes_raw() not in path.read_bytes()
    assert load_signing_key(path, PASSPHRASE).private_bytes_raw() == key.private_bytes_raw()
    with pytest.raises(UserError, match="does not open the root key") as wrong:
        load_signing_key(path, b"wrong horse battery")
    with pytest.raises(UserError, match="is encrypted.*--passphrase-file") as missing:
        load_signing_key(path, None)
    assert {wrong.value.kind, missing.value.kind} == {FaultKind.REFUSED}


def test_openssl_reads_the_files(tmp_path: Path) -> None:
    path = key_path(tmp_path, "root")
    create_signing_key(path, PASSPHRASE)
    command = ["openssl", "pkey", "-in", str(path), "-noout", "-text", "-passin", f"pass:{PASSPHRASE.decode()}"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ED25519" in result.stdout


@pytest.mark.parametrize("passphrase", [b"", b"x" * (MIN_PASSPHRASE_BYTES - 1), b"x" * 1_024])
def test_unfit_passphrases(tmp_path: Path, passphrase: bytes) -> None:
    with pytest.raises(UserError, match="passphrase has") as caught:
        create_signing_key(tmp_path / "root.pem", passphrase)
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert not list(tmp_path.iterdir())


def test_an_offline_folder_that_was_taken_away(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="attach the offline folder or pass --offline-keys DIR") as caught:
        OfflineKeys(tmp_path / "offline").load("patches")
    assert caught.value.kind is FaultKind.NOT_SET_UP
    assert not is_encrypted(tmp_path / "offline" / "patches.pem")


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "patches.pem"
    with pytest.raises(UserError, match="is not at"):
        load_signing_key(path, None)
    for content in (
        b"",
        b"not a key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"x" * 99_999,
    ):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(UserError, match="damaged or not an Ed25519 key") as caught:
            load_signing_key(path, None)
        assert caught.value.kind is FaultKind.STORAGE


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "patches.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path)],
        check=True,
        capture_output=True,
    )
    with pytest.raises(UserError, match="not an Ed25519 key"):
        load_signing_key(path, None)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write the key") as caught:
        create_signing_key(tmp_path / "file" / "root.pem", None)
    assert caught.value.kind is FaultKind.STORAGE


@pytest.mark.skipif(os.name == "nt", reason="modes say nothing there")
def test_nobody_is_told_to_close_a_folder_that_others_need(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(UserError, match="is not at"):
        load_signing_key(tmp_path / "none.pem", None)
    with pytest.raises(UserError, match="Move it to a folder of its own") as caught:
        load_signing_key(Path("/etc/passwd"), None)
    assert "chmod" not in caught.value.message
    create_signing_key(tmp_path / "own.pem", None)
    with pytest.raises(UserError, match=f"chmod 700 {tmp_path}"):
        load_signing_key(tmp_path / "own.pem", None)
