"""Texts from a bad PC, and from a bad server: none of them draws, links, or moves the cursor on somebody's terminal."""

import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.commands.main import p2pdist
from p2pdist.commands.views import why_view
from p2pdist.identity.store import certificate_request, new_key
from p2pdist.local_api.delivery_answers import WhyAnswer, WhyPatch
from p2pdist.local_api.messages import HISTORY, LIMITER, PEERS, PLAN, POSTURE, SERVER, STATUS, WHY, Command
from p2pdist.shared.console import print_json, run_command_line
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.logs import configure_log
from p2pdist.shared.terminal import wide_terminal
from p2pdist.shared.wire import channels, codec, fields, line_messages, messages
from p2pdist.shared.wire.enrolment import EnrolRequest
from seed_server.commands import endpoints_view, status_output
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.enrolment.decisions import EnrolmentDecisions
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_pages import EndpointsQuestion
from seed_server.fleet.operations import make_token
from seed_server.fleet.standing import StatusQuestion
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import Database
from seed_server.store.rows import ServedPayload
from tests.helpers.daemon_answers import enrolled_daemon
from tests.helpers.sources import ROOT

RECORDED = json.loads((ROOT / "tests/unit/p2pdist/commands/recorded_answers.json").read_text(encoding="utf-8"))

BAD_TEXTS = {
    "a closing tag": "[/x]",
    "a colour": "[green]ok[/green]",
    "a link": "[link=file:///etc]click[/link]",
    "an emoji": "pc:skull:",
    "escape sequences": "pc\x1b[31m\x1b]0;pwned\x07",
    "C1 signs": "pc\x9b31m\x85\x7f",
    "a text that runs backwards": "pc\u202egpj.exe\u2066",
    "lines": "pc\nroot: all is well\r",
    "half a character": "pc\udcff",
}
OFFICE = StatusQuestion(patch="office")
bad_texts = pytest.mark.parametrize("bad", [pytest.param(text, id=name) for name, text in BAD_TEXTS.items()])


def is_harmless(text: str) -> bool:
    """Whether a terminal only draws the signs of ``text``, from the left to the right, and breaks lines."""
    return all(ch == "\n" or unicodedata.category(ch) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for ch in text)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    context = Context(ServerHome(tmp_path / "server"))
    initialise(context.home, ServerSettings(name="hq", address="127.0.68.2"), passphrase=None, now=context.clock.now())
    return context


def enrolled(context: Context, hostname: str) -> str:
    """Enrol a PC that calls itself ``hostname`` and reports on a patch; return the name that is known of it."""
    now = context.clock.now()
    token = make_token(context, Actor.local_user("op"), uses=1, seconds=60).token
    with context.database() as database:
        decisions = EnrolmentDecisions("hq", 7690, CertificateAuthority.open(context.home.ca), database, lambda: "{}")
        reply = decisions.enrol(
            EnrolRequest(secret=token.secret.hex(), csr=certificate_request(new_key()), hostname=hostname), now
        )
        publish_and_report(database, reply.endpoint_id, now)
        (row,) = database.endpoints()
        return row.hostname


def publish_and_report(database: Database, endpoint_id: str, now: float, error: str = "") -> None:
    database.add_patch(
        ServedPayload(
            patch_id="office", version="1", title="", severity="high", cvss=None, file_name="a", sha256="0" * 64,
            length_bytes=9, torrent_hash="0" * 64, piece_length_bytes=9, piece_count=1, sequence=0, published_at=1.0,
        )
    )  # fmt: skip
    report = messages.PatchReport(
        patch_id="office", version="1", state="failed", progress=0.0, bytes_from_origin=0, bytes_from_peers=0,
        bytes_wasted=0, seconds=0.0, error=error,
    )  # fmt: skip
    database.save_reports({endpoint_id: [report]}, now)


@bad_texts
def test_operator_still_sees_the_fleet(context: Context, capsys: pytest.CaptureFixture[str], bad: str) -> None:
    name = enrolled(context, bad)
    assert is_harmless(name)
    assert "\n" not in name
    capsys.readouterr()  # the log
    endpoints_view.show_endpoints(context, EndpointsQuestion(), as_json=False)
    status_output.show_status(context, OFFICE, as_json=False, as_lines=False, watch=False)
    out = capsys.readouterr().out
    assert out.count(name) == 2  # as it was sent, tags too: nothing of it is an instruction
    assert is_harmless(out)


@bad_texts
def test_operator_sees_what_was_recorded_before_names_were_checked(
    context: Context, capsys: pytest.CaptureFixture[str], bad: str
) -> None:
    bad = bad.replace("\udcff", "\ue000")  # the database cannot hold half a character
    with context.database() as database:
        database.add_endpoint("a" * 26, bad, 1.0)
        publish_and_report(database, "a" * 26, 1.0, error=bad)
    endpoints_view.show_endpoints(context, EndpointsQuestion(), as_json=False)
    status_output.show_status(context, OFFICE, as_json=False, as_lines=False, watch=False)
    endpoints_view.show_endpoints(context, EndpointsQuestion(), as_json=True)
    out = capsys.readouterr().out
    assert is_harmless(out)
    assert json.loads(out[out.index("[\n") :])[0]["hostname"] == bad  # programs get what was sent


