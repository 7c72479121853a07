"""`seed_server.fleet.sealing`: what is sealed opens with its key, for its name alone."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import UserError
from seed_server.fleet.sealing import NotOpenedError, SealingError, seal, unsealed

SECRET = bytes(range(40))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir(mode=0o700)
    return tmp_path / "keys" / "some.key"


def test_it_opens_for_its_name_alone(key: Path) -> None:
    sealed = seal(key, "chat", SECRET)
    assert SECRET not in sealed
    assert seal(key, "chat", SECRET) != sealed
    assert unsealed(key, "chat", sealed) == SECRET
    for name, what in (("other", sealed), ("chat", sealed[:-1]), ("chat", b""), ("chat", b"\0" * 60)):
        with pytest.raises(NotOpenedError):
            unsealed(key, name, what)


@pytest.mark.parametrize(("content", "words"), [(b"x" * 31, "too short"), (b"x" * 33, "too long")])
def test_a_key_of_another_size_is_none(key: Path, content: bytes, words: str) -> None:
    key.write_bytes(content)
    key.chmod(0o600)
    with pytest.raises(SealingError, match=words):
        seal(key, "chat", SECRET)


def test_a_key_that_is_missing_or_open_to_others(key: Path) -> None:
    with pytest.raises(SealingError, match="No such file"):
        unsealed(key, "chat", b"x" * 60)
    assert not key.exists(), "reading makes none"
    seal(key, "chat", SECRET)
    key.chmod(0o644)
    with pytest.raises(UserError):
        seal(key, "chat", SECRET)
