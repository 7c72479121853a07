"""`seed_server.line.business_reports`: several endpoints' reports as one view of the line."""

import pytest

from bandwidth.core.units import BytesPerSecond
from seed_server.line import business_reports
from seed_server.line.business_reports import BusinessReports, report_seconds
from seed_server.line.card_reports import CardUse

LINE = BytesPerSecond(1_000_000)


def report(
    reports: BusinessReports,
    endpoint: str,
    now: float,
    *,
    carried: int = 0,
    flows: tuple[tuple[int, int], ...] = (),
    interval: float = 0.1,
    harm: float | None = None,
) -> None:
    reports.reported(
        endpoint, interval_seconds=interval, business_bytes=carried, flows=flows, harm_seconds=harm, now=now
    )


def take(reports: BusinessReports, now: float) -> business_reports.BusinessView:
    return reports.sample(now, rtt_seconds=0.04, capacity=LINE)


def test_nobody_sees_anything_until_somebody_reports() -> None:
    reports = BusinessReports()
    assert take(reports, 0.0)[:3] == (None, False, None)
    report(reports, "a", 0.1)
    assert take(reports, 0.2)[:3] == (0, False, None)
    reports.left("a")
    assert take(reports, 0.3)[:3] == (None, False, None)


def test_bytes_of_all_endpoints_are_spread_over_their_interval_and_none_is_lost() -> None:
    reports = BusinessReports()
    take(reports, 0.0)
    seen = []
    for step in range(1, 41):
        now = step * 0.05
        if step % 2:  # each PC reports every other sample
            report(reports, "a", now, carried=10_000)
            report(reports, "b", now, carried=6_000)
        seen.append(take(reports, now).business_bytes or 0)
    assert sum(seen) == pytest.approx(20 * 16_000, abs=16_000)
    assert max(seen[4:]) < 1.5 * min(seen[4:])


def test_more_than_the_line_carries_is_not_believed() -> None:
    reports = BusinessReports()
    take(reports, 0.0)
    report(reports, "a", 0.05, carried=1 << 50)
    assert take(reports, 0.1).business_bytes == pytest.approx(4 * 100_000)


def test_transfer_is_seen_and_its_end_too() -> None:
    reports = BusinessReports()
    carried, bulk = 1 << 40, []
    for step in range(60):
        now = step * 0.05
        new = 30_000 if 10 <= step < 30 else 0
        carried += new
        report(reports, "a", now, carried=new, flows=((7, carried),), interval=0.05)
        bulk.append(take(reports, now).bulk)
    assert not any(bulk[:10]), "what an old connection carried before counts for nothing"
    assert all(bulk[14:30])
    assert not any(bulk[36:])


def test_old_connection_that_enters_the_list_late_is_no_transfer() -> None:
    reports = BusinessReports()
    seen = []
    for step in range(40):
        flows = ((1, 50_000),) if step < 20 else ((1, 50_000), (2, 9_000_000 + step))
        report(reports, "a", step * 0.05, carried=200, flows=flows, interval=0.05)
        seen.append(take(reports, step * 0.05).bulk)
    assert not any(seen)


def test_harm_is_the_worst_of_fresh_words() -> None:
    reports = BusinessReports()
    report(reports, "a", 0.0, harm=0.5)
    report(reports, "b", 2.0, harm=0.02)
    report(reports, "c", 2.0, harm=0.01)
    assert take(reports, 2.1).harm_seconds == 0.02


def test_silent_endpoint_is_no_longer_believed_to_see() -> None:
    reports = BusinessReports()
    report(reports, "a", 0.0)
    assert take(reports, business_reports.WATCHING_SECONDS - 1).business_bytes == 0
    assert take(reports, business_reports.WATCHING_SECONDS).business_bytes is None


def test_number_of_reporters_is_bounded() -> None:
    reports = BusinessReports(max_reporters=2)
    for name in "abc":
        report(reports, name, 0.0, carried=1_000)
    take(reports, 0.0)
    assert take(reports, 1.0).business_bytes == 0 or len(reports._reporters) == 2
    assert len(reports._reporters) == 2


@pytest.mark.parametrize(("reporters", "seconds"), [(1, 0.05), (20, 0.05), (100, 0.25), (10_000, 1.0)])
def test_many_endpoints_report_less_often(reporters: int, seconds: float) -> None:
    assert report_seconds(reporters, 0.05) == seconds


def test_what_pcs_say_of_their_cards_comes_with_the_view_and_goes_with_them() -> None:
    reports = BusinessReports()
    for endpoint in ("a", "b"):
        card = CardUse(LINE, 300_000, 300_000)
        reports.reported(
            endpoint, interval_seconds=0.3, business_bytes=0, flows=(), harm_seconds=None, now=0.1, card=card
        )
    view = take(reports, 0.2)
    assert (set(view.full_cards), view.card_rate) == ({"a", "b"}, LINE)
    reports.left("a")
    reports.left("b")
    view = take(reports, 0.3)
    assert (set(view.full_cards), view.card_rate) == (set(), None)
