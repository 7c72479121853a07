"""`p2pdist.pc.inventory` and its modules by system: facts from files, listings and registry entries."""

import os
import platform
import plistlib
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from p2pdist.pc import inventory, inventory_linux, inventory_macos, inventory_windows, power, system
from p2pdist.pc.inventory import gather, normalised_arch, packages_stamp, read_packages
from p2pdist.pc.inventory_linux import dpkg_packages, language_of, os_facts, rpm_packages
from p2pdist.pc.network import Battery
from p2pdist.shared.manifest.facts import ARCHES, FACTS, FAMILIES, MAX_PACKAGES, Facts, FactType, FactValue, Packages
from p2pdist.shared.manifest.versions import Ecosystem, Version, parse_version

STATUS = """Package: openssl
Status: install ok installed
Priority: optional
Architecture: amd64
Version: 3.0.19-1~deb12u1
Description: Secure Sockets Layer toolkit
 Version: 9 is what a description may say
 .
 Package: nor is this a field

Package: libc6
Status: hold ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u10

Package: libc6
Status: install ok installed
Architecture: i386
Multi-Arch: same
Version: 2.36-9+deb12u9

Package: removed
Status: deinstall ok config-files
Version: 1.0-1

Package: broken
Status: install reinstreq half-installed
Version: 1.0-1

Package: unversioned
Status: install ok installed

Package: last
Version: 1:2.0
Status: install ok installed
"""
DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\n# ID=other\n'
TYPES = {
    FactType.TEXT: str, FactType.NUMBER: int, FactType.TRUTH: bool, FactType.VERSION: Version, FactType.TEXTS: tuple,
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "etc/os-release": DEBIAN,
        "etc/locale.conf": "LANG=C.UTF-8\n",
        "etc/default/locale": '#  File generated\nLANG="ja_JP.UTF-8"\n',
        "var/lib/dpkg/status": STATUS,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def look(root: Path, home: Path | None = None, **changes: object) -> Facts:
    return gather(home or root, root, network="wired", site="oslo", tags=("lab",), **changes)  # type: ignore[arg-type]


def shown(values: dict[str, FactValue]) -> dict[str, object]:
    return {name: str(value) if isinstance(value, Version) else value for name, value in values.items()}


def test_all_facts_of_a_pc(root: Path) -> None:
    facts = look(root)
    assert {name: type(value) for name, value in facts.values.items()} == {
        name: TYPES[kind.type] for name, kind in FACTS.items()
    }
    told = shown(dict(facts.values))
    assert told.items() >= {
        "os.family": "debian", "os.id": "debian", "os.release": "12", "os.build": 0, "os.language": "ja-jp",
        "network": "wired", "site": "oslo", "tags": ("lab",),
    }.items()  # fmt: skip
    assert {name: str(version) for name, version in facts.packages.items()} == {
        "openssl": "3.0.19-1~deb12u1", "libc6": "2.36-9+deb12u9", "last": "1:2.0",
    }  # fmt: skip


def test_a_root_without_a_system_is_this_pc_with_none_of_its_packages(tmp_path: Path) -> None:
    facts = look(tmp_path)
    assert facts.values["os.family"] == look(Path("/"), packages=Packages()).values["os.family"]
    assert not facts.packages


def test_what_cannot_be_had_is_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    for module, name in ((power, "battery"), (system, "memory_bytes"), (system, "hostname")):
        monkeypatch.setattr(module, name, fails)
    monkeypatch.setattr(inventory_linux, "facts", fails)
    monkeypatch.setattr(platform, "machine", lambda: "")
    facts = look(root, root / "missing")
    assert dict(facts.values) == {"network": "wired", "site": "oslo", "tags": ("lab",)}
    assert "openssl" in facts.packages


@pytest.mark.parametrize(
    ("battery", "on_mains", "percent"),
    [
        (None, True, 100),
        (Battery(41.7, True), True, 41),
        (Battery(9.0, False), False, 9),
        (Battery(50, None), True, 50),
    ],
)
def test_power(
    root: Path, monkeypatch: pytest.MonkeyPatch, battery: Battery | None, on_mains: bool, percent: int
) -> None:
    monkeypatch.setattr(power, "battery", lambda: battery)
    values = look(root).values
    assert (values["on_mains"], values["battery_percent"]) == (on_mains, percent)


@pytest.mark.parametrize(("name", "kept"), [("PC-7.corp.example", "pc-7"), ("x" * 255, "x" * 255), ("x" * 256, None)])
def test_host_name(root: Path, monkeypatch: pytest.MonkeyPatch, name: str, kept: str | None) -> None:
    monkeypatch.setattr(system, "hostname", lambda: name)
    assert look(root).values.get("hostname") == kept


def test_disk_and_memory_are_in_megabytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")  # noqa: PYI024
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(5_999_999))
    monkeypatch.setattr(system, "memory_bytes", lambda: 16_000_000_000)
    values = look(root).values
    assert (values["disk.free_mb"], values["ram_mb"]) == (5, 16_000)


