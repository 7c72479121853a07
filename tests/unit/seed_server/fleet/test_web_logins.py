"""Logging in with a browser: by password, code and key; what is wrong, forged, old or given twice opens nothing."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyotp
import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.login_wait import FREE_FAILURES
from seed_server.fleet.passkey_operations import (
    MAX_KEY_NAME_CHARS,
    MAX_PASSKEYS,
    add_passkey,
    ask_for_new_key,
    read_passkeys,
    remove_passkey,
    rename_passkey,
)
from seed_server.fleet.passkeys import MAX_ANSWER_CHARS, coded
from seed_server.fleet.people_operations import remove_second_factor, set_disabled, set_second_factor
from seed_server.fleet.people_queries import new_seed
from seed_server.fleet.web_challenges import CHALLENGE_SECONDS, MAX_SEALED_CHARS
from seed_server.fleet.web_logins import (
    UNKNOWN_KEY,
    KeyAsked,
    ask_for_passkey,
    ask_to_confirm,
    begin_login,
    confirm_by_key,
    passkey_login,
    second_factor_login,
)
from seed_server.fleet.web_sessions import (
    STEP_UP_SECONDS,
    BegunSession,
    CameFrom,
    WebSession,
    confirm_by_code,
    session_of,
)
from seed_server.settings.home import ServerHome
from seed_server.store.audit_entry import decode_entry
from tests.helpers.authenticator import Authenticator
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import PASSWORD, ROOT, cheap_passwords, copied, new_home, person

ORIGIN = "https://localhost:8444"
DESK = CameFrom("127.0.0.9", "127.0.0.9", "Firefox")
HERE, ELSEWHERE = "this browser", "another browser"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def server(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Context, FakeClock]:
    cheap_passwords(monkeypatch)
    context, clock = copied(home, tmp_path)
    text = context.home.settings.read_text()
    context.home.settings.write_text(text.replace("api_port = 0", "api_port = 8444"))
    person(context, "ola", "operator")
    return context, clock


def refusal(run: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        run()
    assert caught.value.kind is FaultKind.REFUSED
    return caught.value.message


def entries(context: Context) -> list[tuple[str, str, str]]:
    with context.database() as database:
        found = [decode_entry(octets) for _number, octets in database.audit_entries(0, 1_000)]
    return [(one.operation, one.actor, one.known_by) for one in found]


def logged_in(context: Context, name: str = "ola", code: str = "") -> WebSession:
    begun = begin_login(context, HERE, name, PASSWORD, code, DESK)
    assert isinstance(begun, BegunSession)
    return opened(context, begun)


def opened(context: Context, begun: BegunSession) -> WebSession:
    found = session_of(context, begun.cookie)
    assert found is not None
    return found


def with_key(context: Context, **how: object) -> Authenticator:
    key = Authenticator(ORIGIN, **how)  # type: ignore[arg-type]
    session = logged_in(context)
    asked = ask_for_new_key(context, session)
    add_passkey(context, session.actor, "blue", asked.sealed, key.create(asked.options))
    return key


def asked_for_key(context: Context) -> KeyAsked:
    asked = begin_login(context, HERE, "ola", PASSWORD, "", DESK)
    assert isinstance(asked, KeyAsked)
    return asked


def test_a_password_alone_begins_a_session_that_may_not_step_up(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    session = logged_in(context)
    assert (session.row.proof, session.row.address, session.row.browser) == ("password", "127.0.0.9", "Firefox")
    assert (session.actor.who, session.actor.known_by, session.stepped_up_until) == ("ola", "password", 0.0)
    assert entries(context)[-1] == ("log in", "ola", "password")
    for wrong in (("ola", "wrong"), ("nobody", PASSWORD), ("", "")):
        refusal(partial(begin_login, context, HERE, *wrong, "", DESK))


def test_a_code_is_taken_once_and_steps_up(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    seed = new_seed(context, "ola").seed
    set_second_factor(context, ROOT, "ola", seed, pyotp.TOTP(seed).at(int(clock.wall)))
    clock.wall += 30
    refusal(lambda: begin_login(context, HERE, "ola", PASSWORD, "", DESK))
    code = pyotp.TOTP(seed).at(int(clock.wall))
    session = logged_in(context, code=code)
    assert (session.row.proof, session.stepped_up_until) == ("code", clock.wall + STEP_UP_SECONDS)
    refusal(lambda: begin_login(context, HERE, "ola", PASSWORD, code, DESK))
    refusal(lambda: confirm_by_code(context, session, code, DESK))
    clock.wall += STEP_UP_SECONDS
    again = confirm_by_code(context, session, pyotp.TOTP(seed).at(int(clock.wall)), DESK)
    assert again.stepped_up_until == clock.wall + STEP_UP_SECONDS
    assert entries(context)[-1] == ("confirm", "ola", "password")


def test_guesses_wait_whichever_way_they_come(server: tuple[Context, FakeClock]) -> None:
    """A code guessed at the second step, or in a stolen session, counts with those at the first."""
    context, clock = server
    seed = new_seed(context, "ola").seed
    set_second_factor(context, ROOT, "ola", seed, pyotp.TOTP(seed).at(int(clock.wall)))
    clock.wall += 30
    session = logged_in(context, code=pyotp.TOTP(seed).at(int(clock.wall)))
    key = Authenticator(ORIGIN)
    new = ask_for_new_key(context, session)
    add_passkey(context, session.actor, "blue", new.sealed, key.create(new.options))
    asked = asked_for_key(context)
    assert asked.code
    for number in range(FREE_FAILURES):
        if number % 2:
            refusal(lambda: second_factor_login(context, HERE, asked.sealed, DESK, code="000000"))
        else:
            refusal(lambda: confirm_by_code(context, session, "000000", DESK))
    clock.wall += 0.5
    assert "Too many attempts" in refusal(lambda: second_factor_login(context, HERE, asked.sealed, DESK, code="000000"))
    assert "Too many attempts" in refusal(lambda: begin_login(context, HERE, "ola", PASSWORD, "1", DESK))
    assert "Too many attempts" in refusal(lambda: confirm_by_code(context, session, "000000", DESK))
    assert "Too many attempts" in refusal(
        lambda: second_factor_login(context, HERE, asked.sealed, DESK, answer=key.get(asked.options))
    )


def test_where_there_is_a_key_a_password_alone_opens_nothing(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    key = with_key(context)
    asked = asked_for_key(context)
    assert (asked.person, asked.code) == ("ola", False)
    assert asked.options["allowCredentials"] == [{"type": "public-key", "id": coded(key.credential_id)}]
    for code in ("", "123456"):
        refusal(partial(second_factor_login, context, HERE, asked.sealed, DESK, code=code))
    begun = second_factor_login(context, HERE, asked.sealed, DESK, answer=key.get(asked.options))
    session = opened(context, begun)
    assert (session.row.proof, session.actor.known_by) == ("second key", "password")
    assert session.stepped_up_until == clock.wall + STEP_UP_SECONDS
    assert read_passkeys(context, "ola")[0].used_at == clock.wall


def test_a_key_alone_opens_an_account_where_it_verifies_its_owner(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    key = with_key(context)
    asked = ask_for_passkey(context, HERE)
    assert (asked.options["userVerification"], asked.options["allowCredentials"]) == ("required", [])
    session = opened(context, passkey_login(context, HERE, asked.sealed, key.get(asked.options), DESK))
    assert (session.row.proof, session.actor.known_by, session.actor.who) == ("passkey", "key", "ola")
    assert entries(context)[-1] == ("log in", "ola", "key")
    key.verifies = False
    again = ask_for_passkey(context, HERE)
    refusal(lambda: passkey_login(context, HERE, again.sealed, key.get(again.options), DESK))


def test_an_answer_counts_once_for_one_purpose_in_one_browser_and_for_minutes(
    server: tuple[Context, FakeClock],
) -> None:
    context, clock = server
    key = with_key(context, counts=False)
    asked = ask_for_passkey(context, HERE)
    answer = key.get(asked.options)
    refusal(lambda: passkey_login(context, ELSEWHERE, asked.sealed, answer, DESK))
    refusal(lambda: second_factor_login(context, HERE, asked.sealed, DESK, answer=answer))
    other = ask_for_passkey(context, HERE)
    refusal(lambda: passkey_login(context, HERE, other.sealed, answer, DESK))
    passkey_login(context, HERE, asked.sealed, answer, DESK)
    assert "before" in refusal(lambda: passkey_login(context, HERE, asked.sealed, answer, DESK))
    clock.wall += CHALLENGE_SECONDS
    in_time = key.get(other.options)
    passkey_login(context, HERE, other.sealed, in_time, DESK)
    clock.wall += 1
    late = ask_for_passkey(context, HERE)
    clock.wall += CHALLENGE_SECONDS + 1
    assert "too long" in refusal(lambda: passkey_login(context, HERE, late.sealed, key.get(late.options), DESK))


@pytest.mark.parametrize("how", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
def test_a_key_that_was_shown_to_another_page_opens_nothing_here(
    server: tuple[Context, FakeClock], how: dict[str, str]
) -> None:
    context, _ = server
    key = with_key(context)
    for name, value in how.items():
        setattr(key, name, value)
    asked = ask_for_passkey(context, HERE)
    assert "for these pages" in refusal(
        lambda: passkey_login(context, HERE, asked.sealed, key.get(asked.options), DESK)
    )
    second = asked_for_key(context)
    refusal(lambda: second_factor_login(context, HERE, second.sealed, DESK, answer=key.get(second.options)))
    session_key = Authenticator(how.get("origin", ORIGIN), host=how.get("host", ""))
    fresh = person(context, "pia", "viewer")
    session = logged_in(context, fresh.name)
    new = ask_for_new_key(context, session)
    refusal(lambda: add_passkey(context, session.actor, "x", new.sealed, session_key.create(new.options)))


def test_a_count_that_goes_back_is_refused_and_has_an_entry(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    key = with_key(context)
    asked = ask_for_passkey(context, HERE)
    passkey_login(context, HERE, asked.sealed, key.get(asked.options), DESK)
    key.count -= 1  # as a copy of it that was made before
    again = ask_for_passkey(context, HERE)
    assert "copy" in refusal(lambda: passkey_login(context, HERE, again.sealed, key.get(again.options), DESK))
    assert entries(context)[-1] == ("refuse key", "ola", "key")
    third = ask_for_passkey(context, HERE)
    passkey_login(context, HERE, third.sealed, key.get(third.options), DESK)


def test_another_key_or_a_forged_answer_opens_nothing(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    key = with_key(context)
    stranger = Authenticator(ORIGIN, handle=key.handle)
    asked = ask_for_passkey(context, HERE)
    assert refusal(lambda: passkey_login(context, HERE, asked.sealed, stranger.get(asked.options), DESK)) == UNKNOWN_KEY
    stranger.credential_id = key.credential_id
    refusal(lambda: passkey_login(context, HERE, asked.sealed, stranger.get(asked.options), DESK))
    key.handle = b"somebody else"
    refusal(lambda: passkey_login(context, HERE, asked.sealed, key.get(asked.options), DESK))


@pytest.mark.parametrize(
    "answer",
    ["", "{", "[]", "null", '{"rawId": "AA"}', '{"rawId": "ä", "response": {}}', "x" * (MAX_ANSWER_CHARS + 1),
     "[" * 20_000, '{"rawId": "", "response": {}}', "\ud800"],
)  # fmt: skip
def test_what_is_no_answer_of_a_key_is_refused_in_words(server: tuple[Context, FakeClock], answer: str) -> None:
    context, _ = server
    asked = ask_for_passkey(context, HERE)
    refusal(lambda: passkey_login(context, HERE, asked.sealed, answer, DESK))


def test_every_part_of_an_answer_may_be_nonsense(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    key = with_key(context, counts=False)
    session = logged_in(context, person(context, "pia", "viewer").name)
    parts: tuple[object, ...] = (
        "", "AA", "ä", coded(b"{}"), coded(b"\xff" * 400), coded(b'{"type":"webauthn.get"}'), None, 7, {}
    )  # fmt: skip
    for nonsense in parts:
        asked, new = ask_for_passkey(context, HERE), ask_for_new_key(context, session)
        for part in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
            whole = json.loads(key.get(asked.options))
            whole["response"][part] = nonsense
            if part != "userHandle" or nonsense not in ("", None):
                refusal(partial(passkey_login, context, HERE, asked.sealed, json.dumps(whole), DESK))
        for part in ("clientDataJSON", "attestationObject"):
            whole = json.loads(Authenticator(ORIGIN).create(new.options))
            whole["response"][part] = nonsense
            refusal(partial(add_passkey, context, session.actor, "x", new.sealed, json.dumps(whole)))


@pytest.mark.parametrize("sealed", ["", "AA", "ä", "x" * MAX_SEALED_CHARS, "x" * 100_000, coded(bytes(80))])
def test_what_no_page_of_ours_has_sealed_is_refused(server: tuple[Context, FakeClock], sealed: str) -> None:
    context, _ = server
    key = with_key(context)
    asked = ask_for_passkey(context, HERE)
    refusal(lambda: passkey_login(context, HERE, sealed, key.get(asked.options), DESK))


def test_a_key_confirms_in_its_own_session(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    assert ask_to_confirm(context, logged_in(context)) is None
    key = with_key(context)
    sessions = []
    for _ in range(2):
        asked = ask_for_passkey(context, HERE)
        sessions.append(opened(context, passkey_login(context, HERE, asked.sealed, key.get(asked.options), DESK)))
    clock.wall += STEP_UP_SECONDS + 1
    confirming = ask_to_confirm(context, sessions[0])
    assert confirming is not None
    answer = key.get(confirming.options)
    refusal(lambda: confirm_by_key(context, sessions[1], confirming.sealed, answer))
    assert confirm_by_key(context, sessions[0], confirming.sealed, answer).stepped_up_until > clock.wall
    refusal(lambda: confirm_by_key(context, sessions[0], confirming.sealed, answer))


def test_a_key_is_one_persons_has_a_name_and_goes(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    key = with_key(context)
    (kept,) = read_passkeys(context, "ola")
    pia = logged_in(context, person(context, "pia", "viewer").name)
    new = ask_for_new_key(context, pia)
    taken = "is somebody's already"
    handle, taking = key.handle, key.create(new.options)
    key.handle = handle
    assert taken in refusal(lambda: add_passkey(context, pia.actor, "x", new.sealed, taking))
    refusal(lambda: remove_passkey(context, pia.actor, "ola", kept.key_id))
    for label in ("", " ", "x" * (MAX_KEY_NAME_CHARS + 1), "a\nb", "\u202ex"):
        with pytest.raises(UserError) as caught:
            add_passkey(context, pia.actor, label, new.sealed, "{}")
        assert caught.value.kind is FaultKind.BAD_INPUT
    with pytest.raises(UserError):
        rename_passkey(context, pia.actor, kept.key_id, "mine")
    asked = ask_for_passkey(context, HERE)
    ola = opened(context, passkey_login(context, HERE, asked.sealed, key.get(asked.options), DESK))
    assert rename_passkey(context, ola.actor, kept.key_id, "g" * MAX_KEY_NAME_CHARS).name == "g" * MAX_KEY_NAME_CHARS
    remove_passkey(context, ola.actor, "ola", kept.key_id)
    assert read_passkeys(context, "ola") == []
    assert [one[0] for one in entries(context)[-2:]] == ["rename key", "remove key"]


def test_an_account_has_so_many_keys(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    session = logged_in(context)
    for number in range(MAX_PASSKEYS + 1):
        new = ask_for_new_key(context, session)
        add = partial(add_passkey, context, session.actor, "x", new.sealed, Authenticator(ORIGIN).create(new.options))
        if number < MAX_PASSKEYS:
            add()
        else:
            assert "already" in refusal(add)


def test_a_lost_key_is_taken_away_with_the_codes_and_the_sessions_end(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    key = with_key(context)
    asked = ask_for_passkey(context, HERE)
    begun = passkey_login(context, HERE, asked.sealed, key.get(asked.options), DESK)
    remove_second_factor(context, ROOT, "ola")
    assert read_passkeys(context, "ola") == []
    assert session_of(context, begun.cookie) is None


def test_a_disabled_account_is_opened_by_no_key(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    key = with_key(context)
    asked, second = ask_for_passkey(context, HERE), asked_for_key(context)
    set_disabled(context, ROOT, "ola", disabled=True)
    said = refusal(lambda: passkey_login(context, HERE, asked.sealed, key.get(asked.options), DESK))
    assert "people enable ola" in said
    refusal(lambda: second_factor_login(context, HERE, second.sealed, DESK, answer=key.get(second.options)))
    refusal(lambda: begin_login(context, HERE, "ola", PASSWORD, "", DESK))
