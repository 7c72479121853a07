"""`seed-server status` and `endpoints` as people see them, at the usual widths."""

import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from msgspec import json
from msgspec.structs import replace
from rich.console import Console

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.terminal import PIPE_COLUMNS
from seed_server.answers.status_documents import endpoint_documents, status_document
from seed_server.commands.endpoints_view import endpoint_table
from seed_server.commands.status_pcs import built_lines
from seed_server.fleet.queries import FleetStatus
from seed_server.fleet.smaller_updates import SmallerUpdate
from seed_server.store.database import Database
from seed_server.store.rows import EndpointRow, PatchBytes, ReportRow, ServedPayload
from tests.helpers.stored_fleet import endpoints_page, screen, store
from tests.helpers.stored_fleet import shown as shown_screen

ID = "c3q6ydd2fa6fcjhw5mmendpzgi"
HASH = "ab" * 32
HOSTNAME = "workstation-with-a-long-name.branch.example.com"
SITE = "auto-192.168.100.0/24"


def patch(version: str, sequence: int) -> ServedPayload:
    return ServedPayload(
        patch_id="office", version=version, title="", severity="high", cvss=None, file_name="office.msi", sha256=HASH,
        length_bytes=999_900_000, torrent_hash=HASH, piece_length_bytes=262_144, piece_count=3_815,
        sequence=sequence, published_at=1.0,
    )  # fmt: skip


def fleet(
    *,
    connected: bool = True,
    state: str = "verified",
    error: str = "",
    install: str = "",
    install_reason: str = "",
    claimed_site: str = "",
    shared_with: str = "",
) -> FleetStatus:
    endpoint = EndpointRow(
        endpoint_id=ID, hostname=HOSTNAME, enrolled_at=1.0, denied=False, site=SITE, address="192.168.100.254",
        software="p2pdist 1", connected=connected, last_seen_at=5.0, claimed_site=claimed_site,
        shared_with=shared_with,
    )  # fmt: skip
    report = ReportRow(
        endpoint_id=ID, patch_id="office", version="1", state=state, progress=0.999, bytes_from_origin=999_900_000,
        bytes_from_peers=999_900_000, bytes_wasted=999_900_000, seconds=3_599.0, error=error, reported_at=9.0,
        install=install, install_reason=install_reason,
    )  # fmt: skip
    return FleetStatus("hq", True, [patch("1", 1), patch("2", 2)], [endpoint], [report], {(SITE, HASH): 999_900_000})


def printed(document: object) -> Any:
    return json.decode(json.encode(document))


def shown(status: FleetStatus, columns: int) -> str:
    with tempfile.TemporaryDirectory() as directory, Database.create(Path(directory) / "state.db") as database:
        store(database, status)
        return shown_screen(screen(database, status), columns)


@pytest.mark.parametrize("columns", [80, 120, PIPE_COLUMNS])
@pytest.mark.parametrize("state", ["verified", "fetching"])
def test_no_number_and_no_state_is_cut(columns: int, state: str) -> None:
    text = shown(fleet(state=state, connected=state == "verified"), columns)
    (row,) = [line for line in text.splitlines() if "59 m 59 s" in line]
    assert row.count("999.9 MB") == (2 if columns < 118 else 3)
    assert (state if state == "verified" else "away (fetching)") in row
    assert " 99%" in row  # not 100 before all of it is there


def test_a_pipe_has_whole_names() -> None:
    text = shown(fleet(), PIPE_COLUMNS)
    assert ID in text
    assert HOSTNAME in text


def test_the_newest_patch_comes_first_and_a_problem_has_a_line_of_its_own() -> None:
    text = shown(fleet(state="failed", error="the disk is full"), 80)
    assert text.index("office 2") < text.index("office 1")
    assert f"({ID})" in text
    assert "disk is full" in text


def test_a_reason_without_a_state_is_not_shown() -> None:
    """Daemons of before sent one when a file was proven and the plan was not made yet."""
    assert "not here yet" not in shown(fleet(install="", install_reason="its file is not here yet"), 120)
    assert "for a window" in shown(fleet(install="waiting", install_reason="for a window"), 120)


@pytest.mark.parametrize("columns", [80, 120, PIPE_COLUMNS])
@pytest.mark.parametrize(
    ("state", "install", "cell", "count"),
    [
        ("verified", "rolled_back", "rolled back", "; 1 failed (they say: 1 rolled back)"),
        ("verified", "waiting", "away (waiting)", "; 1 off (they say: 1 waiting)"),
        ("verified", "retrying", "away (retrying)", "; 1 off (they say: 1 retrying)"),
        ("verified", "restart_pending", "away (restart pending)", "; 1 off (they say: 1 restart pending)"),
        ("waiting", "not_applicable", "not applicable", "; 1 not applicable"),
        ("fetching", "waiting", "away (fetching)", "; 1 off (they say: 1 fetching)"),
    ],
)
def test_state_of_an_installation_and_its_reason(columns: int, state: str, install: str, cell: str, count: str) -> None:
    status = fleet(state=state, install=install, install_reason="the service died", connected=False)
    text = shown(status, columns)
    rows = [line for line in text.splitlines() if "59 m 59 s" in line]
    assert [cell in row for row in rows] == ([] if install == "not_applicable" else [True]), "not for it: no row"
    assert count in " ".join(text.split())
    assert f"{install.replace('_', ' ')}: the service died" in " ".join(text.split())


