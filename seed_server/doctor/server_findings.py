"""Judges the server: facts in, a finding for each check out. What `status` decides is taken from there. Pure."""

from collections.abc import Callable, Mapping, Sequence

from bandwidth.core.quantities import DAY_SECONDS, bytes_text, duration_in_words
from seed_server.answers.doctor import Mending, ServerCode, SiteFinding, fine, unknown, wrong
from seed_server.doctor import port_findings
from seed_server.doctor.facts import ServerFacts
from seed_server.doctor.port_findings import NO_ANSWER, SERVER_OFF
from seed_server.fleet.problems import FleetProblem
from seed_server.fleet.rollout_words import moment
from seed_server.signing.role_policy import ONLINE_ROLES, lifetimes_of_roles

LEAST_LEFT_SHARE = 0.4  # of a role's life: the running server signs it anew at half, and looks each five minutes
LEAST_HOME_FREE_BYTES = 1 << 30  # a patch, its copy while it is published, database and logs
WRITTEN_AHEAD_SECONDS = 60.0  # what is written down may be so much later than now: the look takes a while
MOST_FILES_NAMED = 3
LEAST_TROUBLED, TROUBLED_SHARE = 3, 0.2  # PCs of a site: something is always wrong on a few


def judge_home(facts: ServerFacts) -> SiteFinding:
    """Judge whether the home has settings that can be used."""
    if facts.settings_problem:
        return wrong("server-home", facts.settings_problem, "operator", "Do what it says, and run this again.")
    if facts.settings is None:
        return unknown("server-home", NO_ANSWER)
    return fine("server-home", "The home's settings can be used.")


def judge_rights(facts: ServerFacts) -> SiteFinding:
    """Judge who else may read or change the server's files."""
    files = facts.files
    if files is None:
        return unknown("server-rights", NO_ANSWER)
    if files.distrust:
        return wrong(
            "server-rights",
            "; ".join(files.distrust) + ".",
            "operator",
            "Close them, as is said there, and look who can log in here.",
        )
    if files.unreadable:
        return unknown("server-rights", files.unreadable)
    return fine("server-rights", "The server's files are closed to others.")


def judge_server_clock(facts: ServerFacts) -> SiteFinding:
    """Judge this machine's clock against what the server itself has written down."""
    time = facts.time
    if time is None:
        return unknown("server-clock", NO_ANSWER)
    ahead = time.latest - facts.now
    if ahead > WRITTEN_AHEAD_SECONDS:
        what, off = time.latest_of, duration_in_words(ahead)
        return wrong(
            "server-clock",
            f"This machine's clock has gone back, or was ahead before: {what} is {off} later than now.",
            "operator",
            "Set the clock right, and have a time service keep it. If it is right now, wait for that time: until then "
            "PCs may take nothing that is signed anew.",
        )
    if time.synchronised is False:
        return unknown(
            "server-clock", "No time service keeps the clock, as the system says; nothing shows that it is wrong."
        )
    return fine("server-clock", "It is later than all that the server has written down.")


def judge_disk(facts: ServerFacts) -> SiteFinding:
    """Judge the room for patches, database and logs."""
    if facts.disk:
        return _told("server-disk", facts.disk, "")
    free = None if facts.files is None else facts.files.free_bytes
    if free is None:
        return unknown("server-disk", "The free space could not be read.")
    amount = bytes_text(free)
    if free < LEAST_HOME_FREE_BYTES:
        return wrong(
            "server-disk",
            f"The disk of the home has {amount} free.",
            "operator",
            f"Make room: {bytes_text(LEAST_HOME_FREE_BYTES)} at least, and for each patch twice its size.",
        )
    return fine("server-disk", f"The disk of the home has {amount} free.")


def judge_database(facts: ServerFacts) -> SiteFinding:
    """Judge whether the database can be read and written."""
    database = facts.database
    if database is None:
        return unknown("server-database", NO_ANSWER)
    if database.problem:
        return wrong("server-database", database.problem, "operator", "Do what it says, and run this again.")
    if database.outdated:
        return unknown(
            "server-database",
            "It is of an earlier release: the next 'seed-server serve' or 'status' changes its tables. Back it up "
            "before.",
        )
    return fine("server-database", "It can be read and written, and its tables are of this release.")


