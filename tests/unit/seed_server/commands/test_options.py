"""`seed_server.commands.options`: who runs a command, and what options say of themselves."""

import getpass
import os

import click
import pytest

from seed_server.commands.main import seed_server
from seed_server.commands.options import local_user


def test_the_actor_is_the_local_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert str(local_user()) == "ada (local user)"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_an_account_without_a_name_is_told_by_its_number(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert local_user().name == f"uid {os.getuid()}"


def test_an_option_says_what_to_do_not_how_something_is() -> None:
    waiting: list[click.Command] = [seed_server]
    while waiting:
        command = waiting.pop()
        waiting += command.commands.values() if isinstance(command, click.Group) else ()
        for option in command.params:
            words = getattr(option, "help", None) or ""
            assert not words.startswith("It "), "a state, and is translated as one: 'It waits for no window.'"
