"""`p2pdist.commands.views`: answers of the daemon in words."""

from msgspec.structs import replace
from rich.console import Console, RenderableType

from p2pdist.commands.views import asked_for, lan_view, why_view
from p2pdist.local_api.delivery_answers import WhyAnswer, WhyPatch
from tests.helpers.daemon_answers import LIMITER

ROW = WhyPatch(
    id="KB1",
    version="2",
    state="fetching",
    progress=0.5,
    reason="the throttle profile allows nothing now",
    detail="until 18:07",
    since_seconds=61.0,
    seconds={"the throttle profile allows nothing now": 61.0, "pieces are coming from neighbours": 4.0},
)


def printed(view: RenderableType) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(view)
    return capture.get()


def test_the_limiter_tells_rates_reasons_and_time() -> None:
    text = printed(lan_view(LIMITER))
    for words in (
        "processor is busy (91%)",
        "100 Mbit/s",
        "unlimited",
        "leaving room for business traffic of this PC 1 m 12 s",
        "yielded to others for 1 m 12 s",
        "wired (eth0, 1 Gbit/s), gateway 10.0.0.1 0.41 ms, business 1 Mbit/s, processor 91%",
        "battery 55 % on mains",
    ):
        assert words in text


def test_why_tells_reason_detail_and_time() -> None:
    text = printed(why_view(WhyAnswer([ROW])))
    assert "KB1 2: the throttle profile allows nothing now (until 18:07), for 1 m 01 s" in text
    assert "4.0 s  pieces are coming from neighbours" in text


def test_why_tells_where_the_bytes_came_from_where_some_were_built_here() -> None:
    assert "neighbours," not in printed(why_view(WhyAnswer([ROW])))
    built = replace(ROW, bytes_built=81_000_000, bytes_from_peers=5_000_000, bytes_from_origin=2_000_000)
    words = "5.0 MB came from neighbours, 2.0 MB over the line"
    of = printed(why_view(WhyAnswer([replace(built, built_of="1.0")])))
    assert f"81.0 MB were built here of version 1.0 or unpacked, {words}" in of, "part of it was but compressed"
    assert f"81.0 MB were saved by compression, {words}" in printed(why_view(WhyAnswer([built])))


def test_rows_are_found_by_id_or_by_id_and_version() -> None:
    answer = WhyAnswer([ROW, replace(ROW, version="3"), replace(ROW, id="KB2")])
    assert [row.version for row in asked_for(answer, "KB1", "no").patches] == ["2", "3"]
    assert [row.version for row in asked_for(answer, "KB1@3", "no").patches] == ["3"]
    missing = asked_for(answer, "KB1@4", "not rolled out")
    assert [(row.state, row.version) for row in missing.patches] == [("unknown", "4")]
    assert printed(why_view(missing)).strip() == "KB1 4: not rolled out"
