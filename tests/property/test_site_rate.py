"""`seed_server.line.site_rate` whatever sockets, endpoints, clocks and policies do."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth.core.states import Reason
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.site_rate import Line, Policy, SiteRate
from seed_server.line.site_sample import LinkView
from seed_server.line.socket_look import SocketLook

seconds = st.floats(0.0, 100.0)
sizes = st.integers(0, 1 << 50)
rates = st.integers(1, 1 << 40).map(BytesPerSecond)
looks = st.builds(
    SocketLook,
    rtt_seconds=seconds, rtt_variation_seconds=seconds, least_rtt_seconds=st.none() | seconds, acked_bytes=sizes,
    retransmits=st.integers(0, 1 << 32), needless_retransmits=st.integers(0, 1 << 32),
    early_segments=st.integers(0, 1 << 32),
    segment_bytes=st.integers(1, 65_536), window_segments=st.integers(0, 1 << 32),
    slow_start_threshold_segments=st.none(), in_flight_segments=st.integers(0, 1 << 32), unsent_bytes=sizes,
    pacing_rate=st.integers(0, 1 << 63), delivery_rate=sizes, application_limited=st.booleans(),
    receiver_limited_seconds=seconds,
)  # fmt: skip
views = st.builds(
    LinkView,
    endpoint=st.sampled_from("ab"), look=st.none() | looks, written_bytes=sizes,
    piece_delay_seconds=st.none() | seconds, rate=st.none() | rates, metered=st.booleans(), sending=st.booleans(),
    loss_blind=st.booleans(),
)  # fmt: skip
policies = st.builds(
    Policy,
    ceiling=st.none() | rates, floor=rates, blackout=st.booleans(), boost=st.booleans(), line=st.none() | rates,
    threshold_seconds=st.sampled_from([0.004, 0.008, 0.02]),
)  # fmt: skip
reports = st.fixed_dictionaries(
    {
        "interval_seconds": st.floats(1e-9, 60.0),
        "business_bytes": sizes,
        "flows": st.lists(st.tuples(st.integers(0, 9), sizes), max_size=16).map(tuple),
        "harm_seconds": st.none() | st.floats(0.0, 60.0),
    }
)
links = st.dictionaries(st.sampled_from("xyz"), views)
events = st.one_of(
    st.tuples(st.just("decide"), links, st.dictionaries(st.sampled_from("ab"), seconds)),
    st.tuples(st.just("report"), st.sampled_from("ab"), reports),
    st.tuples(st.just("left"), st.sampled_from("ab")),
    st.tuples(st.just("policy"), policies),
    st.tuples(st.just("line"), st.builds(Line, st.none() | rates, st.none() | rates)),
    st.tuples(st.just("egress"), st.none() | rates),
    st.tuples(st.just("resume")),
    st.tuples(st.just("clock"), st.floats(-1e4, 1e4)),
)


def happen(site: SiteRate, event: str, values: list[Any], now: float) -> None:
    match event, values:
        case "report", [endpoint, report]:
            site.reports.reported(endpoint, now=now, **report)
        case "left", [endpoint]:
            site.reports.left(endpoint)
        case "policy", [policy]:
            site.set_policy(policy)
        case "line", [line]:
            site.set_line(line)
        case "egress", [ceiling]:
            site.egress_ceiling = ceiling
        case "resume", []:
            site.resume(now)


def has_a_share(view: LinkView) -> bool:
    """Whether it sends, or what is left of its last piece still has to go out."""
    return view.sending or (view.look is not None and view.look.unsent_bytes > 0)


def check(site: SiteRate, sending: set[str], now: float) -> None:
    decision, policy = site.decision, site.policy
    assert decision.allowance >= 0
    assert decision.cause in {reason.value for reason in Reason}
    assert decision.shares.keys() == sending
    assert sum(decision.shares.values()) <= decision.allowance
    if policy.blackout:
        assert decision.allowance == 0
    elif site.egress_ceiling is not None:
        assert decision.allowance <= site.egress_ceiling
    if policy.ceiling is not None and policy.floor <= policy.ceiling:
        assert decision.allowance <= policy.ceiling
    assert 0.05 <= site.sample_seconds <= 0.1
    assert 576 <= site.packet_bytes(EndpointId("a" * 26), now) <= 1_500


@settings(max_examples=150, deadline=None)
@given(st.lists(events, max_size=30))
def test_policy_is_kept_and_the_shares_are_the_allowance(history: list[Any]) -> None:
    now = 1_000.0
    site = SiteRate(Line(), now)
    for event, *values in history:
        now += values[0] if event == "clock" else 0.05
        if event == "decide":
            site.decide(values[0], values[1], now)
            check(site, {key for key, view in values[0].items() if has_a_share(view)}, now)
        else:
            happen(site, event, values, now)
