"""Commands start quickly and stay small: they load none of the libraries that only daemon, server or pictures need."""

import subprocess
import sys

import pytest

HEAVY = (
    "libtorrent", "tuf", "zeroconf", "httpx", "fastapi", "h11", "resvg_py", "cryptography", "sqlalchemy", "argon2",
    "pyotp", "segno",
)  # fmt: skip


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("p2pdist.commands.main", ()),
        ("seed_server.commands.main", ("tuf", "cryptography")),  # its operations open the repository
        ("bandwidth.commands.main", ()),
    ],
)
def test_a_command_line_loads_what_it_needs(module: str, allowed: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert set(loaded) <= set(allowed)
