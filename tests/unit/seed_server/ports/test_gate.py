"""`seed_server.ports.gate`: connections and open files."""

import pytest

from seed_server.ports.gate import MAX_CONNECTIONS, RESERVED_FILES, allowed_connections

resource = pytest.importorskip("resource")


@pytest.mark.parametrize(
    ("limit", "connections"),
    [
        pytest.param(256, 128, id="half of a very low limit"),
        pytest.param(4_096, 4_096 - RESERVED_FILES, id="all but the reserved of a common one"),
        pytest.param(1 << 20, MAX_CONNECTIONS, id="no more than the cap of a high one"),
    ],
)
def test_the_origin_port_leaves_files_to_everything_else(
    monkeypatch: pytest.MonkeyPatch, limit: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert allowed_connections() == connections
