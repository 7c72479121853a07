"""Runs the tests with a real browser: `make test-browser`.

python -m tests.browser.run [--no-install] [arguments for pytest]

The browser is the system's Chromium. Where it is missing, or fonts for Japanese are, they are installed with apt-get,
which needs root; with --no-install they are left missing, and the tests say so.
"""

import os
import shutil
import subprocess
import sys

from tests.helpers.browsing import chromium

NO_INSTALL = "--no-install"
PACKAGES = {"chromium": "chromium", "fonts-noto-cjk": "fonts for Japanese"}


def missing() -> list[str]:
    """Return the packages of Debian that are needed and not there."""
    found = [] if chromium() else ["chromium"]
    fonts = shutil.which("fc-list")
    if not fonts or not subprocess.run([fonts, ":lang=ja"], capture_output=True, check=False).stdout.strip():
        found.append("fonts-noto-cjk")
    return found


def main() -> int:
    """Install what is missing, and run pytest."""
    words = [word for word in sys.argv[1:] if word != NO_INSTALL]
    wanted = missing()
    if wanted and NO_INSTALL not in sys.argv and shutil.which("apt-get") and os.geteuid() == 0:
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *wanted]):
            subprocess.run(["apt-get", "--quiet", *command], check=False, stdout=sys.stderr)
        wanted = missing()
    if not chromium():
        sys.stderr.write(
            "error: there is no Chromium here. As root: apt-get install chromium fonts-noto-cjk; elsewhere, put "
            "chromium or google-chrome into PATH.\n"
        )
        return 1
    if wanted:
        sys.stderr.write(f"note: missing are {', '.join(PACKAGES[name] for name in wanted)}: pictures show boxes.\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "browser", "-p", "no:cacheprovider", "tests/browser", *words],
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
