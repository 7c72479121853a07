"""tuf's client with memory for a disk, and the steps at which it hands over what it has verified."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from p2pdist.trust import floor as trust_floor
from p2pdist.trust.floor import VerifiedMetadata
from p2pdist.trust.tuf_client import RepositoryPlace, TufClient

NOW = 1_800_000_000.0


class Fetcher(FetcherInterface):
    """Reads a simulated repository."""

    def __init__(self, repository: Any, base_url: str) -> None:
        self.repository = repository
        self.base_url = base_url
        self.asked: list[str] = []

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix(self.base_url)
        self.asked.append(path.removeprefix("/tuf/metadata/"))
        if path not in self.repository.files:
            raise DownloadHTTPError("not found", 404)
        yield self.repository.files[path]


class Pc:
    """A PC whose disk is a list: each entry is what was made durable at once."""

    def __init__(self, tuf_simulator: ModuleType) -> None:
        self.repository = tuf_simulator.RepositorySimulator()
        self.base_url = tuf_simulator.BASE_URL
        self.disk = [VerifiedMetadata()]
        self.asked_last: list[str] = []

    def client(self, verified: VerifiedMetadata | None = None) -> TufClient:
        place = RepositoryPlace(
            f"{self.base_url}/tuf/metadata", f"{self.base_url}/tuf/targets", self.repository.first_root
        )
        self.fetcher = Fetcher(self.repository, self.base_url)
        return TufClient(place, self.fetcher, NOW, verified or self.disk[-1], {}, self._keep)

    def _keep(self, verified: VerifiedMetadata) -> None:
        self.disk.append(verified)
        self.asked_last.append(self.fetcher.asked[-1])


@pytest.fixture
def pc(tuf_simulator: ModuleType) -> Pc:
    return Pc(tuf_simulator)


def test_each_step_is_handed_over_before_the_next_is_asked_for(pc: Pc) -> None:
    pc.repository.rotate("root")
    pc.repository.rotate("timestamp")
    pc.repository.publish()
    pc.client().refresh()
    newest = pc.repository.snapshot.signed.version
    assert pc.asked_last == [
        "2.root.json", "3.root.json", "timestamp.json", f"{newest}.snapshot.json",
    ]  # fmt: skip
    kept = pc.disk[1:]
    assert [sorted(step.roots) for step in kept] == [["2"], ["2", "3"], ["2", "3"], ["2", "3"]]
    assert [(bool(step.timestamp), bool(step.snapshot)) for step in kept] == [
        (False, False), (False, False), (True, False), (True, True),
    ]  # fmt: skip
    assert [step.floor.root for step in kept] == [2, 3, 3, 3]
    ranks = [trust_floor.rank(step.floor) for step in pc.disk]
    assert ranks == sorted(ranks)
    assert kept[-1].floor.roles["targets"] == 1


def test_what_is_known_is_neither_asked_for_nor_handed_over_again(pc: Pc) -> None:
    pc.repository.rotate("root")
    pc.client().refresh()
    before = list(pc.disk)
    pc.client().refresh()
    assert pc.disk == before
    assert pc.fetcher.asked[:2] == ["3.root.json", "timestamp.json"]
    assert not any("snapshot" in path for path in pc.fetcher.asked)


def test_stored_roots_that_do_not_fit_are_asked_for_anew(pc: Pc) -> None:
    pc.repository.rotate("root")
    for rubbish in (b"", b"{}", pc.repository.first_root):
        client = pc.client(VerifiedMetadata(roots={"2": rubbish}))
        client.refresh()
        assert pc.fetcher.asked[0] == "2.root.json"
        assert client.verified().roots == {"2": pc.repository.files["/tuf/metadata/2.root.json"]}


def test_no_file_is_written(pc: Pc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pc.repository.rotate("root")
    client = pc.client()
    client.refresh()
    client.names("patches", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["_load_local_metadata", "_persist_metadata", "_persist_root", "_update_root_symlink"])
def test_a_tuf_that_keeps_its_metadata_by_another_name_is_not_used(
    pc: Pc, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Updater, name)
    with pytest.raises(TypeError, match="elsewhere"):
        pc.client()
