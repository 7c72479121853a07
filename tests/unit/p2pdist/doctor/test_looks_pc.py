"""Faults of this PC, provoked with real files and sockets, are seen, and nothing is changed by looking."""

import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from p2pdist.doctor import looks_pc
from p2pdist.doctor.facts import DoctorFacts, HomeFacts
from p2pdist.doctor.judgement import CHECKS
from p2pdist.doctor.pc_findings import judge_disk_space
from p2pdist.identity import store
from p2pdist.local_api.doctor_answers import CheckCode, CheckFinding
from p2pdist.settings import EndpointHome
from tests.unit.p2pdist.doctor.enrolled import enrolled

MEMORY = Path("/dev/shm")


def found(code: CheckCode, **facts: object) -> CheckFinding:
    return CHECKS[code](replace(DoctorFacts(datetime.now(UTC).timestamp()), **facts))  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path, certificates: ModuleType) -> EndpointHome:
    enrolled(tmp_path, certificates.Authority("control"))
    (tmp_path / "cache").mkdir()
    return EndpointHome(tmp_path)


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path.with_name(f"{tmp_path.name}-mounts")
    path.write_text("".join(f"{number} 1 0:1 / {line}\n" for number, line in enumerate(lines)))
    return path


def test_a_sound_home_is_fine(home: EndpointHome) -> None:
    looked = looks_pc.look_at_home(home, table(home.root, "/ rw - ext4 /dev/sda1 rw"))
    assert found("rights", home=looked).verdict == "fine"
    assert found("file-system", home=looked).verdict == "fine"


def test_a_home_in_memory_is_found() -> None:
    if not MEMORY.is_dir():
        pytest.skip("this system has no file system in memory at /dev/shm")
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        answer = found("file-system", home=looks_pc.look_at_home(EndpointHome(Path(directory))))
    assert answer.verdict == "wrong"
    assert "(tmpfs): it is in memory" in answer.observed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{home}/cache rw - nfs4 files:/x rw", "it is on another machine"),
        ("{home} rw,noexec - ext4 /dev/sdb1 rw", "mounted with noexec"),
        ("{home} ro - ext4 /dev/sdb1 ro", "nothing can be written there"),
    ],
)
def test_an_unfit_file_system_is_found(home: EndpointHome, line: str, words: str) -> None:
    mounts = table(home.root, "/ rw - ext4 /dev/sda1 rw", line.format(home=home.root))
    answer = found("file-system", home=looks_pc.look_at_home(home, mounts))
    assert answer.verdict == "wrong"
    assert words in answer.observed


def test_names_that_differ_by_case_alone_and_are_one_file_are_found(home: EndpointHome) -> None:
    for name in ("cache", "identity"):  # as on a file system that folds case: both names lead to one file
        (home.root / name.upper()).symlink_to(home.root / name)
    answer = found("file-system", home=looks_pc.look_at_home(home, table(home.root, "/ rw - ext4 /dev/sda1 rw")))
    assert answer.verdict == "wrong"
    assert "differ by case" in answer.observed


def test_a_key_that_others_can_read_is_found_and_left_as_it_is(home: EndpointHome) -> None:
    key = home.enrolment.with_name("key.pem")
    key.chmod(0o644)
    store.read_identity(home.root)
    answer = found("rights", home=looks_pc.look_at_home(home))
    assert answer.verdict == "wrong"
    assert f"others can read the private key {key}" in answer.observed
    assert key.stat().st_mode & 0o777 == 0o644


def test_a_directory_that_others_may_write_is_found(home: EndpointHome) -> None:
    home.enrolment.parent.chmod(0o777)
    answer = found("rights", home=looks_pc.look_at_home(home))
    assert answer.verdict == "wrong"
    assert "may be changed by everybody" in answer.observed


def test_too_little_room_is_found(home: EndpointHome) -> None:
    facts = DoctorFacts(0.0, home=looks_pc.look_at_home(home))
    assert judge_disk_space(facts, least_free_bytes=0).verdict == "fine"
    answer = judge_disk_space(facts, least_free_bytes=1 << 60)
    assert (answer.code, answer.verdict, answer.mender) == ("disk-space", "wrong", "owner")


@pytest.mark.parametrize(
    ("start_days", "words"), [(-10, "expired on"), (10, "by its clock not yet"), (-0.5, "Valid until")]
)
def test_certificates_out_of_their_time_are_found(
    tmp_path: Path, certificates: ModuleType, start_days: float, words: str
) -> None:
    start = datetime.now(UTC) + timedelta(days=start_days)
    identity = enrolled(tmp_path, certificates.Authority("control"), start=start)
    answer = found("certificate", enrolment=looks_pc.look_at_identity(identity))
    assert words in answer.observed
    assert (answer.verdict == "fine") == (words == "Valid until")


def test_certificates_of_another_authority_are_found(tmp_path: Path, certificates: ModuleType) -> None:
    identity = enrolled(tmp_path, certificates.Authority("control"))
    identity = replace(identity, swarm_ca=certificates.Authority("another").pem)
    answer = found("certificate", enrolment=looks_pc.look_at_identity(identity))
    assert "not signed by the authority" in answer.observed


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_port_that_another_program_has_is_found(listener: socket.socket) -> None:
    answer = found("lan-port", lan_port=looks_pc.try_lan_port(listener.getsockname()[1]))
    assert "another program listens" in answer.observed


def test_a_free_port_is_fine_and_free_afterwards(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    assert found("lan-port", lan_port=looks_pc.try_lan_port(port)).verdict == "fine"
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize(("shared", "verdict"), [(False, "wrong"), (True, "fine")])
def test_a_program_that_keeps_mdns_to_itself_is_found(shared: bool, verdict: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(shared))
        other.bind(("", 0))
        answer = found("mdns-port", mdns_port=looks_pc.try_mdns_port(other.getsockname()[1]))
    assert answer.verdict == verdict


def test_proxies_in_the_environment_are_named_and_their_passwords_are_not(tmp_path: Path) -> None:
    around = looks_pc.look_around({"HTTPS_PROXY": "http://me:secret@proxy:3128", "no_proxy": "*"}, tmp_path)
    answer = found("proxy", surroundings=around)
    assert "HTTPS_PROXY" in answer.observed
    assert "secret" not in answer.observed


@pytest.mark.parametrize(("zone", "verdict"), [("Mars/Olympus", "wrong"), ("UTC", "fine")])
def test_a_time_zone_without_data_is_found(tmp_path: Path, zone: str, verdict: str) -> None:
    localtime = tmp_path / "localtime"
    localtime.symlink_to(f"/usr/share/zoneinfo/{zone}")
    assert found("time-zones", surroundings=looks_pc.look_around({}, localtime)).verdict == verdict


def test_what_cannot_be_looked_at_is_not_known() -> None:
    assert looks_pc.look_at_home(EndpointHome(Path("/no/such/home"))) == HomeFacts()


def test_looking_changes_no_file(home: EndpointHome) -> None:
    def all_of() -> dict[Path, tuple[int, int]]:
        looked = ((path, path.lstat()) for path in (home.root, *home.root.rglob("*")))
        return {path: (status.st_mtime_ns, status.st_mode) for path, status in looked}

    before = all_of()
    looks_pc.look_at_home(home)
    assert all_of() == before
