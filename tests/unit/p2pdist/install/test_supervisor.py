"""What a supervisor makes of what it sees after an upgrade: the daemon is well, it is ill, or nobody can tell."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from p2pdist.install import supervised_processes
from p2pdist.install.supervised_processes import Processes, boot, identity, up_seconds, write
from p2pdist.install.supervisor import LOCK, SAID, UpgradeSupervisor, locked

LONG_AGO = -1.0  # before any process of this boot
PACE = {"poll_seconds": 0.01, "probe_seconds": 0.0, "steady_seconds": 0.0, "said_seconds": 60.0}
COMMAND = {"success_codes": [0], "reboot_codes": [3010], "busy_codes": [], "timeout_seconds": 20}


class Upgrade:
    """One whose installer has ended."""

    def __init__(self, directory: Path, *, code: int | None = 0, known: bool = True, begun: float = LONG_AGO) -> None:
        self.directory = directory
        self.order: dict[str, Any] = {
            "id": "1-install-x", "install": COMMAND, "back": None, "restart": None, "contact_seconds": 0.05,
            "server": None, "pace": dict(PACE), "locked": ["is locked"], "environment": {}, "limits": {},
        }  # fmt: skip
        ended = {"at": up_seconds(), "boot": boot()}
        self.progress: dict[str, Any] = {
            "order": "1-install-x", "step": "waiting", "code": code, "known": known, "output": "", "ended": ended,
            "begun": {"at": begun, "boot": boot()},
        }  # fmt: skip

    def say(self, *, spoken: bool) -> None:
        """Let this process be the daemon, and say something."""
        process = identity(os.getpid())
        said = {"process": process, "boot": process["boot"], "at": up_seconds(), "spoken": spoken}
        write(self.directory / SAID, said)

    def supervisor(self, *, answers: bool = False) -> UpgradeSupervisor:
        """Return the supervisor; ``answers``: whether the server can be reached."""
        write(self.directory / "progress.json", self.progress)
        made = UpgradeSupervisor(self.directory, self.order)
        made._server_answers = lambda: answers  # type: ignore[method-assign]
        return made


def stopped(one: UpgradeSupervisor, after_seconds: float) -> None:
    """Run it, and stop it after a while."""
    timer = threading.Timer(after_seconds, lambda: one.stop(15, None))
    timer.start()
    one.run()
    timer.join()


def test_a_new_daemon_that_has_spoken_is_well(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path)
    upgrade.say(spoken=True)
    one = upgrade.supervisor()
    one.run()
    assert one._progress["result"] == "spoke"


@pytest.mark.parametrize(
    ("prepare", "answers", "cause"),
    [
        (lambda _: None, False, "no daemon runs"),
        (lambda upgrade: upgrade.order["pace"].update(steady_seconds=1e9), False, "again and again"),
        (lambda upgrade: upgrade.progress["begun"].update(at=up_seconds() + 60), True, "the former daemon runs on"),
        (lambda _: None, True, "has not spoken with its server, which answers"),
    ],
)
def test_ill_for_long_enough_it_goes_back(
    tmp_path: Path, prepare: Callable[[Upgrade], None], cause: str, *, answers: bool
) -> None:
    upgrade = Upgrade(tmp_path)
    if cause != "no daemon runs":
        upgrade.say(spoken=False)
    prepare(upgrade)
    one = upgrade.supervisor(answers=answers)
    one.run()
    assert one._progress["result"] == "no_way_back"
    assert cause in one._progress["cause"]


def test_while_the_server_cannot_be_reached_nobody_can_tell_and_no_time_counts(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path)
    upgrade.say(spoken=False)
    one = upgrade.supervisor()
    stopped(one, 0.3)
    assert one._progress["step"] == "waiting"
    assert one._progress["cause"] == "the server cannot be reached"
    assert one._progress["bad_seconds"] == 0


def test_time_that_counted_is_not_forgotten_by_a_restart_of_the_pc(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path)
    upgrade.order["contact_seconds"] = 900.0
    upgrade.progress["bad_seconds"] = 899.99
    one = upgrade.supervisor()
    one.run()
    assert one._progress["result"] == "no_way_back"


def test_where_the_installer_failed_a_daemon_that_lives_sees_to_the_rest(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path, code=1, begun=up_seconds() + 60)
    upgrade.say(spoken=False)
    one = upgrade.supervisor(answers=True)
    one.run()
    assert one._progress["result"] == "lives"


def test_of_an_installer_that_nobody_saw_end_either_daemon_may_speak(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path, code=None, known=False, begun=up_seconds() + 60)
    upgrade.say(spoken=True)
    one = upgrade.supervisor()
    one.run()
    assert one._progress["result"] == "spoke"


def test_what_was_said_before_the_installer_ended_tells_nothing(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path)
    upgrade.say(spoken=True)
    upgrade.progress["ended"]["at"] = up_seconds() + 60
    one = upgrade.supervisor()
    one.run()
    assert "no daemon runs" in one._progress["cause"]


def test_there_is_one_supervisor(tmp_path: Path) -> None:
    held = locked(tmp_path)
    assert held is not None
    assert locked(tmp_path) is None
    os.close(held)
    assert (tmp_path / LOCK).exists()


async def test_a_late_command_is_ended_with_its_group_and_a_changed_file_is_not_run(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path)
    processes = Processes(tmp_path, upgrade.order)
    late = {**COMMAND, "argv": ["/bin/sh", "-c", "echo begun; sleep 60 & wait"], "timeout_seconds": 0.2}
    with trio.fail_after(20):
        code, output = await trio.to_thread.run_sync(processes.run, late)
    assert (code, output) == (None, "begun\n")
    (tmp_path / "file").write_text("other bytes")
    changed = {**COMMAND, "argv": ["/bin/sh", "FILE"], "file": str(tmp_path / "file"), "file_at": 1, "sha256": "0" * 64}
    with pytest.raises(supervised_processes.ChangedError, match="not what was signed"):
        processes.run(changed)
