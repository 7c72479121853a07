"""Runs Python in a network of its own, with cards that the test makes: as root on a Linux that has namespaces."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNSHARE = ("unshare", "--net", "--mount", "--")
SECONDS = 30.0

# /sys shows the cards of the namespace that it was mounted in
BEGINNING = """
import subprocess
def sh(*lines):
    for line in lines:
        subprocess.run(line.split(), check=True)
def card(name, *addresses):
    "Make a card that is up, as a network card of a PC is."
    sh(f"ip link add {name} type veth peer name {name}-far", f"ip link set {name}-far up", f"ip link set {name} up")
    for address in addresses:
        sh(f"ip addr add {address} dev {name} {'nodad' if ':' in address else ''}")
def bridge(name, address):
    "Make a bridge without a cable, as container and virtual machine programs do."
    sh(f"ip link add {name} type bridge", f"ip addr add {address} dev {name}", f"ip link set {name} up")
sh("mount -t sysfs none /sys", "ip link set lo up")
"""


def in_own_network(script: str) -> str:
    """Run ``script`` after `BEGINNING` in new network and mount namespaces, and return what it prints.

    Skips the test where there can be none. Fails it when the script does.
    """
    if why := _why_not():
        pytest.skip(why)
    command = [*UNSHARE, sys.executable, "-c", BEGINNING + script]
    quick = {**os.environ, "RES_OPTIONS": "timeout:1 attempts:1"}  # no name server answers there
    done = subprocess.run(command, cwd=ROOT, env=quick, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def _why_not() -> str:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces are Linux's and root's"
    trial = [*UNSHARE, "ip", "link", "add", "trial", "type", "bridge"]
    try:
        done = subprocess.run(trial, capture_output=True, text=True, timeout=SECONDS, check=False)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else f"no network namespaces here: {done.stderr.strip()}"
