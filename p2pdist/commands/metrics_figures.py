"""The figures that `p2pdist metrics` tells, and how they follow from the daemon's answers. Pure."""

import enum
from collections.abc import Iterable, Mapping
from typing import get_args

from bandwidth.core.states import Reason
from p2pdist.limiter.lan_policy import LanReason
from p2pdist.local_api.delivery_answers import LanWay, LimiterAnswer, PeersAnswer, ProblemCode, StatusAnswer
from p2pdist.local_api.install_answers import PlanAnswer
from p2pdist.shared.metrics import OTHER, Metric, MetricValues
from p2pdist.shared.wire.messages import InstallState, PatchState

PC_METRICS = (
    Metric("p2pdist_info", "gauge", "Always 1; the labels say which release runs, and in which site",
           ("version", "site")),
    Metric("p2pdist_server_connected", "gauge", "Whether the seed server is connected: 1 or 0"),
    Metric("p2pdist_server_lost_seconds", "gauge", "For how long the connection to the server has been lost; missing: "
           "it is up, or there was none since the daemon was started"),
    Metric("p2pdist_problems", "gauge", "What 'p2pdist status' says is wrong, by what it is about", ("code",)),
    Metric("p2pdist_files", "gauge", "Patches by the state of their file", ("state",)),
    Metric("p2pdist_installs", "gauge", "Patches by what has become of them beyond their file", ("state",)),
    Metric("p2pdist_patches_waiting_for_rollout", "gauge", "Patches for this PC that their rollout has not reached"),
    Metric("p2pdist_received_bytes", "gauge", "What came of the patches that are known now, by where it came from; "
           "wasted: twice, or wrong", ("source",)),
    Metric("p2pdist_peers", "gauge", "Neighbours, by whether this PC is connected to them", ("state",)),
    Metric("p2pdist_limiter_seconds_total", "counter", "Time under each reason for a rate", ("way", "reason")),
    Metric("p2pdist_limit_bytes_per_second", "gauge", "What is allowed now; missing: it is unlimited, or not known",
           ("way",)),
    Metric("p2pdist_used_bytes_per_second", "gauge", "What was measured last between this PC and its neighbours",
           ("way",)),
    Metric("p2pdist_yield_seconds_total", "counter", "Time spent giving way to others on this PC's network"),
    Metric("p2pdist_business_bytes_per_second", "gauge", "What other programs use of this PC's network"),
    Metric("p2pdist_serves", "gauge", "Whether this PC serves its neighbours now: 1 or 0"),
    Metric("p2pdist_disk_used_bytes", "gauge", "What payloads take, by what for", ("use",)),
    Metric("p2pdist_disk_quota_bytes", "gauge", "What payloads may take"),
    Metric("p2pdist_disk_free_bytes", "gauge", "Free on the disk of the payloads"),
    Metric("p2pdist_restarts_needed", "gauge", "Restarts of this PC that patches still need"),
    Metric("p2pdist_network_part_starts_total", "counter", "How often the process that speaks with the network was "
           "started since the daemon was"),
)  # fmt: skip
"""Every figure, in the order of the page. Root alone may ask for those of the limiter and the neighbours."""


def pc_figures(
    status: StatusAnswer, plan: PlanAnswer, limiter: LimiterAnswer | None, peers: PeersAnswer | None
) -> MetricValues:
    """Return the figures; None: whoever asks may not know it."""
    found = MetricValues(PC_METRICS)
    found.add("p2pdist_info", 1, status.version, status.site or "")
    found.add("p2pdist_server_connected", status.server_connection == "connected")
    if status.server_lost_seconds is not None:
        found.add("p2pdist_server_lost_seconds", status.server_lost_seconds)
    _count(found, "p2pdist_problems", get_args(ProblemCode), status.problem_codes)
    _count(found, "p2pdist_files", get_args(PatchState), (patch.state for patch in status.patches))
    _count(found, "p2pdist_installs", filter(None, get_args(InstallState)), status.installs.values())
    found.add("p2pdist_patches_waiting_for_rollout", len(status.not_yet))
    for source, count in (
        ("line", sum(patch.bytes_from_origin for patch in status.patches)),
        ("neighbours", sum(patch.bytes_from_peers for patch in status.patches)),
        ("wasted", sum(patch.bytes_wasted for patch in status.patches)),
    ):
        found.add("p2pdist_received_bytes", count, source)
    _add_disk(found, status)
    if status.network_part is not None:
        found.add("p2pdist_network_part_starts_total", status.network_part.starts)
    found.add("p2pdist_restarts_needed", len(plan.restarts))
    if peers is not None:
        states = ("connected" if peer.connected else "known" for peer in peers.peers)
        _count(found, "p2pdist_peers", ("connected", "known"), states)
    if limiter is not None:
        _add_limiter(found, limiter)
    return found


def _count(found: MetricValues, name: str, all_values: Iterable[str], values: Iterable[str]) -> None:
    """Count values, those too of which there is none; what a newer daemon says besides is `OTHER`."""
    known = dict.fromkeys(all_values, 0)
    for value in known:
        found.add(name, 0, value)
    for value in values:
        found.add(name, 1, value if value in known else OTHER)


def _add_disk(found: MetricValues, status: StatusAnswer) -> None:
    if (disk := status.disk) is None:
        return
    for use, size in (
        ("install", disk.to_install_bytes),
        ("neighbours", disk.shared_bytes),
        ("way_back", disk.kept_bytes),
        ("other", disk.other_bytes),
    ):
        found.add("p2pdist_disk_used_bytes", size, use)
    found.add("p2pdist_disk_quota_bytes", disk.quota_bytes)
    found.add("p2pdist_disk_free_bytes", disk.free_bytes)


def _add_limiter(found: MetricValues, answer: LimiterAnswer) -> None:
    if (line := answer.line) is not None:
        _add_reasons(found, "line", line.seconds, Reason)
        if line.current:
            found.add("p2pdist_limit_bytes_per_second", line.rate, "line")
    ways: tuple[tuple[str, LanWay], ...] = (("upload", answer.upload), ("download", answer.download))
    for way, lan in ways:
        _add_reasons(found, way, lan.seconds, LanReason)
        if lan.limit is not None:
            found.add("p2pdist_limit_bytes_per_second", lan.limit, way)
        found.add("p2pdist_used_bytes_per_second", lan.used, way)
    found.add("p2pdist_yield_seconds_total", answer.yield_seconds)
    found.add("p2pdist_business_bytes_per_second", answer.business_bytes_per_second)
    found.add("p2pdist_serves", answer.serves)


def _add_reasons(found: MetricValues, way: str, seconds: Mapping[str, float], reasons: type[enum.Enum]) -> None:
    codes = {str(one.value): one.name.lower() for one in reasons}
    for words, spent in seconds.items():
        found.add("p2pdist_limiter_seconds_total", spent, way, codes.get(words, OTHER))
