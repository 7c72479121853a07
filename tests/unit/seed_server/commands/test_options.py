"""`seed_server.commands.options`: who runs a command, and what options say of themselves."""

import os
import pwd
from collections.abc import Callable

import click
import pytest

from seed_server.commands.main import seed_server
from seed_server.commands.options import local_user


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return the name of who runs a command under a uid and with an environment."""

    def name(uid: int, **environment: str) -> str:
        for variable in ("LOGNAME", "USER", "SUDO_USER"):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setattr(os, "getuid", lambda: uid)
        return local_user().name

    return name


def test_the_actor_is_the_local_user(as_user: Callable[..., str]) -> None:
    assert as_user(0) == "root"
    assert str(local_user()) == "root (local user)"


def test_with_sudo_the_actor_is_who_called_it(as_user: Callable[..., str]) -> None:
    assert as_user(0, SUDO_USER="ada", LOGNAME="root") == "ada"


def test_nobody_takes_another_name_by_the_environment(as_user: Callable[..., str]) -> None:
    """Four eyes would be two."""
    mine = pwd.getpwuid(1).pw_name
    assert as_user(1, SUDO_USER="ada", LOGNAME="ada", USER="ada") == mine
    assert as_user(0, LOGNAME="ada", USER="ada") == "root"
    for odd in ("", "a" * 81, "a\tb"):
        assert as_user(0, SUDO_USER=odd) == "root"


def test_an_account_without_a_name_is_told_by_its_number(as_user: Callable[..., str]) -> None:
    assert as_user(61_234) == "uid 61234"


def test_an_option_says_what_to_do_not_how_something_is() -> None:
    waiting: list[click.Command] = [seed_server]
    while waiting:
        command = waiting.pop()
        waiting += command.commands.values() if isinstance(command, click.Group) else ()
        for option in command.params:
            words = getattr(option, "help", None) or ""
            assert not words.startswith("It "), "a state, and is translated as one: 'It waits for no window.'"
