"""`p2pdist … --json`: scripts go on working, so each command prints what a daemon of 0.1.0 answered, key by key.

`recorded_answers.json` was recorded from running daemons before the answers had types.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from p2pdist.commands.main import p2pdist
from p2pdist.local_api.messages import COMMANDS, NOTICES, SET_SERVER, Command, Enrolled
from tests.helpers.daemon_answers import enrolled_daemon

RECORDED = json.loads((Path(__file__).parent / "recorded_answers.json").read_text())
ADDED: dict[str, dict[str, object]] = {
    "status": {"not_yet": [], "problem_codes": [], "disk": None, "server_lost_seconds": None},
    "peers": {"callers": None},
}
"""What later releases print besides, of a daemon that does not say it."""
OF_PATCHES: dict[str, dict[str, object]] = {
    "status": {"titles": {}, "left": False, "waits_for_room": False, "bytes_built": 0, "built_of": ""},
    "why": {"titles": {}, "bytes_from_origin": 0, "bytes_from_peers": 0, "bytes_built": 0, "built_of": ""},
    "plan": {"titles": {}},
}
ARGUMENTS = {"why": ["demo-app"], "defer": ["demo-app"], "rollback": ["demo-app"], "retry": ["demo-app"]}


def with_added(command: str) -> dict[str, Any]:
    """Return what was recorded of ``command``, with what later releases print besides."""
    wanted: dict[str, Any] = RECORDED[command] | ADDED.get(command, {})
    if command in OF_PATCHES:
        wanted["patches"] = [row | OF_PATCHES[command] for row in wanted["patches"]]
    return wanted


@pytest.mark.parametrize("command", RECORDED)
def test_what_is_printed_is_what_was_recorded(tmp_path: Path, command: str) -> None:
    with enrolled_daemon(tmp_path, {command: json.dumps(RECORDED[command]).encode()}):
        arguments = [command, *ARGUMENTS.get(command, []), "--home", str(tmp_path), "--json"]
        result = CliRunner().invoke(p2pdist, arguments)
    assert result.exit_code == 0
    wanted = with_added(command)
    if command == "why":
        wanted = {"patches": [row for row in wanted["patches"] if row["id"] == "demo-app"]}
    assert json.loads(result.output) == wanted
    assert list(json.loads(result.output)) == list(wanted), "in the same order"


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if one not in (NOTICES, SET_SERVER)], ids=lambda command: command.name
)
def test_a_daemon_says_what_it_said(command: Command[Any, Any]) -> None:
    recorded = RECORDED[command.name]
    answer = msgspec.convert(recorded, command.answer)
    assert json.loads(msgspec.json.encode(answer)) == with_added(command.name)


def test_enrol_prints_who_this_pc_is_and_whose() -> None:
    assert msgspec.to_builtins(Enrolled(endpoint_id="a", server="hq")) == {"endpoint_id": "a", "server": "hq"}
