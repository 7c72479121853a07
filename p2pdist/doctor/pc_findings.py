"""Judges this PC: identity, daemon, files, disk, time zones. Pure."""

from bandwidth.core.quantities import bytes_text
from p2pdist.doctor.answers import fine, unknown, wrong
from p2pdist.doctor.facts import DoctorFacts, PlaceFacts
from p2pdist.doctor.way_findings import reported
from p2pdist.local_api.doctor_answers import CheckFinding

LEAST_FREE_BYTES = 1 << 30  # a cumulative update of an operating system, and its parts while it is put together
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
OVER_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs",
})  # fmt: skip
HAS_CODE_OF_ITS_OWN = frozenset({"clock", "identity", "packets", "certificates", "mdns"})


def judge_enrolment(facts: DoctorFacts) -> CheckFinding:
    """Judge whether this PC has an identity."""
    if facts.enrolment.hidden:
        return unknown("enrolment", facts.enrolment.problem)
    if facts.enrolment.problem:
        return wrong(
            "enrolment",
            facts.enrolment.problem,
            "administrator",
            "Ask the operator for a token ('seed-server token'), then run: p2pdist enrol",
        )
    return fine("enrolment", "This PC is enrolled.")


def judge_daemon(facts: DoctorFacts) -> CheckFinding:
    """Judge whether the daemon runs."""
    if facts.daemon.status is not None:
        return fine("daemon", f"It runs, version {facts.daemon.status.version}.")
    if facts.daemon.hidden:
        return unknown("daemon", facts.daemon.problem)
    if facts.enrolment.problem and not facts.enrolment.hidden:
        return unknown("daemon", "This PC has to be enrolled first.")
    return wrong("daemon", facts.daemon.problem, "administrator", "Start the service, and look at its log.")


def judge_identity(facts: DoctorFacts) -> CheckFinding:
    """Judge whether other PCs show this PC's identity, as the server tells the daemon."""
    if facts.daemon.status is None:
        return unknown("identity", "The daemon gave no answer, and the server tells it alone.")
    if said := reported(facts, "identity"):
        return wrong(
            "identity",
            said,
            "administrator",
            "On each of these PCs but one, stop the daemon and enrol it with a new token and --force --new-key. "
            "Take images before PCs are enrolled.",
        )
    if facts.daemon.status.server_connection != "connected":
        return unknown("identity", "The server is not connected, and it alone sees that.")
    return fine("identity", "The server sees no other PC with this PC's identity.")


def judge_rights(facts: DoctorFacts) -> CheckFinding:
    """Judge who else may read or change the daemon's files."""
    home = facts.home
    if home.distrust:
        return wrong(
            "rights",
            "; ".join(home.distrust) + ".",
            "administrator",
            "Close them, as is said there, and look who can log in here.",
        )
    if home.unreadable:
        return unknown("rights", home.unreadable)
    if not home.places:
        return unknown("rights", "There is no home yet.")
    return fine("rights", "The daemon's files are closed to others.")


def judge_file_system(facts: DoctorFacts) -> CheckFinding:
    """Judge what the home's directories lie on."""
    if not any(place.kind for place in facts.home.places):
        return unknown("file-system", "This system does not tell what the home's directories lie on.")
    bad = [(place, why) for place in facts.home.places if (why := _why_unfit(place))]
    if bad:
        place, why = bad[0]
        return wrong(
            "file-system",
            f"{place.path} ({place.kind}): {why}",
            "administrator",
            "Move p2pdist's home to a disk of this PC with a usual file system, such as ext4, xfs or btrfs.",
        )
    kinds = ", ".join(sorted({place.kind for place in facts.home.places if place.kind}))
    return fine("file-system", f"The home lies on {kinds}.")


def _why_unfit(place: PlaceFacts) -> str:
    if place.read_only:
        return "nothing can be written there."
    if place.kind in IN_MEMORY:
        return "it is in memory: all that is there is gone after a restart."
    if place.kind in OVER_NETWORK:
        return "it is on another machine: locks and safe writing do not hold there."
    if place.no_programs:
        return "it is mounted with noexec: installers cannot be started from there."
    if place.folds_case:
        return "names that differ by case alone are one file there."
    return ""


def judge_disk_space(facts: DoctorFacts, least_free_bytes: int = LEAST_FREE_BYTES) -> CheckFinding:
    """Judge whether there is room for patches."""
    known = [place for place in facts.home.places if place.free_bytes is not None]
    if not known:
        return unknown("disk-space", "The free space could not be read.")
    least = min(known, key=lambda place: place.free_bytes or 0)
    free = bytes_text(least.free_bytes or 0)
    if (least.free_bytes or 0) < least_free_bytes:
        return wrong(
            "disk-space",
            f"{least.path} has {free} free.",
            "owner",
            f"Make room: {bytes_text(least_free_bytes)} at least, and more for large patches.",
        )
    return fine("disk-space", f"{least.path} has {free} free.")


def judge_time_zones(facts: DoctorFacts) -> CheckFinding:
    """Judge whether maintenance windows can be computed in this PC's time."""
    around = facts.surroundings
    if not around.zone_name:
        return fine("time-zones", "The system names no time zone; its offset of now is used.")
    if not around.zone_known:
        return wrong(
            "time-zones",
            f"There are no data of the time zone {around.zone_name}: windows shift when the clocks change.",
            "administrator",
            "Install the system's time zone data (tzdata), or set the time zone to one that it has.",
        )
    return fine("time-zones", f"The time zone {around.zone_name} is known.")


def judge_reported(facts: DoctorFacts) -> list[CheckFinding]:
    """Return what the daemon says besides what has a check of its own, each problem as a finding."""
    status = facts.daemon.status
    if status is None:
        return [unknown("reported", "The daemon gave no answer.")]
    codes = [*status.problem_codes, *[""] * len(status.problems)]
    rest = [words for words, code in zip(status.problems, codes, strict=False) if code not in HAS_CODE_OF_ITS_OWN]
    todo = "Do what it says; 'p2pdist status' shows whether that has helped."
    return [wrong("reported", words, "administrator", todo) for words in rest] or [
        fine("reported", "The daemon reports nothing else.")
    ]
