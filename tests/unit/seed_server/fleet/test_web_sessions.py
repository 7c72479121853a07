"""Sessions in a browser: who a cookie speaks for, for how long, and what ends it."""

from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import (
    remove_person,
    set_account,
    set_disabled,
    set_password,
    set_roles,
    set_scope,
    set_second_factor,
)
from seed_server.fleet.people_queries import new_seed
from seed_server.fleet.web_logins import begin_login
from seed_server.fleet.web_sessions import (
    MAX_BROWSER_NAME_CHARS,
    MAX_SESSION_COOKIE_CHARS,
    BegunSession,
    CameFrom,
    begin_session,
    end_session,
    end_sessions,
    read_sessions,
    session_of,
)
from seed_server.settings.home import ServerHome
from seed_server.store.session_rows import MAX_SESSIONS, USE_NOTED_SECONDS
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import PASSWORD, ROOT, cheap_passwords, copied, new_home, person

DESK = CameFrom("127.0.0.9", "127.0.0.9", "Firefox")
MINUTES, HOURS = 60.0, 3_600.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def server(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Context, FakeClock]:
    cheap_passwords(monkeypatch)
    context, clock = copied(home, tmp_path)
    person(context, "ola", "operator")
    person(context, "anna", "administrator")
    return context, clock


def begun(context: Context, name: str = "ola") -> BegunSession:
    made = begin_login(context, "b", name, PASSWORD, "", DESK)
    assert isinstance(made, BegunSession)
    return made


