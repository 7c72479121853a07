"""Keys and homes that another user of the server's machine can read or change: nothing is signed with them."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.main import seed_server
from seed_server.settings.home import ServerHome

PUBLISH = ("--patch-id", "office", "--version", "1.0")


@pytest.fixture
def home(tmp_path: Path) -> ServerHome:
    home = ServerHome(tmp_path / "home")
    run(home, "init", "--name", "hq", "--address", "127.0.64.1")
    return home


def run(home: ServerHome, *arguments: object) -> str:
    words = [str(word) for word in (*arguments, "--home", home.root)]
    result = CliRunner().invoke(seed_server, words, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.output


def publish(home: ServerHome, tmp_path: Path) -> None:
    file = tmp_path / "office.msi"
    file.write_bytes(b"payload")
    run(home, "publish", file, *PUBLISH)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666])
@pytest.mark.parametrize("key", ["offline/patches.pem", "online/timestamp.pem", "online/rollouts.pem"])
def test_a_key_that_others_can_read_is_not_used(home: ServerHome, tmp_path: Path, key: str, mode: int) -> None:
    path = home.keys / key
    path.chmod(mode)
    with pytest.raises(UserError, match=f"chmod 600 {path}") as caught:
        publish(home, tmp_path)
    assert caught.value.kind is FaultKind.REFUSED
    assert f"(mode {mode:04o})" in caught.value.message
    path.chmod(0o400)
    publish(home, tmp_path)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o770, 0o777])
@pytest.mark.parametrize("folder", ["offline", "online"])
def test_a_key_in_a_folder_that_others_can_open_is_not_used(
    home: ServerHome, tmp_path: Path, folder: str, mode: int
) -> None:
    path = home.keys / folder
    path.chmod(mode)
    with pytest.raises(UserError, match=f"chmod 700 {path}") as caught:
        publish(home, tmp_path)
    assert caught.value.kind is FaultKind.REFUSED
    path.chmod(0o700)
    publish(home, tmp_path)


def test_the_keys_of_the_authorities_too(home: ServerHome) -> None:
    path = home.ca / "control-ca.key.pem"
    path.chmod(0o644)
    with pytest.raises(UserError, match=f"chmod 600 {path}"):
        run(home, "token")


@pytest.mark.parametrize("mode", [0o770, 0o720, 0o702, 0o777, 0o1777])
def test_a_home_that_others_can_change_is_not_used(home: ServerHome, tmp_path: Path, mode: int) -> None:
    home.root.chmod(mode)
    for command in (("token",), ("status",), ("renew",), ("publish", tmp_path / "x", *PUBLISH)):
        with pytest.raises(UserError, match=f"chmod go-w {home.root}") as caught:
            run(home, *command)
        assert caught.value.kind is FaultKind.REFUSED
    other = ServerHome(tmp_path / "other")
    other.root.mkdir()
    other.root.chmod(mode)
    with pytest.raises(UserError, match="chmod go-w"):
        run(other, "init", "--name", "hq", "--address", "127.0.64.1")
    assert not list(other.root.iterdir())
    home.root.chmod(0o755)  # others may look
    assert run(home, "token")


def test_nobody_else_can_hold_the_servers_locks(home: ServerHome, tmp_path: Path) -> None:
    home.root.chmod(0o755)
    publish(home, tmp_path)
    run(home, "status")
    locks = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.root.glob("*.lock")}
    assert locks == dict.fromkeys(("publish.lock", "repository.lock", "serve.lock"), 0o600)
