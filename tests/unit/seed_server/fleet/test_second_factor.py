"""Codes of authenticator apps, and their sealed seeds."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.second_factor import TOTP_STEP_SECONDS, matching_step, new_second_factor, opened, seal

# RFC 6238, appendix B: of its eight digits, an app shows the last six
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_CODES = {59: "287082", 1_111_111_109: "081804", 1_234_567_890: "005924", 2_000_000_000: "279037"}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir(mode=0o700)
    return tmp_path / "keys" / "people.key"


@pytest.mark.parametrize("now", RFC_CODES)
def test_codes_are_those_of_the_standard(now: int) -> None:
    step = now // TOTP_STEP_SECONDS
    assert matching_step(SEED, RFC_CODES[now], now) == step
    assert matching_step(SEED, f"{RFC_CODES[now][:3]} {RFC_CODES[now][3:]}", now) == step  # as apps show it
    for beside in (-TOTP_STEP_SECONDS, TOTP_STEP_SECONDS):
        assert matching_step(SEED, RFC_CODES[now], now + beside) == step
        assert matching_step(SEED, RFC_CODES[now], now + 2 * beside) is None


@pytest.mark.parametrize("wrong", ["", "12345", "1234567", "٢٨٧٠٨٢", "28708a", "-28708", "287083"])
def test_what_is_no_code_is_none(wrong: str) -> None:
    assert matching_step(SEED, wrong, 59) is None


def test_a_seed_is_new_and_names_account_and_server() -> None:
    one, other = new_second_factor("ada", "hq"), new_second_factor("ada", "hq")
    assert one.seed != other.seed
    assert len(one.seed) == 32
    assert one.url.startswith("otpauth://totp/seed-server%20hq:ada?secret=" + one.seed)


def test_a_sealed_seed_opens_for_its_account_alone(key: Path) -> None:
    sealed = seal(key, "ada", SEED)
    assert SEED.encode() not in sealed
    assert seal(key, "ada", SEED) != sealed
    assert opened(key, "ada", sealed) == SEED
    assert key.stat().st_mode & 0o777 == 0o600
    for name, what in (("bob", sealed), ("ada", sealed[:-1]), ("ada", b""), ("ada", b"\0" * 60)):
        with pytest.raises(UserError, match="does not open") as caught:
            opened(key, name, what)
        assert caught.value.kind is FaultKind.STORAGE


def test_without_its_key_a_copy_of_the_database_gives_no_code(key: Path) -> None:
    sealed = seal(key, "ada", SEED)
    key.unlink()
    with pytest.raises(UserError, match=r"people totp NAME --remove"):
        opened(key, "ada", sealed)
    assert not key.exists()  # reading makes none
    for damaged in (b"", b"x" * 31, b"x" * 33):
        key.write_bytes(damaged)
        key.chmod(0o600)
        with pytest.raises(UserError, match="cannot be used"):
            opened(key, "ada", sealed)


def test_a_key_that_others_can_read_is_not_used(key: Path) -> None:
    sealed = seal(key, "ada", SEED)
    key.chmod(0o644)
    with pytest.raises(UserError) as caught:
        opened(key, "ada", sealed)
    assert caught.value.kind is FaultKind.REFUSED
