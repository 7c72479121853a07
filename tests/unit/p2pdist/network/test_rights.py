"""`p2pdist.network.rights`: who the network part runs as, and that there is no way back."""

import os
import pwd
import subprocess
import sys

import pytest

from p2pdist.network.rights import MAX_DESCRIPTORS_OF_PART, OWN_USER, SHARED_USER, choose_user

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")


def in_a_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@needs_root
def test_root_gives_its_network_part_another_user() -> None:
    user = choose_user()
    assert user.separate
    assert user.uid != 0
    assert user.name in (OWN_USER, SHARED_USER)
    assert bool(user.note) == (user.name == SHARED_USER)


def test_who_is_not_root_says_that_there_is_one_user() -> None:
    nobody = pwd.getpwnam(SHARED_USER).pw_uid
    drop = f"import os; os.setuid({nobody}); " if os.geteuid() == 0 else ""
    code = f"from p2pdist.network.rights import choose_user; {drop}u = choose_user(); print(u.separate, u.note)"
    assert in_a_process(code) == "False the daemon is not run by root\n"


@needs_root
def test_a_container_without_the_right_to_change_users_is_noticed() -> None:
    code = (
        "import ctypes, struct; from p2pdist.network.rights import choose_user\n"
        "libc = ctypes.CDLL(None)\n"
        "header, sets = struct.pack('=Ii', 0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
        "libc.capget(header, sets)\n"
        "sets[0] &= ~(1 << 7); libc.capset(header, sets)\n"  # CAP_SETUID
        "u = choose_user(); print(u.separate, u.uid, u.note)"
    )
    assert in_a_process(code) == "False 0 this system does not let root change users\n"


@needs_root
def test_rights_that_were_given_up_do_not_come_back() -> None:
    code = (
        "import os, resource; from p2pdist.network import rights\n"
        "rights.give_up(65534, 65534); rights.harden()\n"
        "print(os.getresuid(), os.getresgid(), os.getgroups())\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0], resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "for become in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):\n"
        "    try: become(); print('root again')\n"
        "    except PermissionError: pass\n"
    )
    ids, limits = in_a_process(code).splitlines()
    assert ids == "(65534, 65534, 65534) (65534, 65534, 65534) []"
    core, descriptors = map(int, limits.split())
    assert (core, descriptors <= MAX_DESCRIPTORS_OF_PART) == (0, True)
