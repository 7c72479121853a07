"""`bandwidth.commands.json_answers`: every `--json` prints its type, all of it and nothing else."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from bandwidth.commands.json_answers import (
    ComparisonAnswer,
    Explanation,
    GoodProfile,
    LineShare,
    PlottedWeek,
    Simulation,
    WrongProfile,
)
from bandwidth.commands.main import bandwidth

SHORT = ("--scenario", "idle", "--seconds", "20")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("line-share", "--line-mbit", "20", "--share", "0.85"), LineShare),
        (("check", "office-hours"), list[GoodProfile]),
        (("check", "missing.toml"), list[WrongProfile]),
        (("explain", "office-hours", "--at", "2026-06-01T10:00Z"), Explanation),
        (("plot", "overnight", "--week", "2026-06-01"), PlottedWeek),
        (("simulate", "office-hours", "--at", "2026-06-01T10:00Z", *SHORT), Simulation),
        (("compare", *SHORT), ComparisonAnswer),
    ],
)
def test_a_document_is_of_its_type_and_of_no_more(arguments: Sequence[str], kind: Any) -> None:
    printed = CliRunner().invoke(bandwidth, [*arguments, "--json"]).stdout
    assert msgspec.to_builtins(msgspec.json.decode(printed, type=kind)) == msgspec.json.decode(printed)
