"""Homes of which a part is on another volume, mounted in a namespace of the test; and volumes that are full."""

import io
import json
from pathlib import Path

import pytest
import structlog

from p2pdist.shared.errors import FaultKind
from p2pdist.shared.logs import configure_log
from p2pdist.transfer.fault_log import FaultLog
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from tests.helpers.fake_clock import FakeClock
from tests.helpers.namespaces import in_own_network

START = """
import json, pathlib, structlog, trio
from p2pdist.daemon import composition
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import UserError
from p2pdist.shared.logs import RepeatFilter
from tests.helpers.daemon_states import made_up_identity

def came_so_far(*_arguments, **_named):
    raise UserError("started")

composition.load_identity = lambda _: made_up_identity()
composition.build_core = came_so_far
for home, mount in {homes}.items():
    for name in ("", "cache", "patches", "kept", "trust", "other"):
        pathlib.Path(home, name).mkdir(mode=0o700)
    sh(mount)
    try:
        trio.run(composition.run_daemon, EndpointHome(pathlib.Path(home)), "127.0.32.5")
    except UserError as error:
        left = sorted(str(path) for path in pathlib.Path(home).rglob(".*"))
        limited = any(isinstance(step, RepeatFilter) for step in structlog.get_config()["processors"])
        print(json.dumps([error.kind.value, error.message.replace(home, "HOME"), left, limited]))
"""
TMPFS = "mount -t tmpfs -o mode=700 none"


def started(directory: Path, *mounts: str) -> list[tuple[str, str]]:
    """Start the daemon of a new home after each mount, and return how far it came: the error's kind and its words."""
    homes = {str(directory / str(n)): mount.format(directory / str(n)) for n, mount in enumerate(mounts)}
    found = [json.loads(line) for line in in_own_network(START.replace("{homes}", repr(homes))).splitlines()]
    assert [left for _, _, left, _ in found] == [[]] * len(mounts), "the trial leaves nothing behind"
    assert all(limited for *_, limited in found), "its log leaves out what repeats"
    return [(kind, text) for kind, text, *_ in found]


def test_a_cache_on_another_volume_is_found_at_the_start(tmp_path: Path) -> None:
    mounts = f"{TMPFS} {{0}}/cache", "mount --bind {0}/other {0}/cache", f"{TMPFS} {{0}}/patches", f"{TMPFS} {{0}}/kept"
    results = started(tmp_path, *mounts)
    for (kind, text), other in zip(results, ("patches", "patches", "patches", "kept"), strict=True):
        assert kind == FaultKind.STORAGE.value, "exit code 8"
        assert f"HOME/cache and HOME/{other} are on different volumes" in text
        assert "move all of HOME there, and name it with --home" in text


def test_a_home_on_a_volume_of_its_own_and_what_is_never_linked_are_no_matter(tmp_path: Path) -> None:
    assert [text for _, text in started(tmp_path, f"{TMPFS} {{0}}", f"{TMPFS} {{0}}/trust")] == ["started"] * 2


def test_a_full_disk_writes_few_lines_however_long_it_lasts_and_however_many_patches_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stderr", written := io.StringIO())
    configure_log("info", clock := FakeClock())
    faults, log = FaultLog(), structlog.get_logger()
    patches = [f"{chr(ord('a') + n % 26)}-{n}" for n in range(40)]
    for second in range(0, 86_400, 300):  # a day; every few seconds, in truth
        for patch in patches:
            text = f"The disk is too full: {second + 1} more bytes must be free in /var/lib/p2pdist/cache."
            faults.failed(patch, TransferFault(TransferFaultKind.DISK_FULL, text), clock.monotonic())
            log.error("transfer records cannot be written", path="/var/lib/p2pdist/state", cause="No space left")
        clock.wall += 300.0
    structlog.reset_defaults()
    lines = written.getvalue().splitlines()
    assert 20 < len([line for line in lines if "records cannot" in line]) < 40
    assert 20 < len([line for line in lines if "transfer failed" in line]) < 40
    assert "patch=a-0" in lines[0]
    assert "left_out=" in lines[-1]