def test_a_cookie_speaks_for_who_logged_in_with_what_they_may_now(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    made = begun(context)
    found = session_of(context, made.cookie)
    assert found is not None
    assert (found.actor.name, found.actor.rights.permissions, found.actor.session_id) == (
        "ola", found.actor.rights.permissions, made.row.session_id
    )  # fmt: skip
    assert made.cookie not in made.row.session_id
    too_long = "A" * (MAX_SESSION_COOKIE_CHARS + 1)
    for wrong in ("", "x", made.cookie[:-1], f"{made.cookie}A", "ä", "A" * 43, too_long, "\0" * 43):
        assert session_of(context, wrong) is None


def test_each_login_has_a_cookie_of_its_own(server: tuple[Context, FakeClock]) -> None:
    """Nobody gives another a cookie that will be theirs: what comes with a login is never kept."""
    context, _ = server
    assert len({begun(context).cookie for _ in range(3)}) == 3


def test_a_session_that_is_not_used_ends_and_one_that_is_used_ends_later(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    idle, used = begun(context), begun(context)
    for _ in range(29):
        clock.wall += MINUTES
        assert session_of(context, used.cookie) is not None
    assert session_of(context, idle.cookie, used=False) is not None
    clock.wall += MINUTES
    assert session_of(context, idle.cookie) is None
    for _ in range(12 * 2):
        clock.wall += 29 * MINUTES
        session_of(context, used.cookie)
    assert clock.wall - used.row.created_at < 12 * HOURS + 29 * MINUTES
    clock.wall = used.row.created_at + 12 * HOURS
    assert session_of(context, used.cookie) is None


def test_who_only_listens_does_not_use_it(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    made = begun(context)
    clock.wall += 29 * MINUTES
    assert session_of(context, made.cookie, used=False) is not None
    clock.wall += MINUTES
    assert session_of(context, made.cookie, used=False) is None


def test_the_limits_are_the_settings(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    with context.home.settings.open("a") as file:
        file.write("\n[pages]\nidle_minutes = 5\nsession_hours = 0.5\n")
    made = begun(context)
    assert (made.row.idle_seconds, made.row.ends_at - clock.wall) == (5 * MINUTES, 0.5 * HOURS)


def test_its_last_use_is_written_once_a_minute(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    made = begun(context)
    for seconds, written in ((USE_NOTED_SECONDS - 1, 0.0), (1, USE_NOTED_SECONDS)):
        clock.wall += seconds
        session_of(context, made.cookie)
        assert read_sessions(context, "ola")[0].used_at - made.row.created_at == written


def test_logging_out_ends_it_for_whoever_has_the_cookie(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    made = begun(context)
    assert end_session(context, made.cookie) == "ola"
    assert session_of(context, made.cookie) is None
    assert end_session(context, made.cookie) == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda context: set_disabled(context, ROOT, "ola", disabled=True),
        lambda context: set_roles(context, ROOT, "ola", ["viewer"]),
        lambda context: set_scope(context, ROOT, "ola", sites=["oslo"], tags=[]),
        lambda context: set_account(context, ROOT, "ola", roles=["viewer"], sites=[], tags=[], disabled=False),
        lambda context: set_password(context, ROOT, "ola", "another horse battery"),
        lambda context: remove_person(context, ROOT, "ola"),
    ],
)
def test_what_changes_an_account_ends_its_sessions(
    server: tuple[Context, FakeClock], change: Callable[[Context], object]
) -> None:
    context, _ = server
    made, others = begun(context), begun(context, "anna")
    change(context)
    assert session_of(context, made.cookie) is None
    assert session_of(context, others.cookie) is not None


def test_who_changes_their_own_password_or_code_stays_and_their_other_sessions_end(
    server: tuple[Context, FakeClock],
) -> None:
    context, clock = server
    mine, other = begun(context), begun(context)
    session = session_of(context, mine.cookie)
    assert session is not None
    set_password(context, session.actor, "ola", "another horse battery")
    assert session_of(context, other.cookie) is None
    seed = new_seed(context, "ola").seed
    set_second_factor(context, session.actor, "ola", seed, pyotp.TOTP(seed).at(int(clock.wall)))
    again = session_of(context, mine.cookie)
    assert again is not None
    assert again.stepped_up_until > clock.wall


def test_an_account_that_is_enabled_again_or_not_changed_keeps_them(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    made = begun(context)
    set_roles(context, ROOT, "ola", ["operator"])
    set_disabled(context, ROOT, "ola", disabled=False)
    assert session_of(context, made.cookie) is not None


def test_sessions_are_listed_and_ended_by_their_owner_and_by_who_manages_people(
    server: tuple[Context, FakeClock],
) -> None:
    context, _ = server
    first, second, annas = begun(context), begun(context), begun(context, "anna")
    ola, anna = session_of(context, first.cookie), session_of(context, annas.cookie)
    assert ola is not None
    assert anna is not None
    assert {one.session_id for one in read_sessions(context, "ola")} == {first.row.session_id, second.row.session_id}
    with pytest.raises(UserError) as caught:
        end_sessions(context, ola.actor, "anna")
    assert caught.value.kind is FaultKind.REFUSED
    with pytest.raises(UserError) as caught:
        end_sessions(context, ola.actor, "ola", annas.row.session_id)
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert end_sessions(context, ola.actor, "ola") == 1
    assert session_of(context, second.cookie) is None
    assert session_of(context, first.cookie) is not None
    assert end_sessions(context, anna.actor, "ola", first.row.session_id) == 1
    assert session_of(context, first.cookie) is None


def test_an_account_has_so_many_and_a_browser_says_so_much(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    with context.database() as database:
        ola = database.person("ola")
    assert ola is not None
    for _ in range(MAX_SESSIONS + 1):
        clock.wall += 1
        begin_session(context, ola, "password", CameFrom("x", "a" * 100, "b" * 100))
    found = read_sessions(context, "ola")
    assert (len(found), len(found[0].browser), len(found[0].address)) == (
        MAX_SESSIONS,
        MAX_BROWSER_NAME_CHARS,
        MAX_BROWSER_NAME_CHARS,
    )


def test_an_account_that_changed_since_its_password_was_right_is_not_let_in(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    with context.database() as database:
        ola = database.person("ola")
    assert ola is not None
    set_password(context, ROOT, "ola", "another horse battery")
    with pytest.raises(UserError) as caught:
        begin_session(context, ola, "password", DESK)
    assert caught.value.kind is FaultKind.REFUSED
