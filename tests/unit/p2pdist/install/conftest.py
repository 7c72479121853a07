"""What the tests of the installer and of detection share."""

from pathlib import Path

import pytest

from tests.helpers.install_place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
