"""`p2pdist server` and `server set`: what is shown, and what the daemon is told."""

import json
from pathlib import Path

from click.testing import CliRunner

from p2pdist.commands.main import p2pdist
from p2pdist.commands.server_commands import server_view
from p2pdist.local_api.server_answers import KnownServerAddress, ServerAnswer
from tests.helpers.daemon_answers import enrolled_daemon
from tests.unit.p2pdist.commands.test_main import shown

ANSWER = ServerAnswer(
    "hq",
    "connected",
    [
        KnownServerAddress("192.0.2.10", 8443, 7690, own=False, used=True, problem=None),
        KnownServerAddress("2001:db8::1", 8443, 7690, own=True, used=False, problem="Nothing listens there."),
        KnownServerAddress("patches.example.com", 8443, 7690, own=False, used=False, problem=None),
    ],
)


def test_it_is_shown_which_is_used_and_why_another_is_not() -> None:
    text = shown(lambda answer, _: server_view(answer), ANSWER, 80)
    assert "hq: connected" in text
    assert "used" in text
    assert "not tried" in text
    assert "[2001:db8::1], ports 8443 and 7690: Nothing listens there." in text


def test_a_running_daemon_is_told(tmp_path: Path) -> None:
    answer = json.dumps({"server": "hq", "server_connection": "", "addresses": [
        {"host": "192.0.2.9", "web_port": 1, "origin_port": 7690, "own": True, "used": False, "problem": None}
    ]}).encode()  # fmt: skip
    with enrolled_daemon(tmp_path, {"set-server": answer}) as asked:
        result = CliRunner().invoke(
            p2pdist, ["server", "set", "192.0.2.9", "--web-port", "1", "--force", "--home", str(tmp_path)]
        )
    assert "looks for hq at 192.0.2.9, ports 1 and 7690 now" in result.output
    assert [json.loads(one.partition(" ")[2]) for one in asked] == [{"host": "192.0.2.9", "web_port": 1}]
