"""What shells complete for `p2pdist`, by the mechanism that they use."""

from pathlib import Path

import msgspec
from click.testing import CliRunner

from p2pdist.commands.main import p2pdist
from p2pdist.local_api.delivery_answers import StatusAnswer, StatusPatch
from tests.helpers.daemon_answers import enrolled_daemon

PATCH = StatusPatch(
    id="KB5031455", version="1", title="Cumulative", severity="low", state="verifying", progress=0.9,
    length_bytes=10, bytes_from_origin=9, bytes_from_peers=0, bytes_wasted=0,
    seconds=3_599.0, path=None, error=None, install=None, install_reason=None,
)  # fmt: skip
STATUS = StatusAnswer(
    endpoint_id="c3q6ydd2fa6fcjhw5mmendpzgi", site="leeds", server="hq", server_connection="connected", version="1",
    problems=[], patches=[PATCH], installs={},
)  # fmt: skip


def completed(home: Path, line: str) -> list[str]:
    words = f"p2pdist {line}"
    environment = {
        "_P2PDIST_COMPLETE": "bash_complete",
        "P2PDIST_HOME": str(home),
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    result = CliRunner().invoke(p2pdist, [], prog_name="p2pdist", env=environment)
    assert (result.exit_code, result.stderr) == (0, "")
    return [line for line in result.stdout.splitlines() if line]


def test_patches_that_this_pc_knows_are_completed(tmp_path: Path) -> None:
    answer = msgspec.json.encode(STATUS)
    with enrolled_daemon(tmp_path, {"status": answer}):
        assert completed(tmp_path, "why K") == ["plain,KB5031455"]
        assert completed(tmp_path, "defer KB5031455@") == ["plain,KB5031455@1"]
        assert completed(tmp_path, "history --patch K") == ["plain,KB5031455"]


def test_nothing_is_said_while_the_daemon_does_not_run(tmp_path: Path) -> None:
    assert completed(tmp_path, "why K") == []
    assert completed(tmp_path / "none", "rollback K") == []
