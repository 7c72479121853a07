"""`p2pdist metrics`, asked of a daemon."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from p2pdist.commands.main import p2pdist
from p2pdist.local_api.delivery_answers import PeersAnswer, StatusAnswer
from p2pdist.local_api.install_answers import PlanAnswer
from p2pdist.local_api.messages import Refusal
from p2pdist.shared.errors import FaultKind, UserError
from tests.helpers.command_results import shown
from tests.helpers.daemon_answers import LIMITER, enrolled_daemon

STATUS = StatusAnswer(
    endpoint_id="a" * 26, site="leeds", server="hq", server_connection="connected", version="0.3", problems=[],
    patches=[], installs={},
)  # fmt: skip
ANSWERS = {
    "status": msgspec.json.encode(STATUS),
    "plan": msgspec.json.encode(PlanAnswer(problem="", patches=[])),
    "limiter": msgspec.json.encode(LIMITER),
    "peers": msgspec.json.encode(PeersAnswer([])),
}


def names(text: str) -> set[str]:
    return {family.name for family in text_string_to_metric_families(text)}


def test_the_text_is_what_the_parser_of_prometheus_reads(tmp_path: Path) -> None:
    with enrolled_daemon(tmp_path, ANSWERS) as asks:
        text = shown(CliRunner().invoke(p2pdist, ["metrics", "--home", str(tmp_path)]))
    assert len(asks) == 4
    assert {"p2pdist_info", "p2pdist_limiter_seconds", "p2pdist_peers", "p2pdist_files"} <= names(text)


@pytest.mark.parametrize("kind", [FaultKind.REFUSED, FaultKind.STORAGE])
def test_what_the_daemon_does_not_tell_this_user_is_left_out(tmp_path: Path, kind: FaultKind) -> None:
    refusal = msgspec.json.encode(Refusal("for root alone", kind))
    with enrolled_daemon(tmp_path, ANSWERS | {"limiter": refusal, "peers": refusal}):
        result = CliRunner().invoke(p2pdist, ["metrics", "--home", str(tmp_path)])
    if kind is FaultKind.STORAGE:
        assert isinstance(result.exception, UserError)
        return
    assert {"p2pdist_info", "p2pdist_files"} <= names(shown(result))
    assert not names(result.stdout) & {"p2pdist_limiter_seconds", "p2pdist_peers"}
