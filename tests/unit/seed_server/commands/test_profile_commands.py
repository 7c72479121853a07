"""`seed-server profile`: signed, in force at once and after a restart, and refused with a reason."""

import json
import time
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from click.testing import CliRunner, Result

from p2pdist.shared.identifiers import SiteName
from seed_server.commands.main import seed_server
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings, load_settings
from seed_server.signing.key_files import create_signing_key
from seed_server.signing.profiles import parsed_profiles
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import OFFLINE_KEYS

TEXT = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'


@pytest.fixture
def home(tmp_path: Path) -> ServerHome:
    home = ServerHome(tmp_path / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=time.time())
    return home


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "office.toml"
    path.write_text(TEXT)
    return path


def run(home: ServerHome, *arguments: str | Path) -> Result:
    command, *rest = arguments
    return CliRunner().invoke(
        seed_server, ["profile", str(command), "--home", str(home.root), *map(str, rest)], standalone_mode=False
    )


def test_set_show_clear(home: ServerHome, file: Path) -> None:
    version = Repository.open(home, load_settings(home)).timestamp_version()
    assert "'Office' is in force at auto-10.0.0.0/24" in run(home, "set", "auto-10.0.0.0/24", file).output
    assert run(home, "show", "auto-10.0.0.0/24").output == TEXT
    assert "auto-10.0.0.0/24: Office" in run(home, "show").output
    assert json.loads(run(home, "show", "--json").output) == [{"site": "auto-10.0.0.0/24", "name": "Office"}]
    repository = Repository.open(home, load_settings(home))
    assert repository.timestamp_version() == version + 1
    (profile,) = parsed_profiles(repository.profiles()).values()
    assert profile.limits[0].limits.cap == 1_000_000
    assert "no profile any more" in run(home, "clear", "auto-10.0.0.0/24").output
    assert "No site has a profile" in run(home, "show").output


def test_what_cannot_be_used_is_refused_and_changes_nothing(home: ServerHome, file: Path, tmp_path: Path) -> None:
    version = Repository.open(home, load_settings(home)).timestamp_version()
    broken = tmp_path / "broken.toml"
    broken.write_text(TEXT + "colour = 3\n")
    other = tmp_path / "other.toml"
    other.write_text(TEXT + '[[site]]\nname = "oslo"\n')
    large = tmp_path / "large.toml"
    large.write_text(TEXT + "#" * (256 << 10))
    for site, path, words in (
        ("oslo", broken, "colour"),
        ("olso", other, "nearest is 'oslo'"),
        ("oslo", large, "over 262144 bytes"),
        ("oslo", tmp_path / "none.toml", "Cannot read"),
        ("o slo", file, "site name"),
    ):
        assert words in str(run(home, "set", site, path, "--new-site").exception)
    assert "has no profile" in str(run(home, "clear", "oslo").exception)
    assert "has no profile" in str(run(home, "show", "oslo").exception)
    assert Repository.open(home, load_settings(home)).timestamp_version() == version


def test_key_that_nobody_trusts_is_refused(home: ServerHome, file: Path, tmp_path: Path) -> None:
    for name in OFFLINE_KEYS:
        (tmp_path / "keys").mkdir(exist_ok=True)
        create_signing_key(tmp_path / "keys" / f"{name}.pem", None)
    result = run(home, "set", "oslo", file, "--new-site", "--offline-keys", tmp_path / "keys")
    assert result.exception is not None
    assert Repository.open(home, load_settings(home)).profiles() == {}


async def test_running_server_uses_a_change_at_once_and_a_restarted_one_too(home: ServerHome, file: Path) -> None:
    from seed_server.service.watches import Watches

    class Origin:
        def __init__(self) -> None:
            self.profiles: list[list[str]] = []

        def replace_profiles(self, profiles: dict[SiteName, object]) -> None:
            self.profiles.append(sorted(profiles))

        def replace_templates(self, names: frozenset[str]) -> None:
            pass

        def replace_rollouts(self, rollouts: object) -> None:
            pass

        async def repository_changed(self, version: int, renewed: object = None) -> None:
            pass

    settings = load_settings(home)
    repository = Repository.open(home, settings)
    origin = Origin()
    watches = Watches(home, None, repository)  # type: ignore[arg-type]
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watches.watch_repository, cast("Any", origin), repository.timestamp_version())
            await trio.to_thread.run_sync(run, home, "set", "oslo", file, "--new-site")
            while origin.profiles != [["oslo"]]:  # noqa: ASYNC110 - the watcher tells nobody
                await trio.sleep(0.02)
            nursery.cancel_scope.cancel()
    restarted = Origin()
    await Watches(home, None, repository).load_profiles(restarted)  # type: ignore[arg-type]
    assert restarted.profiles == [["oslo"]]