@pytest.mark.parametrize(
    ("machine", "arch"),
    [("x86_64", "amd64"), ("AMD64", "amd64"), ("aarch64", "arm64"), ("ARM64", "arm64"), ("i686", "x86"),
     ("riscv64", "riscv64")],
)  # fmt: skip
def test_arch(machine: str, arch: str) -> None:
    assert normalised_arch(machine) == arch


@pytest.mark.parametrize(
    ("os_release", "facts"),
    [
        ({"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_ID": "22.04"}, ("debian", "ubuntu", "22.04")),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "VERSION_ID": "21"}, ("debian", "linuxmint", "21")),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora", "VERSION_ID": "9.3"}, ("rhel", "rocky", "9.3")),
        ({"ID": "fedora", "VERSION_ID": "40"}, ("rhel", "fedora", "40")),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse", "VERSION_ID": "15.5"}, ("suse", "opensuse-leap", "15.5")),
        ({"ID": "arch"}, ("arch", "arch", None)),
        ({"VERSION_ID": "1"}, (None, None, None)),
    ],
)
def test_family_of_linux(os_release: dict[str, str], facts: tuple[str | None, ...]) -> None:
    found = shown(os_facts(os_release))
    assert tuple(found.get(name) for name in ("os.family", "os.id", "os.release")) == facts


@pytest.mark.parametrize(
    ("text", "language"),
    [("ja_JP.UTF-8", "ja-jp"), ("zh_TW", "zh-tw"), ("sr_RS@latin", "sr-rs"), ("en_US.UTF-8@euro", "en-us"),
     ("de", "de"), ("C.UTF-8", ""), ("POSIX", ""), ("", ""), ("x/../y", "")],
)  # fmt: skip
def test_language_of_a_locale(text: str, language: str) -> None:
    assert language_of(text) == language


def test_language_of_the_running_system_is_its_own_before_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "pt_BR.UTF-8")
    assert inventory_linux.facts(Path("/"))["os.language"] == "pt-br"


def test_caps_on_packages() -> None:
    def status(count: int, version: str = "1") -> list[str]:
        stanza = "Package: p{}\nStatus: install ok installed\nVersion: {}\n\n"
        return [line + "\n" for n in range(count) for line in stanza.format(n, version).split("\n")]

    assert [len(dpkg_packages(status(count), max_packages=3)) for count in (3, 4)] == [3, 3]
    listings = ["".join(f"p{n}\t1-1\tx86_64\n" for n in range(count)) for count in (3, 4)]
    assert [len(rpm_packages(listing, max_packages=3)) for listing in listings] == [3, 3]
    entries = [{"DisplayName": f"p{n}", "DisplayVersion": "1"} for n in range(4)]
    assert len(inventory_windows.programs(entries, max_packages=3)) == 3
    assert [len(dpkg_packages(status(1, "1" * length))) for length in (200, 201)] == [1, 0]


@pytest.mark.parametrize(("over", "count"), [(0, 3), (1, 0)])
def test_a_status_that_is_far_too_large_is_not_read(root: Path, over: int, count: int) -> None:
    assert len(inventory_linux.packages(root, "", max_status_bytes=len(STATUS.encode()) - over)) == count


def test_packages_are_complete_if_every_database_was_read(root: Path) -> None:
    assert inventory_linux.packages(root, "").complete
    assert not inventory_linux.packages(root, "", max_status_bytes=3).complete
    assert not inventory_linux.packages(Path("/nonexistent"), "").complete
    assert inventory_linux.packages(Path("/nonexistent"), "vim\t1-1\tnoarch\n").complete
    (root / "var/lib/rpm").mkdir(parents=True)
    (root / "var/lib/rpm/rpmdb.sqlite").write_bytes(b"x")
    assert inventory_linux.packages(root, "vim\t1-1\tnoarch\n").complete
    assert not inventory_linux.packages(root, "").complete  # rpm has some, and they could not be listed
    most = "".join(f"p{n}\t1-1\tnoarch\n" for n in range(MAX_PACKAGES))
    assert not inventory_linux.packages(root, most).complete  # there may be more


def test_bytes_that_are_no_text_spoil_only_their_own_package(root: Path) -> None:
    status = root / "var/lib/dpkg/status"
    status.write_bytes(b"Package: \xff\xfe\nStatus: install ok installed\nVersion: 1\n\n" + STATUS.encode())
    assert len(read_packages(root)) == 3


