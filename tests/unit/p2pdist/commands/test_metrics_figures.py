"""What a PC's daemon answers becomes figures whose number does not grow."""

import re

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from bandwidth.core.states import Reason
from p2pdist.commands.metrics_figures import PC_METRICS, pc_figures
from p2pdist.limiter.lan_policy import LanReason
from p2pdist.local_api.delivery_answers import (
    LineLimit,
    NetworkPartStatus,
    Peer,
    PeersAnswer,
    StatusAnswer,
    StatusPatch,
)
from p2pdist.local_api.disk_answer import DiskStatus
from p2pdist.local_api.install_answers import PlanAnswer, PlanRestart
from p2pdist.shared.exposition import exposition
from tests.helpers.daemon_answers import LIMITER

PATCH = StatusPatch(
    id="acme-office", version="2.1", title="", severity="low", state="fetching", progress=0.5,
    length_bytes=100, bytes_from_origin=10, bytes_from_peers=40, bytes_wasted=2,
    seconds=3.0, path=None, error=None, install=None, install_reason=None,
)  # fmt: skip
STATUS = StatusAnswer(
    endpoint_id="a" * 26, site="leeds", server="hq", server_connection="connected", version="0.3", problems=["x"],
    patches=[PATCH, msgspec.structs.replace(PATCH, id="b", state="verified")], installs={"b@2.1": "installed"},
    network_part=NetworkPartStatus(True, "p2pdist", True, "", 2), problem_codes=["disk"],
    disk=DiskStatus(1_000, 600, 300, 200, 50, 50, 5_000),
)  # fmt: skip
PLAN = PlanAnswer(problem="", patches=[], restarts=[PlanRestart("b", "2.1", "", "", None, None)])
PEER = Peer(
    endpoint_id="a" * 26, address="10.0.0.2", port=1, sources=[], connected=True, reason=None,
    bytes_received=0, bytes_sent=0,
)  # fmt: skip
LINE = LineLimit(
    rate=5, capacity=None, configured=False, state="ramp", reason="ramping up",
    seconds={"ramping up": 2.0, "a reason of a newer release": 1.0}, yield_seconds=0.0,
)  # fmt: skip


def values(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f",{value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_a_pc_says() -> None:
    limiter = msgspec.structs.replace(LIMITER, line=LINE)
    found = values(exposition(pc_figures(STATUS, PLAN, limiter, PeersAnswer([PEER, PEER]))).decode())
    for name, value in {
        "p2pdist_info,leeds,0.3": 1,
        "p2pdist_server_connected": 1,
        "p2pdist_problems,disk": 1,
        "p2pdist_problems,clock": 0,
        "p2pdist_files,fetching": 1,
        "p2pdist_files,verified": 1,
        "p2pdist_files,failed": 0,
        "p2pdist_installs,installed": 1,
        "p2pdist_received_bytes,line": 20,
        "p2pdist_received_bytes,neighbours": 80,
        "p2pdist_received_bytes,wasted": 4,
        "p2pdist_peers,connected": 2,
        "p2pdist_peers,known": 0,
        "p2pdist_limiter_seconds_total,ramping,line": 2,
        "p2pdist_limiter_seconds_total,other,line": 1,
        "p2pdist_limiter_seconds_total,business,download": 72,
        "p2pdist_limit_bytes_per_second,line": 5,
        "p2pdist_limit_bytes_per_second,upload": 12_500_000,
        "p2pdist_used_bytes_per_second,download": 1_250_000,
        "p2pdist_disk_used_bytes,install": 300,
        "p2pdist_disk_quota_bytes": 1_000,
        "p2pdist_disk_free_bytes": 5_000,
        "p2pdist_restarts_needed": 1,
        "p2pdist_network_part_starts_total": 2,
        "p2pdist_serves": 0,
    }.items():
        assert found[name] == value, name
    assert "p2pdist_limit_bytes_per_second,download" not in found  # it is unlimited
    assert "p2pdist_server_lost_seconds" not in found


def test_who_may_not_ask_for_all_is_told_the_rest() -> None:
    lost = msgspec.structs.replace(STATUS, server_connection="no answer", server_lost_seconds=60.0)
    found = values(exposition(pc_figures(lost, PLAN, None, None)).decode())
    assert (found["p2pdist_server_connected"], found["p2pdist_server_lost_seconds"]) == (0, 60)
    assert not any(name.startswith(("p2pdist_peers", "p2pdist_limit")) for name in found)


def test_the_number_of_lines_does_not_grow_with_patches_or_neighbours() -> None:
    many = msgspec.structs.replace(
        STATUS,
        patches=[msgspec.structs.replace(PATCH, id=f"p{number}") for number in range(2_000)],
        installs={f"p{number}@1": "waiting" for number in range(2_000)},
        problem_codes=["disk", "of a newer release"] * 100,
    )
    reasons = {reason.value: 1.0 for reason in LanReason} | {f"reason {number}": 1.0 for number in range(500)}
    way = msgspec.structs.replace(LIMITER.upload, seconds=reasons)
    line = msgspec.structs.replace(LINE, seconds={reason.value: 1.0 for reason in Reason})
    limiter = msgspec.structs.replace(LIMITER, upload=way, download=way, line=line)
    text = exposition(pc_figures(many, PLAN, limiter, PeersAnswer([PEER] * 2_000))).decode()
    assert len(text.splitlines()) < 200
    assert values(text)["p2pdist_problems,other"] == 100


def test_names_are_as_the_conventions_have_them() -> None:
    for metric in PC_METRICS:
        assert re.fullmatch(r"p2pdist_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") is (metric.kind == "counter"), metric.name
        assert not metric.help.endswith(".")
    assert len({metric.name for metric in PC_METRICS}) == len(PC_METRICS)