def judge_content(facts: ServerFacts) -> SiteFinding:
    """Judge whether the files that PCs are offered are there."""
    content = facts.content
    if content is None:
        return unknown("server-content", "It was not looked at: see server-database and server-signatures.")
    if content.lacking:
        named = "; ".join(f"{one.ref}: {one.why}" for one in content.lacking[:MOST_FILES_NAMED])
        number, files = len(content.lacking), content.files
        return wrong(
            "server-content",
            f"Of {files} files that are offered {number} cannot be served: {named}",
            "operator",
            "Publish these patches again from their files, or restore content/ from a backup.",
        )
    if not (files := content.files):
        return fine("server-content", "No file is offered.")
    return fine("server-content", f"All files that are offered are there, in their lengths: {files}.")


def judge_signatures(facts: ServerFacts) -> SiteFinding:
    """Judge what is signed, and for how long PCs take it."""
    signatures = facts.signatures
    if signatures is None:
        return unknown("server-signatures", NO_ANSWER)
    if signatures.problem:
        return wrong(
            "server-signatures", signatures.problem, "operator", "Restore tuf/ from a backup of this home, whole."
        )
    lifetimes = {} if signatures.lifetimes is None else lifetimes_of_roles(signatures.lifetimes)
    late = [
        one
        for one in sorted(signatures.expiries, key=lambda one: one.expires_at)
        if one.role in ONLINE_ROLES and one.expires_at - facts.now < LEAST_LEFT_SHARE * lifetimes.get(one.role, 0.0)
    ]
    if late and late[0].expires_at <= facts.now:
        role = late[0].role
        return wrong(
            "server-signatures",
            f"The signed {role} metadata expired on {moment(late[0].expires_at)}: PCs refuse whatever is new.",
            "operator",
            "Start 'seed-server serve', which signs it anew; if it runs, its log says why it cannot.",
        )
    if late and facts.serving:
        role = late[0].role
        return wrong(
            "server-signatures",
            f"The server runs and does not sign the {role} metadata anew, which expires on "
            f"{moment(late[0].expires_at)}.",
            "operator",
            "Look at the log of 'seed-server serve' for why it cannot: the disk, or the keys in keys/online.",
        )
    if signatures.offline:
        return _told("server-signatures", signatures.offline, "")
    return fine("server-signatures", "All that is signed can be read, and is good for a while.")


def judge_audit(facts: ServerFacts) -> SiteFinding:
    """Judge the audit log, and what PCs say of it and have signed themselves."""
    return _told("server-audit", facts.audit, "The audit log goes on where it was, and no PC says otherwise.")


def judge_rollouts(facts: ServerFacts) -> SiteFinding:
    """Judge whether rollouts are carried on."""
    return _told("server-rollouts", facts.rollouts, "No rollout is held up by a fault.")


def judge_site_map(facts: ServerFacts) -> SiteFinding:
    """Judge the site map."""
    return _told("server-site-map", facts.site_map, "The site map can be used.")


def judge_pcs(facts: ServerFacts) -> SiteFinding:
    """Judge who is connected."""
    if facts.serving is False:
        return unknown("server-pcs", SERVER_OFF)
    return _told("server-pcs", facts.pcs, "PCs are connected, or none is enrolled, and none refuses what is signed.")


def judge_lines(facts: ServerFacts) -> SiteFinding:
    """Judge whether business suffers at many sites at once."""
    if facts.serving is False:
        return unknown("server-lines", SERVER_OFF)
    urgent = None if facts.lines is None else [one for one in facts.lines if one.urgent]
    return _told("server-lines", urgent, "Leasing does not pause at many sites at once.")


def judge_server_zones(facts: ServerFacts) -> SiteFinding:
    """Judge whether profiles' hours can be computed."""
    time = facts.time
    tzdata = "Install the system's time zone data (tzdata) on this machine."
    if time is None:
        return unknown("server-time-zones", NO_ANSWER)
    if time.zones == 0:
        return wrong("server-time-zones", "This machine has no data of any time zone.", "operator", tzdata)
    if zone := time.unknown_zone:
        return wrong(
            "server-time-zones",
            f"A profile in force names the time zone {zone}, of which this machine has no data.",
            "operator",
            tzdata,
        )
    return fine("server-time-zones", "The time zones of all profiles are known.")


