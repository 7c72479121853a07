"""Time as PCs meet it in the field: clocks that are wrong, PCs that were off, short windows, due restarts, deferrals.

The kind: a time was believed, or was taken for a moment, without asking whose clock says so and what is left of it.
"""

import hashlib
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bench import sample_packages as packages
from p2pdist.install.installer import Installer
from p2pdist.install.loop import DaemonHooks, Installs
from p2pdist.install.outcomes import Outcome
from p2pdist.install.plan import Candidate, PlanRow
from p2pdist.install.requests import InstallRequests
from p2pdist.local_api.messages import DeferOrder
from p2pdist.pc import system
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest.recipe import FileCheck, ScheduleRules, ScriptInstall
from p2pdist.trust.clock_trust import ClockTrust
from seed_server.publishing.recipe_files import lint_recipe
from tests.helpers.fake_clock import FakeClock
from tests.helpers.install_place import manifest

OSLO, CAIRO = ZoneInfo("Europe/Oslo"), ZoneInfo("Africa/Cairo")
HOUR, DAY, YEAR = 3_600.0, 86_400.0, 365 * 86_400.0
SCRIPT = ScriptInstall(interpreter="sh", timeout_seconds=200, reboot_codes=(75,))
NIGHT = "mon-fri 22:00-05:00"


def moment(text: str, zone: tzinfo = OSLO) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


class RestartableInstaller(Installer):
    """The real one, but for restarts of the machine that runs this test."""

    restarts: list[str]

    async def restart_pc(self, minutes: int, message: str) -> Outcome:
        self.restarts.append(message)
        return Outcome(True, "announced")


class Pc:
    """A PC with the real loop, journal and installer; its patches are scripts that leave a file."""

    def __init__(self, directory: Path, now: str, zone: tzinfo, boots: list[str]) -> None:
        self.directory, self.zone, self.boots = directory, zone, boots
        self.root = directory / "root"
        (self.root / "opt").mkdir(parents=True)
        self.clock = FakeClock(moment(now, zone))
        self.candidates: list[Candidate] = []
        self.start()

    def start(self) -> None:
        """Start the daemon, again: it forgets what it has not written."""

        async def damaged(_torrent_hash: str) -> None:
            raise AssertionError

        self.trust = ClockTrust(self.clock)
        hooks = DaemonHooks(lambda: None, damaged, lambda: None, clock_problem=lambda: self.trust.problem)
        self.installer = RestartableInstaller(self.root, self.directory / "scratch", scripts_on_host=True)
        self.installer.restarts = []
        self.installs = Installs(
            EndpointHome(self.directory / "home"), self.installer, lambda: self.candidates, hooks, self.clock,
            may_restart=True, zone=lambda _now: self.zone,
        )  # fmt: skip

    async def turn_on(self) -> None:
        """Start the PC after it was off."""
        self.boots.append(f"boot {len(self.boots)}")
        self.start()
        await self.installs.load()
        await self.settle()

    def offer(self, version: str = "1", *, restart: bool = False, **rules: Any) -> None:
        """Roll out a version that leaves its file, and perhaps says that the PC must be restarted."""
        body = f"touch {self.root}/opt/{version}\nexit {75 if restart else 0}\n".encode()
        file = self.directory / f"script-{version}"
        file.write_bytes(body)
        made = manifest(version, SCRIPT, FileCheck(path=f"/opt/{version}"))
        payload = replace(made.payloads[0], sha256=hashlib.sha256(body).hexdigest(), file_name=file.name)
        made = replace(made, payloads=[payload], schedule=ScheduleRules(**rules))
        self.candidates[:] = [Candidate(made, int(version), payload, str(file))]

    async def settle(self) -> None:
        for _ in range(20):
            if await self.installs.step() > 0:
                return
        raise AssertionError("it does not come to rest")

    async def at(self, text: str) -> bool:
        """Let it do what is due at a time of this zone; return whether the newest version is installed then."""
        self.clock.wall = moment(text, self.zone)
        await self.settle()
        return self.has(self.candidates[0].ref.version)

    def has(self, version: str) -> bool:
        return (self.root / "opt" / version).exists()

    @property
    def row(self) -> PlanRow:
        (row,) = self.installs.plan()
        return row

    @property
    def orders(self) -> InstallRequests:
        return InstallRequests(self.installs, self.clock)

    @property
    def again_at(self) -> str:
        """When the plan says that it goes on, in this PC's time."""
        assert self.row.again_at is not None
        return f"{datetime.fromtimestamp(self.row.again_at, self.zone):%a %Y-%m-%d %H:%M}"

    def compliant(self) -> bool:
        return self.orders.posture("id", "pc", "").compliant

    def history(self) -> list[str]:
        return [entry.what for entry in self.installs.journal.history]


