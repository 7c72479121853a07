"""`p2pdist.shared.manifest.fitting`: what has to fit into a window, and how long windows are open."""

from datetime import timedelta

import pytest

from p2pdist.shared.manifest.fitting import longest_installation, longest_opening
from p2pdist.shared.manifest.recipe import ArchiveInstall, FileCheck, HealthCheck
from p2pdist.shared.manifest.windows import parse_window


@pytest.mark.parametrize(
    ("windows", "hours"),
    [
        ((), 0),
        (("mon 22:00-05:00",), 7),
        (("fri 22:00-24:00", "sat 00:00-03:00"), 5),
        (("fri 22:00-23:00", "fri 23:30-24:00"), 1),
        (("fri 20:00-23:00", "fri 21:00-22:00"), 3),
        (("sun 20:00-24:00", "mon 00:00-02:00"), 6),
        (("sat,sun 00:00-24:00",), 48),
        (("00:00-24:00",), 14 * 24),
    ],
)
def test_windows_that_touch_or_overlap_are_one(windows: tuple[str, ...], hours: int) -> None:
    assert longest_opening([parse_window(text) for text in windows]) == timedelta(hours=hours)


def test_an_installation_takes_its_timeout_and_its_health_checks_time() -> None:
    install = ArchiveInstall(directory="/opt/acme", timeout_seconds=600)
    assert longest_installation(install, None) == timedelta(minutes=10)
    health = HealthCheck(checks=(FileCheck(path="/opt/acme/current/x"),), within_seconds=120)
    assert longest_installation(install, health) == timedelta(minutes=12)
