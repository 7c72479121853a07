"""`seed_server.commands.options`: who runs a command."""

import getpass
import os

import pytest

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