@pytest.fixture
def boots(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made = ["boot 0"]
    monkeypatch.setattr(system, "boot_id", lambda: made[-1])
    return made


@pytest.fixture
def pc(tmp_path: Path, boots: list[str]) -> Pc:
    """A PC in Oslo at noon of a Wednesday."""
    return Pc(tmp_path, "2026-11-25T12:00", OSLO, boots)


# --- a clock that is wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["2000-01-05T23:00", "2025-11-26T23:00"])
async def test_a_clock_that_is_behind_after_boot_opens_no_window(pc: Pc, wrong: str) -> None:
    pc.offer(windows=(NIGHT,))
    pc.trust.metadata_says(pc.clock.wall - HOUR, pc.clock.wall + 7 * DAY)
    assert not await pc.at(wrong)
    assert pc.row.reason == "waits: this PC's clock cannot be believed"
    assert "seed server signed something later" in pc.orders.plan().problem
    assert pc.orders.posture("id", "pc", "").problem == pc.trust.problem
    assert await pc.at("2026-11-25T23:00"), "once it is set"


async def test_a_clock_that_is_a_year_ahead_after_boot_makes_nothing_overdue(pc: Pc) -> None:
    pc.offer(windows=("sun 01:00-02:00",), deadline="2026-12-01", grace_minutes=60)
    pc.trust.metadata_says(pc.clock.wall - HOUR, pc.clock.wall + 7 * DAY)
    pc.clock.wall += YEAR
    await pc.settle()
    assert not pc.has("1"), "before the server was heard"
    pc.trust.certificate_fits(False)
    pc.clock.wall += HOUR
    await pc.settle()
    assert not pc.has("1"), "its certificate has expired by this clock"
    pc.trust.server_says(pc.clock.wall - YEAR)
    pc.clock.wall += DAY
    await pc.settle()
    assert not pc.has("1"), "the server has said the time"
    assert "365 days ahead of the seed server's" in pc.orders.posture("id", "pc", "").problem
    assert [patch.overdue_seconds for patch in pc.orders.posture("id", "pc", "").patches] == [0]


async def test_an_emergency_waits_for_no_clock(pc: Pc) -> None:
    pc.offer(emergency=True)
    pc.trust.metadata_says(pc.clock.wall + YEAR, pc.clock.wall + 2 * YEAR)
    assert await pc.at("2026-11-25T12:00")


# --- a PC that was off ---------------------------------------------------------------------------


async def test_a_pc_that_was_off_past_the_deadline_installs_nothing_in_its_first_minute(pc: Pc) -> None:
    pc.offer(windows=(NIGHT,), deadline="2026-11-26T12:00", grace_minutes=60, deferrals=1)
    await pc.settle()
    pc.clock.wall = moment("2026-11-30T08:00")
    await pc.turn_on()
    assert not pc.has("1")
    assert pc.again_at == "Mon 2026-11-30 09:00"
    assert not pc.compliant(), "the company's deadline is over all the same"
    await pc.orders.defer(DeferOrder("acme", 7_200))
    assert not await pc.at("2026-11-30T08:59")
    assert await pc.at("2026-11-30T09:00"), "a deferral ends with the grace"


# --- a restart that is due -----------------------------------------------------------------------


async def test_a_due_restart_is_forced_after_the_deadline_with_notice(pc: Pc) -> None:
    pc.offer(restart=True, reboot="window", windows=("wed 11:00-12:04",), deadline="2026-11-27T12:00", grace_minutes=60)
    await pc.settle()
    assert (pc.has("1"), pc.installer.restarts) == (True, []), "a restart does not fit into four minutes"
    assert pc.compliant()
    for time in ("2026-11-27T12:00", "2026-11-27T12:59"):
        await pc.at(time)
    assert pc.installer.restarts == []
    await pc.at("2026-11-27T13:00")
    assert pc.installer.restarts == ["This PC restarts in 15 minutes to finish acme@1."]
    assert not pc.compliant()
    await pc.turn_on()
    assert pc.compliant()


async def test_the_need_of_a_restart_outlives_a_newer_version_and_a_withdrawal(pc: Pc) -> None:
    pc.offer(restart=True, reboot="ask")
    await pc.settle()
    pc.offer("2")
    await pc.settle()
    pc.candidates.clear()
    pc.start()
    await pc.installs.load()
    await pc.settle()
    assert not pc.compliant()
    (restart,) = pc.orders.plan().restarts
    assert (restart.id, restart.version, restart.by) == ("acme", "2", "this PC's user is asked to restart it")
    await pc.turn_on()
    assert pc.orders.plan().restarts == []
    assert pc.compliant()


async def test_a_restart_without_windows_is_done_as_lint_says(pc: Pc, tmp_path: Path) -> None:
    pc.offer(restart=True, reboot="window")
    await pc.settle()
    assert pc.installer.restarts == ["This PC restarts in 5 minutes to finish acme@1."]
    assert "a PC restarts at once" in linted(tmp_path, 'reboot = "window"')


# --- what is left of a window --------------------------------------------------------------------


async def test_nothing_begins_that_does_not_fit_into_what_is_left_of_its_window(pc: Pc) -> None:
    pc.offer(windows=("wed 13:00-14:00",))  # its timeout is 200 s
    assert not await pc.at("2026-11-25T13:59:49")
    assert pc.row.reason == "waits: what is left of its maintenance window is too short"
    assert pc.again_at == "Wed 2026-12-02 13:00"
    assert await pc.at("2026-12-02T13:56:40")


async def test_what_fits_into_no_window_says_so_on_the_pc_and_in_lint(pc: Pc, tmp_path: Path) -> None:
    pc.offer(windows=("13:00-13:03",))
    assert not await pc.at("2026-11-25T13:00")
    assert "it fits in none of its maintenance windows" in pc.row.reason
    assert "PCs would never begin" in linted(tmp_path, 'windows = ["22:00-22:20"]')


# --- deferrals -----------------------------------------------------------------------------------


async def test_a_second_deferral_neither_spends_another_nor_shortens_and_says_what_it_does(pc: Pc) -> None:
    pc.offer(windows=("12:30-23:00",), deferrals=2, longest_deferral_minutes=240)
    await pc.settle()
    first = await pc.orders.defer(DeferOrder("acme", 9 * 3_600))
    assert (first.until, first.deferrals_left) == (pc.clock.wall + 4 * HOUR, 1)
    assert first.note == "That is less than was asked for: one deferral lasts at most 4 hours."
    second = await pc.orders.defer(DeferOrder("acme", 3_600))
    assert (second.until, second.deferrals_left, second.counted) == (first.until, 1, False)
    assert pc.history() == ["deferred by this PC's user until 2026-11-25 16:00"]


async def test_a_deferral_that_changes_nothing_counts_nothing(pc: Pc) -> None:
    pc.offer(windows=(NIGHT,), deferrals=1)
    await pc.settle()
    answer = await pc.orders.defer(DeferOrder("acme", 3_600))
    assert (answer.deferrals_left, answer.counted, answer.until) == (1, False, moment("2026-11-25T22:00"))
    assert pc.history() == []
    with pytest.raises(UserError, match="from a second to 30 days"):
        await pc.orders.defer(DeferOrder("acme", 0))


# --- a date as a deadline ------------------------------------------------------------------------


async def test_a_date_as_a_deadline_is_the_end_of_that_day(pc: Pc) -> None:
    pc.offer(windows=("sun 01:00-02:00",), deadline="2026-11-26")
    assert not await pc.at("2026-11-26T17:00")
    assert pc.again_at == "Thu 2026-11-26 23:59"
    assert await pc.at("2026-11-27T00:00")


@pytest.mark.parametrize(("day", "words"), [("2026-11-25", "has begun already"), ("2026-11-23", "is over")])
def test_lint_warns_of_a_deadline_that_is_today_or_over(tmp_path: Path, day: str, words: str) -> None:
    assert words in linted(tmp_path, f"deadline = {day}")


def linted(directory: Path, schedule: str) -> str:
    """Return what lint says of a recipe with this schedule, at noon of 2026-11-25."""
    recipe = directory / "recipe.toml"
    (directory / "acme.deb").write_bytes(packages.deb("acme", "1"))
    recipe.write_text(
        'patch_id = "acme"\nversion = "1"\napplies_to = "on_mains"\n[[payload]]\nfile = "acme.deb"\n'
        f'[install]\nkind = "deb"\npackage = "acme"\n[schedule]\n{schedule}\n'
    )
    findings = lint_recipe(recipe, moment("2026-11-25T12:00")).findings
    return "\n".join(finding.text for finding in findings if finding.where.startswith("schedule"))


# --- changes of the clock ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "window", "eve", "opens", "closes"),
    [
        (OSLO, "sun 02:00-03:00", "2026-03-28T12:00", "Sun 2026-03-29 03:00", "2026-03-29T04:00"),
        (OSLO, "sun 02:15-02:45", "2026-03-28T12:00", "Sun 2026-03-29 03:00", "2026-03-29T03:30"),
        (OSLO, "sun 01:00-02:30", "2026-03-28T12:00", "Sun 2026-03-29 01:00", "2026-03-29T03:00"),
        (CAIRO, "fri 00:00-01:00", "2026-04-23T12:00", "Fri 2026-04-24 01:00", "2026-04-24T02:00"),
    ],
)
async def test_a_window_in_an_hour_that_is_skipped_opens_and_the_plan_names_a_time_that_exists(
    tmp_path: Path, boots: list[str], zone: tzinfo, window: str, eve: str, opens: str, closes: str
) -> None:
    pc = Pc(tmp_path, eve, zone, boots)
    pc.offer(windows=(window,))
    assert not await pc.at(eve)
    assert pc.again_at == opens
    assert not await pc.at(closes), "and closes at its end"
    assert await pc.at(opens.partition(" ")[2].replace(" ", "T"))


async def test_a_window_that_a_change_makes_shorter_lets_nothing_begin_that_does_not_fit(
    tmp_path: Path, boots: list[str]
) -> None:
    pc = Pc(tmp_path, "2026-03-28T12:00", OSLO, boots)
    pc.offer(windows=("sun 01:58-02:30",))  # two minutes on that Sunday
    assert not await pc.at("2026-03-29T01:58")
    assert pc.again_at == "Sun 2026-04-05 01:58"
    assert timedelta(seconds=SCRIPT.timeout_seconds) > timedelta(minutes=2)
