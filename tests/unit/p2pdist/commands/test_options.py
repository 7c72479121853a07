"""`p2pdist.commands.options`: which socket a command asks."""

import os
from pathlib import Path

import pytest

from p2pdist.commands import options
from p2pdist.commands.options import USERS_SOCKET_VARIABLE, ask
from p2pdist.local_api.messages import RETRY, WHY, Command, PatchOrder
from p2pdist.settings import EndpointHome, default_home


async def asked(monkeypatch: pytest.MonkeyPatch, home: EndpointHome, command: Command = WHY) -> tuple[Path, bool]:
    seen: list[tuple[Path, bool]] = []

    async def noted(path: Path, *_: object, of_users: bool = False) -> None:
        seen.append((path, of_users))

    monkeypatch.setattr(options, "ask_daemon", noted)
    await ask(home, command, PatchOrder("a") if command is RETRY else None)
    return seen[0]


async def test_who_may_enter_the_home_asks_there_and_others_where_users_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(USERS_SOCKET_VARIABLE, raising=False)
    system, other = EndpointHome(default_home()), EndpointHome(tmp_path)
    for may, users in ((True, False), (False, True)):
        monkeypatch.setattr(os, "access", lambda _path, _mode, may=may: may)
        path = Path("/run/p2pdist/users.sock") if users else system.socket
        assert await asked(monkeypatch, system) == (path, users)
        assert await asked(monkeypatch, system, RETRY) == (system.socket, False), "that is root's alone"
        assert await asked(monkeypatch, other) == (other.socket, False), "it has no socket for users"
    monkeypatch.setenv(USERS_SOCKET_VARIABLE, "/run/x.sock")
    assert await asked(monkeypatch, other) == (Path("/run/x.sock"), True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_is_told_the_truth_about_a_home_that_he_may_not_enter(tmp_path: Path) -> None:
    """Not that this PC is not enrolled."""
    from p2pdist.commands.options import check_enrolled

    home = tmp_path / "closed"
    home.mkdir(mode=0o700)
    os.seteuid(61_001)
    try:
        check_enrolled(EndpointHome(home))
    finally:
        os.seteuid(0)
