"""The table of mounts is read as the kernel writes it; the innermost mount counts."""

from pathlib import PurePosixPath

from p2pdist.doctor.mounts import mount_of, mounts_in

TABLE = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:27 / /var rw,noexec shared:2 master:1 - xfs /dev/sdb1 rw
31 30 0:40 / /var/lib\040x rw - nfs4 files:/x rw,vers=4.2
32 22 0:41 / /opt rw - ext4 /dev/sdc1 rw
33 22 0:42 / /opt ro - squashfs /dev/loop0 ro
not a line
"""


def kind_of(path: str) -> str | None:
    mount = mount_of(PurePosixPath(path), mounts_in(TABLE))
    return None if mount is None else mount.kind


def test_the_innermost_mount_counts_and_of_two_at_one_place_the_later() -> None:
    assert [kind_of(path) for path in ("/home/x", "/var/log", "/var/lib x/cache", "/variant", "/opt/a")] == [
        "ext4",
        "xfs",
        "nfs4",
        "ext4",
        "squashfs",
    ]


def test_options_of_the_mount_and_of_the_file_system_are_both_known() -> None:
    options = {str(mount.at): mount.options for mount in mounts_in(TABLE)}
    assert "noexec" in options["/var"]
    assert "vers=4.2" in options["/var/lib x"]


def test_without_a_table_nothing_is_known() -> None:
    assert mount_of(PurePosixPath("/var"), mounts_in("")) is None
