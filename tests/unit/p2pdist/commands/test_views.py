"""`p2pdist.commands.views`: answers of the daemon in words."""

from typing import Any

from rich.console import Console, RenderableType

from p2pdist.commands.views import lan_view, rows_of, why_view

ANSWER: dict[str, Any] = {
    "serves": False,
    "upload": {"limit": 12_500_000, "used": 0, "reason": "refuses to serve: the processor is busy", "seconds": {}},
    "download": {
        "limit": None,
        "used": 1_250_000,
        "reason": "leaving room for business traffic of this PC",
        "seconds": {"leaving room for business traffic of this PC": 72.0, "nothing limits it": 3.0},
    },
    "yield_seconds": 72.0,
    "adapts": True,
    "interface": "eth0",
    "network": "wired",
    "speed": 125_000_000,
    "gateway": "10.0.0.1",
    "gateway_milliseconds": 0.41,
    "business_bytes_per_second": 125_000,
    "cpu_share": 0.91,
    "battery_percent": 55.0,
    "on_mains": True,
    "profile": None,
    "rule": "",
    "blackout": False,
    "problems": ["Neighbours are not served now: the processor is busy (91%)."],
}
ROW = {
    "id": "KB1",
    "version": "2",
    "state": "fetching",
    "progress": 0.5,
    "reason": "the throttle profile allows nothing now",
    "detail": "until 18:07",
    "since_seconds": 61.0,
    "seconds": {"the throttle profile allows nothing now": 61.0, "pieces are coming from neighbours": 4.0},
}


def printed(view: RenderableType) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(view)
    return capture.get()


def test_the_limiter_tells_rates_reasons_and_time() -> None:
    text = printed(lan_view(ANSWER))
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
    text = printed(why_view([ROW]))
    assert "KB1 2: the throttle profile allows nothing now (until 18:07), since 1 m 01 s" in text
    assert "4.0 s  pieces are coming from neighbours" in text


def test_rows_are_found_by_id_or_by_id_and_version() -> None:
    answer = {"patches": [ROW, {**ROW, "version": "3"}, {**ROW, "id": "KB2"}]}
    assert [row["version"] for row in rows_of(answer, "KB1", "no")] == ["2", "3"]
    assert [row["version"] for row in rows_of(answer, "KB1@3", "no")] == ["3"]
    (missing,) = rows_of(answer, "KB1@4", "not rolled out")
    assert printed(why_view([missing])).strip() == "KB1 4: not rolled out"
