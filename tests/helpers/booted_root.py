"""A Debian root whose own systemd runs as process 1, in namespaces of its own: what it does to units is real."""

import os
import signal
import subprocess
import time
from pathlib import Path

# a mount of its own, so that units can have mounts of theirs
_BOOT = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mkdir -p .outside
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs dev
for name in null zero full random urandom tty; do cp -a /dev/$name dev/; done
mkdir dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs run
pivot_root . .outside
umount -l /.outside

mount --make-rshared /
exec /lib/systemd/systemd --unit=multi-user.target --log-target=console --log-level=warning
"""
_NAMESPACES = ("--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup")
_WITH_US = ("setpriv", "--pdeathsig", "KILL")  # whatever ends this process
BOOT_SECONDS = 90.0


class BootedRoot:
    """The processes of a root directory that was booted."""

    def __init__(self, root: Path) -> None:
        """Boot ``root`` and wait until its manager answers."""
        with (root / "var/log/boot").open("wb") as log:
            self._outer = subprocess.Popen(
                [*_WITH_US, "unshare", "--fork", "--kill-child", *_NAMESPACES, "/bin/sh", "-c", _BOOT, "sh", str(root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={"container": "lxc", "PATH": os.environ["PATH"]},
            )
        until = time.monotonic() + BOOT_SECONDS
        while self.run("systemctl", "is-system-running").stdout.strip() not in {"running", "degraded"}:
            if time.monotonic() > until or self._outer.poll() is not None:
                self.end()
                raise RuntimeError((root / "var/log/boot").read_text(errors="replace")[-2_000:])
            time.sleep(0.2)
        self.network("link", "set", "lo", "up")

    @property
    def _init(self) -> int:
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def run(self, *command: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command in there, and return how it ended."""
        return self._enter(("-m", "-p", "-u", "-i", "-n", "-C"), command, seconds)

    def must(self, *command: str, seconds: float = 60.0) -> str:
        """Run a command that must succeed, and return its output."""
        ended = self.run(*command, seconds=seconds)
        assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def until(self, wanted: str, *command: str, seconds: float = 60.0) -> None:
        """Wait until a command prints ``wanted`` among other things."""
        end = time.monotonic() + seconds
        while wanted not in (said := self.run(*command)).stdout:
            assert time.monotonic() < end, f"{command}: {said.stdout}{said.stderr}"
            time.sleep(0.3)

    def end(self) -> None:
        """End all of its processes."""
        if self._outer.poll() is None:
            os.kill(self._init or self._outer.pid, signal.SIGKILL)
        self._outer.wait(timeout=30)

    def network(self, *command: str) -> None:
        """Run this machine's `ip` in its network."""
        ended = self._enter(("-n",), ("ip", *command), 10.0)
        assert ended.returncode == 0, ended.stderr

    def _enter(
        self, namespaces: tuple[str, ...], command: tuple[str, ...], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        if not (init := self._init):
            return subprocess.CompletedProcess(command, 1, "", "")
        return subprocess.run(
            ["nsenter", "-t", str(init), *namespaces, *command],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        )