def test_what_a_pc_says_moves_no_cursor() -> None:
    status = fleet(state="failed", error="\x1b[2Jbroken", install="failed", install_reason="\x1b[1Aexit code 1")
    text = shown(status, PIPE_COLUMNS)
    assert "\x1b" not in text
    assert "?[2Jbroken" in text
    assert "?[1Aexit code 1" in text


def test_installations_are_counted_for_tools() -> None:
    facts = printed(status_document(fleet(install="failed", install_reason="exit code 1")))["patches"][0]
    assert facts["install"] == {
        "installed": 0, "installing": 0, "restart_pending": 0, "unproven": 0, "waiting": 0, "retrying": 0,
        "failed": 1, "rolled_back": 0, "not_applicable": 0,
    }  # fmt: skip
    assert (facts["endpoints"][0]["install"], facts["endpoints"][0]["install_reason"]) == ("failed", "exit code 1")
    nothing = printed(status_document(fleet()))["patches"][0]
    assert (nothing["endpoints"][0]["install"], nothing["endpoints"][0]["install_reason"]) == (None, None)
    assert sum(nothing["install"].values()) == 0


def test_json_says_null_for_what_is_not_known_and_counts_with_units() -> None:
    facts = printed(status_document(fleet()))
    old, new = facts["patches"]
    assert (old["endpoints_verified"], new["endpoints_verified"]) == (1, 0)
    assert facts["endpoints"] == [*map(printed, endpoint_documents(fleet()))]


def test_when_an_endpoint_was_seen_last() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for connected, now in ((False, 125.0), (False, 5.0 + 3 * 86_400), (True, 6.0)):
        console.print(endpoint_table(endpoints_page(fleet(connected=connected)), now))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.count(ID[:9]) == 3
    for words in ("seen 2 m 00 s ago", "seen 3 d ago", "connected"):
        assert words in text


def test_a_claim_that_is_not_believed_is_shown() -> None:
    lying, honest = fleet(claimed_site="leeds"), fleet()
    assert [next(map(printed, endpoint_documents(status)))["claimed_site"] for status in (lying, honest)] == [
        "leeds",
        None,
    ]
    assert "claim a site where they are not seen: 1 of 1 endpoints" in shown(lying, 120)
    assert "claim" not in shown(honest, 120)
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(endpoint_table(endpoints_page(lying), 6.0))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "claims leeds" in text
    assert 'nat = ["ADDRESS"]' in text


def test_an_identity_that_several_pcs_show_is_said_with_the_cure() -> None:
    shared, single = fleet(shared_with="pc-2 at 10.0.0.2"), fleet()
    assert [next(map(printed, endpoint_documents(status)))["shared_with"] for status in (shared, single)] == [
        "pc-2 at 10.0.0.2",
        None,
    ]
    assert "several PCs show the identity of 1 endpoint" in shown(shared, 120)
    assert "several PCs" not in shown(single, 120)
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(endpoint_table(endpoints_page(shared), 6.0))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "is shown by pc-2 at 10.0.0.2 too" in text
    assert "p2pdist enrol --force --new-key" in text


def test_a_patch_of_several_payloads_has_one_row_and_counts_what_went_to_each_site() -> None:
    first = patch("1", 1)
    second = replace(first, number=1, torrent_hash="cd" * 32, language="ja", length_bytes=100, damaged="piece 0 gone")
    sent = {("leeds", first.torrent_hash): 999_900_000, ("leeds", second.torrent_hash): 100, ("oslo", "cd" * 32): 150}
    status = FleetStatus("hq", True, [first], [], [], sent, [first, second])
    (facts,) = printed(status_document(status))["patches"]
    assert facts["damaged"] == "piece 0 gone"
    assert [payload["language"] for payload in facts["payloads"]] == ["", "ja"]
    assert facts["sites"] == [
        {"site": "leeds", "wan_bytes": 999_900_100, "origin_ratio": 1.0},
        {"site": "oslo", "wan_bytes": 150, "origin_ratio": 1.5},
    ]
    assert "cannot be served: piece 0 gone" in shown(status, 80)


def test_what_was_built_and_is_made_ahead_is_said() -> None:
    updates = [SmallerUpdate(PatchRef("kb", "1.0"), 0.842), SmallerUpdate(None, 1.0)]
    said = [line.plain for line in built_lines(PatchBytes(1_000_000, 2_000_000, 9_000_000), updates)]
    assert said == [
        "the PCs have 1.0 MB over the line, 2.0 MB from neighbours; compression and what they had saved 9.0 MB",
        "smaller updates, made ahead: from 1.0: 84%; compressed: 100%",
    ]
    assert list(built_lines(PatchBytes(1, 2, 0), [])) == []
    assert list(built_lines(None, None)) == []


def test_what_was_not_announced_is_not_called_published() -> None:
    one, two = patch("1", 1), patch("2", 2)
    status = FleetStatus(
        "hq", True, [one, two], [], [], {}, unannounced=frozenset({two.ref}), repository_problem="Broken."
    )
    document = printed(status_document(status))
    assert [row["announced"] for row in document["patches"]] == [True, False]
    assert document["repository_problem"] == "Broken."
    newest, _, older = shown(status, 120).partition("office 1")
    assert "Broken." in newest
    assert "not announced: its publication was cut off" in newest
    assert "not announced" not in older
