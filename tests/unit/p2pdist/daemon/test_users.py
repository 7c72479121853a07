"""`p2pdist.daemon.users`: where users are answered, and what is said where they cannot be."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from p2pdist.daemon.users import serve_users, users_path
from p2pdist.local_api.install_answers import NoticesAnswer
from p2pdist.local_api.messages import NOTICES, Question
from p2pdist.local_api.socket import answers, ask_daemon
from p2pdist.settings import USERS_SOCKET, DaemonSettings, EndpointHome, default_home
from tests.helpers.daemon_states import made_up_state


def test_the_system_s_daemon_answers_users_and_another_one_only_where_it_is_told(tmp_path: Path) -> None:
    system, other = EndpointHome(default_home()), EndpointHome(tmp_path)
    assert users_path(system, DaemonSettings()) == USERS_SOCKET
    assert users_path(other, DaemonSettings()) is None
    assert users_path(other, DaemonSettings(users_socket="/run/x/users.sock")) == Path("/run/x/users.sock")
    assert users_path(system, DaemonSettings(users_group="")) == USERS_SOCKET
    assert users_path(system, DaemonSettings(users_group="", users_seat=False)) is None


async def test_a_socket_that_cannot_be_made_is_a_problem_and_stops_nothing(tmp_path: Path) -> None:
    state, path = made_up_state(), tmp_path / "run" / "users.sock"
    settings = DaemonSettings(users_socket=str(path))
    handlers = [answers(NOTICES, lambda: NoticesAnswer([], []))]
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    async with AsyncExitStack() as stack:
        await serve_users(EndpointHome(tmp_path), settings, state, handlers, stack)
        assert "Users of this PC are not answered" in state.users_problem
    (tmp_path / "run").chmod(0o755)
    async with AsyncExitStack() as stack:
        await serve_users(EndpointHome(tmp_path), settings, state, handlers, stack)
        assert state.users_problem == ""
        assert await ask_daemon(path, NOTICES, Question(), of_users=True) == NoticesAnswer([], [])
    assert not path.exists()


async def test_where_nobody_wants_it_there_is_none(tmp_path: Path) -> None:
    state = made_up_state()
    state.users_problem = "as before"
    async with AsyncExitStack() as stack:
        await serve_users(EndpointHome(tmp_path), DaemonSettings(), state, [], stack)
    assert state.users_problem == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["run/users.sock", "/" + "x" * 120])
def test_a_socket_s_place_is_a_whole_and_short_path(text: str, tmp_path: Path) -> None:
    from p2pdist.settings import load_settings
    from p2pdist.shared.errors import UserError

    (tmp_path / "config.toml").write_text(f'users_socket = "{text}"\n')
    with pytest.raises(UserError, match="users_socket"):
        load_settings(EndpointHome(tmp_path))
