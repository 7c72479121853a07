"""Runs one endpoint's daemon as a manager of services does, in the release that is installed on its PC.

``replaced_program.py PC OLD_PYTHON COMMAND…``: ``PC`` is the directory of one PC, and `THERE` for all that runs on it.
The file ``release`` in it says which release is installed; a package of p2pdist's writes it, and ends the daemon.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

THERE = Path("/srv")  # in a mount namespace of this PC's own
OLD, BROKEN = "0.2.0", "broken"
PAUSE_SECONDS = 0.5


def command_of(release: str, old_python: str, command: list[str]) -> list[str]:
    """Return how a command is run in a release."""
    if release == OLD:  # neither PYTHONPATH nor the directory may lead to the present one
        return ["/usr/bin/env", "-u", "PYTHONPATH", "-C", str(Path(old_python).parent), old_python, *command]
    return ["/bin/false"] if release == BROKEN else command


def main(pc: Path, old_python: str, command: list[str]) -> int:
    """Run the daemon until this process is told to end, and start it again whenever it ends before."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", pc, THERE], check=True)
    running: list[subprocess.Popen[bytes]] = []
    stopping = []

    def stop(_signal: int, _frame: object) -> None:
        stopping.append(True)
        for process in running:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    while True:
        release = (THERE / "release").read_text().strip()
        with (THERE / "starts").open("a") as starts:
            starts.write(f"{release}\n")
        running[:] = [subprocess.Popen(command_of(release, old_python, command))]
        (THERE / "daemon.pid").write_text(str(running[0].pid))
        code = running[0].wait()
        if stopping or "run" not in command:
            return code
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    os.chdir("/")
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
