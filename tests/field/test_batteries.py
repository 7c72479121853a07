"""Batteries as PCs in the field have them: of other devices too, held below full, two at a time, and silent ones.

Each PC is a tree of files as Linux shows it below ``/sys/class/power_supply``.
"""

from pathlib import Path
from typing import TypeAlias

import pytest

from p2pdist.limiter.fitness import FitLimits, Fitness
from p2pdist.pc import inventory, local_facts, power, system
from p2pdist.pc.network import Battery
from p2pdist.pc.power_linux import battery
from p2pdist.pc.power_windows import NOT_KNOWN, reading

Supply: TypeAlias = dict[str, str | int]

MOUSE: Supply = {"type": "Battery", "scope": "Device", "status": "Discharging", "capacity": 15, "present": 1}
LAPTOP: Supply = {"type": "Battery", "present": 1, "energy_full": 50_000_000}
PLUG: Supply = {"type": "Mains", "online": 1}
NO_PLUG: Supply = {"type": "Mains", "online": 0}
IDLE_PORT: Supply = {"type": "USB", "online": 0}
TELEPHONE_PORT: Supply = {"type": "USB", "scope": "Device", "online": 1}


def laptop(percent: int, status: str, **more: str | int) -> Supply:
    return {**LAPTOP, "energy_now": percent * 500_000, "status": status, **more}


def read(supplies: Path, **found: Supply) -> Battery | None:
    for name, files in found.items():
        (supplies / name).mkdir(parents=True)
        for file, value in files.items():
            (supplies / name / file).write_text(f"{value}\n")
    return battery(supplies)


@pytest.mark.parametrize("name", ["hidpp_battery_0", "BATM"])
def test_a_wireless_mouse_is_no_battery_of_the_pc(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, **{name: MOUSE}) is None


def test_a_laptop_s_battery_is_found_beside_a_mouse_s(tmp_path: Path) -> None:
    assert read(tmp_path, ABATTERY=MOUSE, BAT0=laptop(80, "Discharging")) == Battery(80.0, on_mains=False)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_a_laptop_that_does_not_discharge_is_plugged_in(tmp_path: Path, status: str) -> None:
    assert read(tmp_path, BAT0=laptop(15, status)) == Battery(15.0, on_mains=True)


@pytest.mark.parametrize(
    ("status", "plugs", "on_mains"),
    [
        ("Discharging", {"AC": PLUG}, True),  # a charger too weak for what the PC uses
        ("Discharging", {"AC": NO_PLUG}, False),
        ("Not charging", {"AC": PLUG}, True),
        ("Charging", {"ADP1": NO_PLUG, "ucsi": {"type": "USB", "online": 1}}, True),
        ("Charging", {"ADP1": NO_PLUG}, True),  # by a plug that the system does not list
        ("Unknown", {"ADP1": NO_PLUG, "ucsi": IDLE_PORT}, False),
        ("Unknown", {"ADP1": PLUG}, True),
        ("Unknown", {}, None),
        ("Discharging", {"ucsi": TELEPHONE_PORT}, False),  # this PC charges a telephone there
    ],
)
def test_the_plugs_say_whether_a_laptop_is_on_mains(
    tmp_path: Path, status: str, plugs: dict[str, Supply], on_mains: bool | None
) -> None:
    assert read(tmp_path, BAT1=laptop(50, status), **plugs) == Battery(50.0, on_mains)


def test_two_batteries_are_one_and_an_empty_bay_is_none(tmp_path: Path) -> None:
    empty: Supply = {"type": "Battery", "present": 0, "status": "Unknown"}
    found = read(tmp_path, BAT0=laptop(10, "Not charging"), BAT1=laptop(90, "Discharging"), BAT2=empty)
    assert found == Battery(50.0, on_mains=False)


@pytest.mark.parametrize(
    ("files", "percent"),
    [
        ({"capacity": 42}, 42.0),
        ({"charge_now": 3, "charge_full": 4}, 75.0),
        ({"energy_now": 9, "energy_full": 8}, 100.0),
        ({"energy_now": 9, "energy_full": 0, "capacity": 7}, 7.0),
        ({"capacity": "Unknown"}, None),
    ],
)
def test_how_full_it_is(tmp_path: Path, files: Supply, percent: float | None) -> None:
    found = read(tmp_path, BAT0={"type": "Battery", **files})
    assert (found and found.percent) == percent


def test_a_system_that_lists_none_has_none(tmp_path: Path) -> None:
    assert battery(tmp_path / "power_supply") is None


@pytest.mark.parametrize(
    ("line", "flags", "percent", "found"),
    [
        (1, 8, 15, Battery(15.0, on_mains=True)),
        (0, 4, 4, Battery(4.0, on_mains=False)),
        (NOT_KNOWN, 0, 15, Battery(15.0, on_mains=None)),
        (1, 128, NOT_KNOWN, None),
        (NOT_KNOWN, NOT_KNOWN, NOT_KNOWN, None),
        (1, 0, NOT_KNOWN, None),
    ],
)
def test_windows_too_may_not_know(line: int, flags: int, percent: int, found: Battery | None) -> None:
    assert reading(line, flags, percent) == found


@pytest.mark.parametrize(("on_mains", "supplies"), [(True, False), (False, True), (None, False)])
def test_what_the_system_does_not_say_is_read_one_way_by_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, on_mains: bool | None, supplies: bool
) -> None:
    low = Battery(15.0, on_mains)
    monkeypatch.setattr(power, "battery", lambda: low)
    facts = inventory.gather(tmp_path, tmp_path, network="wired", site="", tags=(), packages={})
    hello = local_facts.read_local_facts(("127.0.32.1", 7690), system.boot_time() + 60, fixed_address="127.0.32.9")
    refusal = Fitness(FitLimits()).observe((1.0, 1.0), low, 0.0)
    assert (not facts.values["on_mains"], not hello.on_mains, refusal is not None) == (supplies,) * 3
