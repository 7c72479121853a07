"""How to open what may be anything: a pipe, a device or a link that lies where a file should.

A pipe would wait for somebody to write, and a terminal become the process's own. Whoever opens it looks at what it is.
"""

import os

READ_ANYTHING = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"))
"""For `os.open`, to read; a link is followed."""
READ_NO_LINK = READ_ANYTHING | getattr(os, "O_NOFOLLOW", 0)
"""The same; a link is refused, where the system can."""
