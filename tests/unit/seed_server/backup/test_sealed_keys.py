"""`seed_server.backup.sealed_keys`: who has the passphrase has the keys, and knows of what backup they are."""

import os

import pytest

from seed_server.backup.sealed_keys import LEAST_COST_LOG2, SEALED_MAGIC, SealedKeysError, open_sealed, seal

KEYS = {"keys/online/audit.pem": b"secret", "keys/ca/control.key": b"other"}
DIGEST, PASSPHRASE = b"d" * 32, b"correct horse battery"


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return seal(KEYS, DIGEST, PASSPHRASE, os.urandom, cost_log2=LEAST_COST_LOG2)


def test_keys_come_back(sealed: bytes) -> None:
    assert open_sealed(sealed, DIGEST, PASSPHRASE) == KEYS
    assert b"secret" not in sealed


def test_another_passphrase_opens_nothing(sealed: bytes) -> None:
    with pytest.raises(SealedKeysError, match="passphrase"):
        open_sealed(sealed, DIGEST, PASSPHRASE + b"!")


def test_another_list_of_files_is_told_from_another_passphrase(sealed: bytes) -> None:
    with pytest.raises(SealedKeysError, match="another list"):
        open_sealed(sealed, b"e" * 32, PASSPHRASE)


@pytest.mark.parametrize("place", [0, len(SEALED_MAGIC) + 1, len(SEALED_MAGIC) + 20, 80, -1])
def test_a_changed_byte_opens_nothing(sealed: bytes, place: int) -> None:
    changed = bytearray(sealed)
    changed[place] ^= 1
    with pytest.raises(SealedKeysError):
        open_sealed(bytes(changed), DIGEST, PASSPHRASE)


@pytest.mark.parametrize("cost", [0, LEAST_COST_LOG2 - 1, 21, 63, 255])
def test_no_file_has_us_take_more_memory_than_we_allow(sealed: bytes, cost: int) -> None:
    changed = SEALED_MAGIC + bytes([cost]) + sealed[len(SEALED_MAGIC) + 1 :]
    with pytest.raises(SealedKeysError, match="cost"):
        open_sealed(changed, DIGEST, PASSPHRASE)


@pytest.mark.parametrize("data", [b"", SEALED_MAGIC, SEALED_MAGIC + bytes([17]) + b"x" * 10])
def test_what_is_too_short_is_refused(data: bytes) -> None:
    with pytest.raises(SealedKeysError):
        open_sealed(data, DIGEST, PASSPHRASE)


def test_keys_have_no_other_place_than_the_folder_of_keys() -> None:
    for path in ("server.toml", "keys/../x", "/etc/x"):
        sealed = seal({path: b"x"}, DIGEST, PASSPHRASE, os.urandom, cost_log2=LEAST_COST_LOG2)
        with pytest.raises(SealedKeysError, match="does not know"):
            open_sealed(sealed, DIGEST, PASSPHRASE)