def test_rpm_listing() -> None:
    listing = (
        "openssl\t1:3.0.7-24.el9\tx86_64\n"
        "kernel\t5.14.0-362.el9\tx86_64\nkernel\t5.14.0-427.el9\tx86_64\nkernel\t5.14.0-70.el9\tx86_64\n"
        "glibc\t2.34-100.el9\tx86_64\nglibc\t2.34-83.el9\ti686\n"
        "gpg-pubkey\t8d8b756f-629e59ec\t(none)\n"
        "no version\nerror: something\t\n"
    )
    found = read_packages(Path("/nonexistent"), listing)
    assert {name: (str(version), version.ecosystem) for name, version in found.items()} == {
        "openssl": ("1:3.0.7-24.el9", Ecosystem.RPM),
        "kernel": ("5.14.0-427.el9", Ecosystem.RPM),
        "glibc": ("2.34-83.el9", Ecosystem.RPM),
    }


def test_stamp_tells_that_packages_changed(root: Path) -> None:
    before = packages_stamp(root)
    assert packages_stamp(root) == before
    assert inventory_linux.rpm_query(root) is None
    os.utime(root / "var/lib/dpkg/status", ns=(1, 1))
    after = packages_stamp(root)
    assert after != before
    (root / "var/lib/rpm").mkdir(parents=True)
    (root / "var/lib/rpm/rpmdb.sqlite").write_bytes(b"x")
    assert packages_stamp(root) != after
    assert (inventory_linux.rpm_query(root) or ())[:3] == ("rpm", "--root", str(root))


def test_packages_that_are_known_are_not_read_again(root: Path) -> None:
    known = Packages({Ecosystem.DEB: {"only": "1"}})
    assert look(root, packages=known).packages is known


# --- Windows and macOS ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "release", "build"),
    [("10.0.19045", "10.0", 19045), ("6.1.7601", "6.1", 7601), ("10.0.22631.3296", "10.0", 22631), ("", None, None)],
)
def test_version_of_windows(version: str, release: str | None, build: int | None) -> None:
    found = shown(inventory_windows.version_facts(version))
    assert (found["os.family"], found["os.id"]) == ("windows", "windows")
    assert (found.get("os.release"), found.get("os.build")) == (release, build)


@pytest.mark.parametrize(("number", "language"), [(0x411, "ja-jp"), (0x404, "zh-tw"), (0x409, "en-us"), (0, None)])
def test_language_of_windows(number: int, language: str | None) -> None:
    assert inventory_windows.language_facts(number).get("os.language") == language


def test_programs_of_the_registry() -> None:
    found = inventory_windows.programs(
        [
            {"DisplayName": "7-Zip 23.01 (x64)", "DisplayVersion": "23.01"},
            {"DisplayName": "  ACME \t Agent ", "DisplayVersion": " 2.10.0 "},
            {"DisplayName": "ACME Agent", "DisplayVersion": "2.9"},
            {"DisplayName": "Odd", "DisplayVersion": "2023b"},
            {"DisplayName": "Odd", "DisplayVersion": "x"},
            {"DisplayName": "No version"},
            {"DisplayName": 7, "DisplayVersion": "1"},
            {"DisplayName": "Number", "DisplayVersion": 1},
            {"DisplayName": "", "DisplayVersion": "1"},
            {},
        ]
    )
    assert found == {"7-Zip 23.01 (x64)": "23.01", "ACME Agent": "2.9", "Odd": "2023b"}
    packages = Packages({Ecosystem.WINDOWS: found})
    assert packages["ACME Agent"] < parse_version("2.10", Ecosystem.WINDOWS)
    assert packages["Odd"].ecosystem is Ecosystem.GENERIC


def test_facts_of_macos(tmp_path: Path) -> None:
    assert shown(inventory_macos.version_facts("14.2.1")) == {
        "os.family": "macos", "os.id": "macos", "os.build": 0, "os.release": "14.2.1",
    }  # fmt: skip
    assert "os.release" not in inventory_macos.version_facts("")
    preferences = plistlib.dumps({"AppleLanguages": ["ja-JP", "en-US"]})
    assert inventory_macos.language_facts(preferences) == {"os.language": "ja-jp"}
    for broken in (b"", b"junk", plistlib.dumps({}), plistlib.dumps([1]), plistlib.dumps({"AppleLanguages": [1]})):
        assert inventory_macos.language_facts(broken) == {}
    assert inventory_macos.facts(tmp_path)["os.family"] == "macos"
    assert not inventory_macos.packages(tmp_path, "")


def test_the_words_of_facts_are_those_that_recipes_are_checked_against() -> None:
    assert set(inventory._ARCHES.values()) == set(ARCHES)
    assert set(inventory_linux._FAMILIES.values()) < set(FAMILIES)
