import json

import pytest
from click.testing import CliRunner

from bandwidth.commands.main import bandwidth


def test_line_share_in_words() -> None:
    result = CliRunner().invoke(bandwidth, ["line-share", "--line-mbit", "20", "--share", "0.85"])
    assert (result.exit_code, result.output) == (0, "2125000 bytes/s (17 Mbit/s)\n")


def test_line_share_as_json() -> None:
    result = CliRunner().invoke(bandwidth, ["line-share", "--line-mbit", "8", "--share", "0.5", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.output) == {"bytes_per_second": 500_000, "mbit_per_second": 4.0}


@pytest.mark.parametrize(
    ("line", "share", "named"),
    [("0", "0.5", "--line-mbit"), ("20", "0", "--share"), ("20", "1.5", "--share"), ("nan", "0.5", "line rate")],
)
def test_a_wrong_value_is_named_without_a_traceback(line: str, share: str, named: str) -> None:
    result = CliRunner().invoke(bandwidth, ["line-share", "--line-mbit", line, "--share", share])
    assert result.exit_code == 2
    assert named in result.output
    assert "Traceback" not in result.output


def test_version() -> None:
    result = CliRunner().invoke(bandwidth, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("bandwidth, version ")
