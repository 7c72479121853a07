"""`p2pdist.pc.facts`: when this PC is looked at, what is read again, and who hears of it."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from p2pdist.pc import inventory, inventory_linux, network_look
from p2pdist.pc.facts import REFRESH_SECONDS, ListRpm, PcFacts, Surroundings
from p2pdist.pc.network import Medium, NetworkState
from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.facts import Packages

STANZA = "Package: openssl\nStatus: install ok installed\nVersion: {}\n"
MANIFEST = Manifest(
    format=1, patch_id="a", version="1", title="", severity="low", cvss=None, published_at=0,
    payloads=[Payload(file_name="f", length_bytes=1, sha256="0" * 64, torrent_hash="1" * 64)],
    applies_to='package("openssl") < version("3.0.17") and site == "oslo" and "lab" in tags',
)  # fmt: skip


@dataclass
class Pc:
    """A PC in a directory."""

    root: Path
    site: str = "oslo"
    tags: tuple[str, ...] = ("lab",)
    heard: trio.Event = field(default_factory=trio.Event)
    reads: list[str] = field(default_factory=list)

    def install(self, version: str) -> None:
        status = self.root / "var/lib/dpkg/status"
        status.parent.mkdir(parents=True, exist_ok=True)
        before = status.stat().st_mtime_ns if status.exists() else 0
        status.write_text(STANZA.format(version))
        os.utime(status, ns=(before + 10**9, before + 10**9))

    def facts(self, list_rpm: ListRpm | None = None, medium: Medium | None = None) -> PcFacts:
        around = Surroundings(lambda: None, lambda: self.site, lambda: self.tags, medium)
        return PcFacts(self.root, self.root, around, changed=self.hear, list_rpm=list_rpm)

    def hear(self) -> None:
        self.heard.set()


@pytest.fixture
def pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pc:
    made = Pc(tmp_path)
    made.install("3.0.16")
    real: Callable[[Path, str], Packages] = inventory.read_packages

    def read_packages(root: Path, rpm_listing: str = "") -> Packages:
        made.reads.append(rpm_listing)
        return real(root, rpm_listing)

    monkeypatch.setattr(inventory, "read_packages", read_packages)
    return made


async def test_packages_are_read_again_only_after_they_changed(pc: Pc) -> None:
    facts = pc.facts()
    assert await facts.refresh()
    assert not await facts.refresh(), "free space alone is no news"
    assert pc.reads == [""]
    pc.install("3.0.17")
    assert await facts.refresh()
    assert pc.reads == ["", ""]
    assert str(facts.facts.packages["openssl"]) == "3.0.17"


async def test_a_patch_is_chosen_by_the_site_and_the_tags_of_now(pc: Pc) -> None:
    facts = pc.facts()
    pc.site = ""
    await facts.refresh()
    assert facts.chooser()(MANIFEST).reason == "not applicable: site (empty) ≠ oslo"
    pc.site = "oslo"
    chosen = facts.chooser()
    assert chosen(MANIFEST).payload == MANIFEST.payloads[0]
    pc.tags = ()
    assert facts.chooser()(MANIFEST).payload is None
    assert chosen(MANIFEST).payload is not None, "one catalogue is read by one set of facts"


async def test_what_changed_is_heard_of_within_minutes_and_at_once_when_asked(
    pc: Pc, mock_clock: MockClock, nursery: trio.Nursery
) -> None:
    facts = pc.facts()
    await facts.refresh()
    nursery.start_soon(facts.run)
    await wait_all_tasks_blocked()
    pc.install("3.0.17")
    mock_clock.jump(REFRESH_SECONDS - 1)
    await wait_all_tasks_blocked()
    assert not pc.heard.is_set()
    mock_clock.jump(1)
    await pc.heard.wait()
    pc.heard = trio.Event()
    facts.refresh_soon()
    await pc.heard.wait()
    assert trio.current_time() == REFRESH_SECONDS, "asked for: at once, also when nothing differs"


async def test_rpm_is_asked_once_per_change_and_again_after_a_failure(pc: Pc) -> None:
    database = pc.root / "var/lib/rpm/rpmdb.sqlite"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"1")
    asked: list[tuple[str, ...]] = []

    async def list_rpm(command: tuple[str, ...]) -> str:
        asked.append(command)
        if len(asked) == 1:
            raise OSError(12, "Cannot allocate memory")
        return f"bash\t5.{len(asked)}-1\tx86_64\n"

    facts = pc.facts(list_rpm)
    await facts.refresh()
    assert "bash" not in facts.facts.packages
    await facts.refresh()
    await facts.refresh()
    assert asked == [inventory_linux.rpm_query(pc.root)] * 2
    assert str(facts.facts.packages["bash"]) == "5.2-1"
    database.write_bytes(b"12")
    await facts.refresh()
    assert str(facts.facts.packages["bash"]) == "5.3-1"


async def test_packages_that_rpm_cannot_list_now_are_those_of_before(pc: Pc) -> None:
    database = pc.root / "var/lib/rpm/rpmdb.sqlite"
    database.parent.mkdir(parents=True)
    answers = ["bash\t5.1-1\tx86_64\n", None, "bash\t5.2-1\tx86_64\n"]

    async def list_rpm(_command: tuple[str, ...]) -> str:
        answer = answers.pop(0)
        if answer is None:
            raise UserError("rpm did not answer")
        return answer

    facts = pc.facts(list_rpm)
    for content, version, complete in ((b"1", "5.1-1", True), (b"12", "5.1-1", False), (b"12", "5.2-1", True)):
        database.write_bytes(content)
        await facts.refresh()
        packages = facts.facts.packages
        assert str(packages["bash"]) == version
        assert isinstance(packages, Packages)
        assert packages.complete is complete


@pytest.mark.parametrize(
    ("found", "medium", "network"),
    [
        (Medium.WIFI, None, "wifi"),
        (Medium.WIFI, Medium.METERED, "metered"),
        (Medium.LOOPBACK, None, "unknown"),
        (None, None, "unknown"),
        (Medium.VPN, None, "vpn"),
        (Medium.WIRED, None, "wired"),
    ],
)
async def test_kind_of_network(
    pc: Pc, monkeypatch: pytest.MonkeyPatch, found: Medium | None, medium: Medium | None, network: str
) -> None:
    def network_state(_address: str | None) -> NetworkState:
        if found is None:
            raise OSError(24, "Too many open files")
        return NetworkState(medium=found)

    monkeypatch.setattr(network_look, "network_state", network_state)
    facts = pc.facts(medium=medium)
    await facts.refresh()
    assert facts.facts.values["network"] == network


async def test_where_nobody_can_tell_packages_are_read_each_time(pc: Pc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "packages_stamp", lambda _root: None)
    facts = pc.facts()
    await facts.refresh()
    await facts.refresh()
    assert pc.reads == ["", ""]
