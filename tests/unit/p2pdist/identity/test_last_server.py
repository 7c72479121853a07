"""`p2pdist.identity.last_server`: where the server answered last is known after a restart, or nobody minds."""

from pathlib import Path

import msgpack
import pytest

from p2pdist.identity.last_server import load_last_server, save_last_server
from p2pdist.shared.server_address import ServerAddress

PLACE = ServerAddress("192.0.2.9", 8443, 7690)


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "server"
    assert load_last_server(path) is None
    save_last_server(path, PLACE)
    assert load_last_server(path) == PLACE
    path.write_bytes(msgpack.packb(msgpack.unpackb(path.read_bytes()) | {"later": 1}))
    assert load_last_server(path) == PLACE


@pytest.mark.parametrize(
    "content", [b"", b"junk", bytes(5_000), msgpack.packb({"host": "ff02::1", "web_port": 1, "origin_port": 2})]
)
def test_what_is_no_address_is_forgotten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server").write_bytes(content)
    assert load_last_server(tmp_path / "server") is None


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    save_last_server(tmp_path / "state" / "server", PLACE)
