"""`seed_server.commands.looking`: which commands let the server go first."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from p2pdist.shared.priority import give_way
from seed_server.commands import main
from seed_server.commands.looking import LookingCommand
from seed_server.commands.main import seed_server

CHANGING = {
    "allow", "api-token make", "api-token revoke", "apply", "approver new-key", "approver set", "archive hold",
    "archive release", "audit new-key", "deny", "disk clean",
    "endpoints forget", "exception add", "exception end", "finish", "init", "intelligence import", "keys new",
    "keys set", "login", "logout", "move", "offer",
    "people add", "people disable", "people enable", "people password", "people remove", "people role", "people scope",
    "people end-sessions", "people keys", "people totp", "prepared", "profile clear", "profile set", "publish", "renew",
    "report follow-up", "restore",
    "rollout abort",
    "rollout approve", "rollout halt", "rollout pause", "rollout resume", "rollout start", "serve", "sign",
    "template remove", "template set", "token new", "token revoke", "webhook add", "webhook pause", "webhook redeliver",
    "webhook remove", "webhook resume", "webhook rotate-secret", "webhook test", "withdraw",
}  # fmt: skip
"""Others wait for what these hold, or for what comes of them."""


def commands_below(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_below(command, *names, name)
        else:
            yield " ".join((*names, name)), command


def test_each_command_looks_or_changes() -> None:
    every = dict(commands_below(seed_server))
    assert {name for name, command in every.items() if not isinstance(command, LookingCommand)} == CHANGING


@pytest.mark.parametrize(("command", "gives_way"), [("lint", True), ("publish", False)])
def test_who_looks_gives_way_in_a_process_of_its_own(tmp_path, command: str, *, gives_way: bool) -> None:
    given = []
    arguments = [command, *(["--home", str(tmp_path)] if command == "publish" else []), str(tmp_path / "missing.toml")]
    CliRunner().invoke(seed_server, arguments, obj=lambda: given.append(command))
    assert bool(given) is gives_way
    CliRunner().invoke(seed_server, arguments)


def test_the_program_is_such_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(main, "run_command_line", lambda command, **given: found.append((command, given)))
    main.main()
    assert found == [(seed_server, {"obj": give_way})]
