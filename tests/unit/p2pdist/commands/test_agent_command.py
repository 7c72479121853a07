"""`p2pdist agent`: what is said where it cannot run."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from p2pdist.commands.main import p2pdist
from p2pdist.shared.errors import FaultKind, UserError, first_error


def test_without_its_library_it_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jeepney.io.trio", None)
    ended = CliRunner().invoke(p2pdist, ["agent", "--home", str(tmp_path)])
    assert isinstance(ended.exception, Exception)
    error = first_error(ended.exception)
    assert isinstance(error, UserError)
    assert (error.kind, "pip install 'p2pdist[agent]'" in error.message) == (FaultKind.NOT_SET_UP, True)
