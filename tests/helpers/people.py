"""A server's home with accounts, for tests: passwords cost little, and the clock stands still."""

import shutil
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from seed_server.fleet import passwords
from seed_server.fleet.accounts import login
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import add_person
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from tests.helpers.fake_clock import FakeClock

ROOT = Actor.local_user("root")
PASSWORD = "correct horse battery"


def new_home(folder: Path) -> ServerHome:
    """Make a home, to be copied: that is faster than to make one for each test."""
    home = ServerHome(folder / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=FakeClock().wall)
    return home


def copied(home: ServerHome, folder: Path) -> tuple[Context, FakeClock]:
    """Return a copy of a home with a clock of its own."""
    shutil.copytree(home.root, folder / "home")
    clock = FakeClock()
    return Context(ServerHome(folder / "home"), clock), clock


def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a password cost a millisecond."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: cheap)


def person(context: Context, name: str, *roles: str, sites: tuple[str, ...] = (), tags: tuple[str, ...] = ()) -> Actor:
    """Make an account with `PASSWORD`, and log in."""
    add_person(context, ROOT, name, roles=roles, sites=sites, tags=tags, password=PASSWORD)
    return login(context, name, PASSWORD, "", source="desk")