def judge_sites(facts: ServerFacts) -> SiteFinding:
    """Judge at which sites many PCs say that something is wrong: `--site` says what."""
    if facts.serving is False:
        return unknown("server-sites", SERVER_OFF)
    if facts.troubled is None:
        return unknown("server-sites", "It was not looked at: see server-database.")
    many = [one for one in facts.troubled if one.troubled >= max(LEAST_TROUBLED, TROUBLED_SHARE * one.connected)]
    if many:
        named = ", ".join(f"{one.site} ({one.troubled} of {one.connected} PCs)" for one in many)
        return wrong(
            "server-sites",
            f"Sites where many of the connected PCs say that something is wrong: {named}.",
            "administrator",
            "See what it is at each: seed-server doctor --site NAME",
        )
    return fine("server-sites", "At no site do many PCs say that something is wrong.")


def judge_intelligence(facts: ServerFacts) -> SiteFinding:
    """Judge how old it is what is known of weaknesses, where files of it were ever imported."""
    well = "What is known of weaknesses is a few days old, or nothing of it was ever imported."
    return _told("server-intelligence", facts.intelligence, well)


def judge_backup(facts: ServerFacts) -> SiteFinding:
    """Judge whether there is a backup of this server that is young enough."""
    days = None if facts.settings is None else facts.settings.backup_days
    if days == 0:
        return fine("server-backup", "It is not looked at: backup_days is 0 in server.toml.")
    if facts.backup is None or days is None:
        return unknown("server-backup", "It was not looked at: see server-database.")
    last = facts.backup.last
    if last is None and not facts.backup.pcs:
        return fine("server-backup", "There is none yet, and no PC is enrolled.")
    nightly = (
        "Run 'seed-server backup DIR' each night, onto another machine's disk. If you back up otherwise, set "
        "backup_days = 0 in server.toml."
    )
    if last is None:
        return wrong(
            "server-backup",
            "There is no backup of this server: where its disk fails, each PC has to enrol again.",
            "operator",
            nightly,
        )
    ago = duration_in_words(max(0.0, facts.now - last.backup_at))
    if facts.now - last.backup_at > days * DAY_SECONDS:
        return wrong("server-backup", f"The last backup, in {last.directory}, is {ago} old.", "operator", nightly)
    if last.faults:
        return wrong(
            "server-backup",
            f"The last backup, in {last.directory}, lacks files that are missing or damaged here ({last.faults}).",
            "operator",
            "Run 'seed-server backup' again: it names them. Publish these patches again from their files.",
        )
    return fine("server-backup", f"The last backup, in {last.directory}, is {ago} old.")


def _told(code: ServerCode, problems: Sequence[FleetProblem] | None, well: str) -> SiteFinding:
    """Return what `status` says of it; ``well``: what is so while that is nothing."""
    if problems is None:
        return unknown(code, "It was not looked at: see server-database.")
    if not problems:
        return fine(code, well)
    mend = "; ".join(dict.fromkeys(one.mend for one in problems))
    return wrong(code, " ".join(one.text for one in problems), _mending(code), mend)


def _mending(code: ServerCode) -> Mending:
    return "network" if code == "server-lines" else "operator"


SERVER_CHECKS: Mapping[ServerCode, Callable[[ServerFacts], SiteFinding]] = {
    "server-home": judge_home,
    "server-rights": judge_rights,
    "server-running": port_findings.judge_running,
    "server-web-port": port_findings.judge_web,
    "server-origin-port": port_findings.judge_origin,
    "server-api-port": port_findings.judge_api,
    "server-address": port_findings.judge_address,
    "server-addresses": port_findings.judge_addresses,
    "server-tls": port_findings.judge_tls,
    "server-clock": judge_server_clock,
    "server-disk": judge_disk,
    "server-database": judge_database,
    "server-content": judge_content,
    "server-signatures": judge_signatures,
    "server-audit": judge_audit,
    "server-rollouts": judge_rollouts,
    "server-site-map": judge_site_map,
    "server-pcs": judge_pcs,
    "server-lines": judge_lines,
    "server-time-zones": judge_server_zones,
    "server-provider": port_findings.judge_provider,
    "server-sites": judge_sites,
    "server-backup": judge_backup,
    "server-intelligence": judge_intelligence,
}
"""Every check of the server, in the order in which they are shown."""


def judge_server(facts: ServerFacts) -> list[SiteFinding]:
    """Return a finding for each check."""
    return [check(facts) for check in SERVER_CHECKS.values()]
