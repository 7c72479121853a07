"""`p2pdist.shared.manifest.places`: what is no application's own directory."""

import pytest

from p2pdist.shared.manifest.places import is_no_application_s, is_of_users


@pytest.mark.parametrize(
    "path",
    [
        *("/", "//", "/./", "/etc", "/etc/", "//etc", "/ETC/acme", "/etc/./acme", "/usr", "/usr/bin", "/usr/lib/acme"),
        *("/boot", "/boot/efi/acme", "/bin", "/lib64/acme", "/dev/shm", "/proc/self", "/run/acme", "/sys", "/sbin"),
        *("/opt", "/opt/", "/home", "/srv", "/tmp", "/var", "/var/lib", "/var/tmp", "/root", "/usr/local", "/mnt"),
        *("/var/lib/dpkg", "/var/log/acme", "/System/Library", "/Library/LaunchDaemons", "/Applications"),
        *("C:\\", "c:/", "D:\\", "C:\\Windows", "C:\\WINDOWS\\System32\\acme", "d:\\Windows", "C:\\Program Files\\"),
        *("C:\\Program Files (x86)", "C:\\ProgramData", "C:\\Users"),
    ],
)
def test_the_system_s_and_shared_ones_are_refused(path: str) -> None:
    assert is_no_application_s(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/opt/acme", "/etcetera", "/a", "/usr/local/acme", "/usr/local/lib/acme", "/var/lib/acme", "/var/opt/acme"),
        *("/home/acme", "/srv/acme", "/Applications/Acme", "/bootstrap/etc"),
        *("C:\\Acme", "C:\\Program Files\\Acme", "C:\\ProgramData\\Acme", "D:\\Windows10\\x"),
    ],
)
def test_an_application_s_own_is_not(path: str) -> None:
    assert not is_no_application_s(path)


@pytest.mark.parametrize("path", ["/home/him/app", "/tmp/x", "/var/tmp/x", "/srv/x", "C:\\Users\\him", "//home//him"])
def test_places_of_users(path: str) -> None:
    assert is_of_users(path)


@pytest.mark.parametrize("path", ["/opt/home", "/homes/x", "/usr/bin/true", "C:\\Acme\\Users"])
def test_other_places(path: str) -> None:
    assert not is_of_users(path)
