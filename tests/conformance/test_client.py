"""The command that the TUF conformance suite drives, and what that suite looks at: which metadata is kept, and when."""

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest

from p2pdist.shared.clock import SystemClock
from tests.conformance import client

ADDRESS = "127.0.63.5"


class Repository:
    """A repository behind a real HTTP server, and the directories of one client of it."""

    def __init__(self, simulator: Any, url: str, directory: Path) -> None:
        self.simulator = simulator
        self.url = url
        self.metadata, self.targets = directory / "metadata", directory / "targets"
        self.metadata.mkdir()
        self.targets.mkdir()
        self.root = directory / "root.json"
        self.root.write_bytes(simulator.first_root)

    def run(self, *command: str, target: str = "") -> int:
        common = ["--metadata-dir", str(self.metadata), "--metadata-url", f"{self.url}/tuf/metadata/"]
        if target:
            common += ["--target-name", target, "--target-dir", str(self.targets)]
            common += ["--target-base-url", f"{self.url}/tuf/targets/"]
        return client.main([*common, *command])

    def init(self) -> int:
        return self.run("init", str(self.root))

    def kept(self) -> dict[str, int]:
        """Return the version of each role that the client shows as trusted."""
        shown = {path.stem: json.loads(path.read_bytes()) for path in self.metadata.glob("*.json")}
        return {role: metadata["signed"]["version"] for role, metadata in sorted(shown.items())}

    def publish_all(self) -> None:
        """Publish version 2 or later of everything, root included."""
        self.simulator.rotate()
        self.simulator.sign_targets("targets")
        self.simulator.publish()

    def path_of(self, role: str) -> str:
        if role == "timestamp":
            return "/tuf/metadata/timestamp.json"
        signed = {"root": self.simulator.root, "snapshot": self.simulator.snapshot, **self.simulator.targets}[
            role
        ].signed
        return f"/tuf/metadata/{signed.version}.{role}.json"


@pytest.fixture
def repository(tuf_simulator: ModuleType, tmp_path: Path) -> Iterator[Repository]:
    simulator = tuf_simulator.RepositorySimulator()
    later = timedelta(days=10) + timedelta(seconds=SystemClock().now() - tuf_simulator.NOW)
    for metadata in (simulator.root, simulator.timestamp, simulator.snapshot, *simulator.targets.values()):
        metadata.signed.expires += later
    simulator.sign_root()
    for name in simulator.targets:
        simulator.sign_targets(name)
    simulator.publish()

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path)
            status, data = simulator.status_of.get(path, 200), simulator.files.get(path)
            self.send_response(404 if data is None else status)
            self.end_headers()
            if data is not None and status == 200:
                self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer((ADDRESS, 0), Answers)
    serving = threading.Thread(  # noqa: TID251 - the other side of the connection, not ours
        target=server.serve_forever, args=(0.01,)
    )
    serving.start()
    yield Repository(simulator, f"http://{ADDRESS}:{server.server_address[1]}", tmp_path)
    server.shutdown()
    serving.join()
    server.server_close()


def test_what_was_verified_is_shown_byte_for_byte(repository: Repository) -> None:
    assert repository.init() == 0
    assert repository.kept() == {"root": 1}
    assert repository.run("refresh") == 0
    for role in ("root", "timestamp", "snapshot", "targets"):
        shown = (repository.metadata / f"{role}.json").read_bytes()
        assert shown == repository.simulator.files[repository.path_of(role)]


def test_a_target_is_downloaded_once_and_one_that_nobody_signed_is_not(repository: Repository) -> None:
    repository.simulator.add_target("patches", "patches/a b", b"content")
    repository.simulator.publish()
    repository.init()
    assert repository.run("download", target="patches/nothing") == 1
    assert set(repository.kept()) == {"root", "timestamp", "snapshot", "targets", "patches"}
    for _ in range(2):
        assert repository.run("download", target="patches/a b") == 0
        repository.simulator.status_of[repository.simulator.target_url("patches", "patches/a b")] = 404
    assert [path.read_bytes() for path in repository.targets.iterdir()] == [b"content"]


@pytest.mark.parametrize(
    ("role", "fault"),
    [(role, fault) for role in ("root", "timestamp", "snapshot", "targets") for fault in ("missing", "unsigned")]
    + [(role, "another version") for role in ("root", "snapshot", "targets")],
)
def test_a_refresh_that_fails_at_a_role_keeps_those_before_it(repository: Repository, role: str, fault: str) -> None:
    order = ("root", "timestamp", "snapshot", "targets")
    repository.init()
    assert repository.run("refresh") == 0
    before = repository.kept()
    old = repository.simulator.files[repository.path_of(role)]
    repository.publish_all()
    path = repository.path_of(role)
    if fault == "missing":
        repository.simulator.status_of[path] = 500
    elif fault == "unsigned":
        document = json.loads(repository.simulator.files[path])
        document["signed"]["expires"] = "2099-01-01T00:00:00Z"
        repository.simulator.files[path] = json.dumps(document).encode()
    else:
        repository.simulator.files[path] = old
    assert repository.run("refresh") == 1
    kept = order[: order.index(role)]
    assert repository.kept() == {name: version + (name in kept) for name, version in before.items()}


def test_a_revoked_online_key_s_metadata_is_dropped_with_the_root_that_says_so(repository: Repository) -> None:
    repository.init()
    repository.run("refresh")
    repository.simulator.rotate("timestamp")
    assert repository.run("refresh") == 1
    assert {role: version for role, version in repository.kept().items() if role != "targets"} == {"root": 2}


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_an_expired_role_is_not_kept(repository: Repository, role: str) -> None:
    repository.init()
    repository.run("refresh")
    before = repository.kept()
    metadata = {"timestamp": repository.simulator.timestamp, "snapshot": repository.simulator.snapshot}
    (metadata | repository.simulator.targets)[role].signed.expires -= timedelta(days=100)
    repository.publish_all()
    assert repository.run("refresh") == 1
    assert repository.kept()[role] == before[role]
    assert repository.kept()["root"] == before["root"] + 1


def test_a_root_that_is_none_is_refused_before_anything_is_asked(repository: Repository) -> None:
    repository.root.write_bytes(b"{}")
    assert repository.init() == 1
    assert repository.run("refresh") == 1
    assert repository.kept() == {}
