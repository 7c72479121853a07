"""The entry of the network part: see `part`."""

import sys

# libraries load these for terminals, where they are installed; a process that is on every PC does without
for name in ("click", "pygments", "rich"):
    sys.modules[name] = None  # type: ignore[assignment]

from p2pdist.network.part import main  # noqa: E402 - what it loads must not load these

main()
