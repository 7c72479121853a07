"""Gives the trust tests their helper modules."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

_HELPERS = Path(__file__).parents[1] / "helpers"


def _helper(name: str) -> ModuleType:
    full_name = f"test_helper_{name}"
    if full_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(full_name, _HELPERS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full_name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full_name]


@pytest.fixture(scope="session")
def tuf_simulator() -> ModuleType:
    """Return the module of the in-memory TUF repository."""
    return _helper("repository_simulator")


@pytest.fixture(scope="session")
def certificates() -> ModuleType:
    """Return the module of throw-away authorities and web ports."""
    return _helper("certificates")
