"""The demo, whose commands are forked from a process that has loaded what they need: `ready_commands`."""

import contextlib

from bench import demo, fleet_processes
from tests.helpers.ready_commands import ReadyCommands

if __name__ == "__main__":
    with contextlib.closing(ReadyCommands()) as ready:
        fleet_processes.run_ours, fleet_processes.start_ours = ready.run, ready.start
        demo.main()
