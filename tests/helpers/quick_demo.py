"""The demo, whose commands are forked from a process that has loaded what they need: `ready_commands`."""

import contextlib

from bench import demo, fleet
from tests.helpers.ready_commands import ReadyCommands

if __name__ == "__main__":
    with contextlib.closing(ReadyCommands()) as ready:
        fleet.run_ours = ready.run
        demo.main()
