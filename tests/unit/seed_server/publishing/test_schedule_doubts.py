"""`seed_server.publishing.schedule_doubts`: what `lint` says of windows, restarts and deadlines."""

from datetime import UTC, datetime
from typing import Any

import pytest

from p2pdist.shared.manifest.recipe import DebInstall, FileCheck, HealthCheck, ScheduleRules
from seed_server.publishing.recipe import Recipe
from seed_server.publishing.schedule_doubts import schedule_doubts

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
HEALTH = HealthCheck(checks=(FileCheck(path="/x"),), within_seconds=600)


def doubts(timeout_seconds: int = 1_800, health: HealthCheck | None = None, **rules: Any) -> list[tuple[str, str]]:
    install = DebInstall(package="acme", timeout_seconds=timeout_seconds)
    return list(schedule_doubts(Recipe(install=install, health=health, schedule=ScheduleRules(**rules)), NOW))


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"emergency": True, "reboot": "ask"},
        {"windows": ("22:00-22:35",)},
        {"windows": ("22:00-22:35",), "reboot": "window"},
        {"windows": ("fri 23:50-24:00", "sat 00:00-00:25")},
        {"windows": ("22:00-22:10", "sun 01:00-02:00")},
        {"deadline": "2026-06-04"},
        {"deadline": "2026-06-02T00:00:01Z"},
        {"deadline": "2026-06-02T14:01"},  # a day away everywhere
        {"deadline": "2026-07-01", "not_before": "2026-07-01T00:00"},
        {"deadline": "9999-12-31T23:59"},
        {"deadline": "9999-12-31"},
    ],
)
def test_what_is_well_has_no_warning(rules: dict[str, Any]) -> None:
    assert doubts(**rules) == []


@pytest.mark.parametrize(
    ("rules", "where", "words"),
    [
        ({"emergency": True, "windows": ("22:00-05:00",)}, "schedule, windows", "no window"),
        (
            {"reboot": "window"},
            "schedule, reboot",
            "so a PC restarts at once, 5 minutes after",
        ),
        ({"deadline": "2026-05-31T09:59"}, "schedule, deadline", "is over"),
        ({"deadline": "2026-05-30"}, "schedule, deadline", "is over"),
        ({"deadline": "2026-05-31T23:00"}, "schedule, deadline", "has begun already"),  # not over everywhere
        ({"deadline": "2026-06-01"}, "schedule, deadline", "less than a day away"),
        ({"deadline": "2026-06-01T23:59:59Z"}, "schedule, deadline", "less than a day away"),
        (
            {"deadline": "2026-07-01T12:00", "not_before": "2026-07-01T12:00"},
            "schedule, not_before",
            "is not before the deadline",
        ),
        (
            {"windows": ("22:00-22:34",)},
            "schedule, windows",
            "open for 34 minutes, and it may take 30 minutes, so PCs would never begin",
        ),
        (
            {"windows": ("22:00-22:44",), "health": HEALTH, "deadline": "2026-07-01"},
            "schedule, windows",
            "open for 44 minutes, and it may take 40 minutes, so PCs would wait for the deadline",
        ),
        ({"windows": ("22:00-22:09",), "timeout_seconds": 60, "reboot": "window"}, "schedule, reboot", "needs 10 min"),
    ],
)
def test_what_may_surprise_is_told(rules: dict[str, Any], where: str, words: str) -> None:
    ((key, text),) = doubts(**rules)
    assert key == where
    assert words in text