@bad_texts
def test_whatever_is_printed_of_a_server_s_words_is_harmless(capsys: pytest.CaptureFixture[str], bad: str) -> None:
    patch = WhyPatch(
        id="office", version="1", state="fetching", progress=0.0, reason=bad, detail=bad, since_seconds=1.0,
        seconds={bad: 5.0},
    )  # fmt: skip
    wide_terminal().print(why_view(WhyAnswer([patch])))
    wide_terminal().print(bad)
    print_json(patch)
    with pytest.raises(SystemExit):
        run_command_line(lambda: raise_error(bad))
    printed = capsys.readouterr()
    assert is_harmless(printed.out)
    assert is_harmless(printed.err)


def with_texts(value: Any, text: str) -> Any:
    """Return an answer with ``text`` in place of each free one: ids, versions and words of closed lists stay."""
    if isinstance(value, list):
        return [text if isinstance(item, str) else with_texts(item, text) for item in value]
    if isinstance(value, dict):
        return dict.fromkeys([text], with_texts(next(iter(value.values())), text)) if value else value
    if not isinstance(value, msgspec.Struct):
        return value
    free = {
        field.name: text if field.type in (str, str | None) else with_texts(getattr(value, field.name), text)
        for field in msgspec.structs.fields(type(value))
        if field.name not in ("id", "version")
    }
    return msgspec.structs.replace(value, **free)


COMMANDS: dict[str, Command[Any, Any]] = {
    "status": STATUS, "peers": PEERS, "limiter": LIMITER, "why demo-app": WHY, "plan": PLAN,
    "history --output": HISTORY, "posture": POSTURE, "server": SERVER,
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@bad_texts
def test_commands_of_a_pc_with_a_bad_server_draw_what_it_says_and_obey_nothing(
    tmp_path: Path, command: str, bad: str
) -> None:
    bad = bad.replace("\udcff", "\ue000")  # JSON cannot carry half a character
    question = COMMANDS[command]
    answer = with_texts(msgspec.convert(RECORDED[question.name], question.answer), bad)
    with enrolled_daemon(tmp_path, {question.name: msgspec.json.encode(answer)}):
        shown = CliRunner().invoke(p2pdist, [*command.split(), "--home", str(tmp_path)])
        printed = CliRunner().invoke(p2pdist, [*command.split(), "--home", str(tmp_path), "--json"])
    assert shown.exception is None or isinstance(shown.exception, SystemExit)
    assert is_harmless(shown.output)
    assert is_harmless(printed.output)
    assert bad in "".join(texts_in(json.loads(printed.output)))
    if bad.isprintable():
        assert bad.split()[0] in shown.output, "markup is drawn as it was sent"


def raise_error(text: str) -> None:
    raise UserError(f"The server says {text}.", FaultKind.REFUSED)


class Screen(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@bad_texts
@pytest.mark.parametrize("terminal", [True, False])
def test_log_says_it_without_doing_it(monkeypatch: pytest.MonkeyPatch, terminal: bool, bad: str) -> None:
    monkeypatch.setattr("sys.stderr", screen := Screen(terminal=terminal))
    configure_log("info")
    log = structlog.get_logger()
    try:
        raise ValueError(bad)
    except ValueError:
        log.exception("a bad PC", hostname=bad, hostnames=[bad], path=Path(f"/tmp/{bad}"))
    log.info(bad)
    shown = screen.getvalue()
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", shown) if terminal else shown  # the log's own colours
    assert is_harmless(drawn)
    if not terminal:
        assert len(shown.splitlines()) == 2  # nobody makes a line of their own


texts = st.text(max_size=fields.MAX_TEXT_CHARS) | st.text(
    st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Lu"]), min_size=1, max_size=20
)


@given(texts)
def test_no_message_holds_more_than_one_line_of_visible_signs(text: str) -> None:
    report = messages.PatchReport(
        patch_id="KB1", version="1", state="failed", progress=0.0, bytes_from_origin=0, bytes_from_peers=0,
        bytes_wasted=0, seconds=0.0, error=text, install_reason=text,
    )  # fmt: skip
    hello = messages.ControlHello(
        protocol=3,
        software=text,
        hostname=text,
        addresses=[],
        lan_port=7_691,
        on_mains=True,
        wired=True,
        uptime_seconds=0,
        instance="0" * 32,
    )
    goodbye = messages.Goodbye(text, "shared_identity", [messages.OtherPc(text, "10.0.0.2")])
    limit = line_messages.SiteLimit(
        rate=1, capacity=None, configured=False, state="idle", reason=text, seconds={(text or "-")[:64]: 1.0},
        yield_seconds=0.0, learned_seconds=None,
    )  # fmt: skip
    ways: list[tuple[Callable[[bytes], object], codec.Message]] = [
        (channels.decode_hello, hello),
        (channels.decode_from_endpoint, messages.Report([report], "")),
        (channels.decode_from_endpoint, goodbye),
        (channels.decode_from_server, goodbye),
        (channels.decode_from_server, messages.Unavailable("0" * 64, text)),
        (channels.decode_from_server, limit),
        (
            channels.decode_on_data_connection,
            goodbye,
        ),
    ]
    for decode, message in ways:
        held = list(texts_in(msgspec.to_builtins(decode(channels.encode_message(message)))))
        assert held
        assert all(is_harmless(one) and "\n" not in one for one in held)
        if is_harmless(text) and "\n" not in text and text.isprintable():
            assert text in held  # honest texts come as they were sent


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_in(key)
            yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
