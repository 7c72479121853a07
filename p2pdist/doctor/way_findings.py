"""Judges the way to the server: name, ports, certificates, clock, packets, proxies. Pure."""

from datetime import UTC, datetime

from bandwidth.core.quantities import duration_in_words
from p2pdist.doctor.answers import fine, unknown, wrong
from p2pdist.doctor.facts import DoctorFacts
from p2pdist.local_api.doctor_answers import CheckCode, CheckFinding
from p2pdist.status.reasons import LARGE_PACKETS_WORDS
from p2pdist.trust.clock_trust import SERVER_DIFFERENCE_SECONDS
from p2pdist.trust.http_answers import JUDGED_BY_CLOCK

NOT_LOOKED = "Not looked at: this PC has no identity that says which server is its own."


def judge_clock(facts: DoctorFacts) -> CheckFinding:
    """Compare this PC's clock with the server's, and with what the daemon knows."""
    set_it = "Set this PC's clock, and look at its time service."
    if said := reported(facts, "clock"):
        return wrong("clock", said, "administrator", set_it)
    web = facts.web
    if web is None or web.server_time is None:
        return unknown("clock", "The server's time is not known: its web port gave no answer.")
    ahead = web.own_time - web.server_time
    if abs(ahead) > SERVER_DIFFERENCE_SECONDS:
        off = duration_in_words(abs(ahead))
        if ahead > 0:
            return wrong("clock", f"This PC's clock is {off} ahead of the server's.", "administrator", set_it)
        return wrong("clock", f"This PC's clock is {off} behind the server's.", "administrator", set_it)
    if web.failure is not None:
        return unknown("clock", "It is as the server's, but who answers there is not proven to be the server.")
    minutes = round(SERVER_DIFFERENCE_SECONDS / 60)
    return fine("clock", f"It differs from the server's by less than {minutes} minutes.")


def judge_certificate(facts: DoctorFacts) -> CheckFinding:
    """Judge this PC's own certificates."""
    own = facts.enrolment
    if own.problem:
        return unknown("certificate", "This PC has no identity that can be read.")
    if not own.of_own_authority:
        return wrong(
            "certificate",
            "This PC's certificates are not signed by the authority that it trusts.",
            "administrator",
            "Ask the operator for a token, and enrol this PC again: p2pdist enrol --force",
        )
    if facts.now < own.not_before:
        return wrong(
            "certificate",
            f"This PC's certificates are valid from {_day(own.not_before)} on, by its clock not yet.",
            "administrator",
            "Set this PC's clock. If it is right, enrol this PC again with a new token: p2pdist enrol --force",
        )
    if facts.now >= own.not_after:
        return wrong(
            "certificate",
            f"This PC's certificates expired on {_day(own.not_after)}.",
            "administrator",
            "Check this PC's clock. If it is right, enrol this PC again with a new token: p2pdist enrol --force",
        )
    if said := reported(facts, "certificates"):
        return wrong("certificate", said, "administrator", "Have it renewed: see what is wrong with the web port.")
    return fine("certificate", f"Valid until {_day(own.not_after)}.")


def judge_server_certificate(facts: DoctorFacts) -> CheckFinding:
    """Judge who answers at the web port."""
    web = facts.web
    if web is None:
        return unknown("server-certificate", NOT_LOOKED)
    if web.failure in JUDGED_BY_CLOCK:
        by_clock = judge_clock(facts).verdict == "wrong"
        return wrong(
            "server-certificate",
            web.words,
            "administrator" if by_clock else "operator",
            "Set this PC's clock first." if by_clock else "Restart 'seed-server serve', which renews its certificate.",
        )
    if web.failure == "certificate_wrong_name":
        return wrong(
            "server-certificate", web.words, "operator", "Run 'seed-server move --to' the address that PCs use."
        )
    if web.failure == "certificate_untrusted":
        return wrong(
            "server-certificate",
            web.words,
            "network",
            f"Let TLS connections to {web.place} through unopened: no proxy or firewall may answer in the server's "
            "place. If the server was set up anew, its operator has to give this PC a new token.",
        )
    if web.failure is not None:
        return unknown("server-certificate", "The web port gave no answer that shows a certificate.")
    return fine("server-certificate", "The server has proven who it is.")


def judge_dns(facts: DoctorFacts) -> CheckFinding:
    """Judge whether the server's name leads to an address."""
    name = facts.name
    if name is None:
        return unknown("dns", NOT_LOOKED)
    if name.is_address:
        return fine("dns", "The server is known by its address: no name is needed.")
    if name.addresses:
        return fine("dns", f"The server's name leads to {', '.join(name.addresses)}.")
    return wrong(
        "dns",
        f"The server's name {name.name} leads to no address ({name.problem}).",
        "network",
        f"Have {name.name} answered by the DNS servers that this PC asks, and let it ask them.",
    )


def judge_web_port(facts: DoctorFacts) -> CheckFinding:
    """Judge whether the web port can be reached."""
    web = facts.web
    if web is None:
        return unknown("web-port", NOT_LOOKED)
    match web.failure:
        case "port_closed":
            return _refused("web-port", web.place)
        case "no_answer" | "too_slow" | "large_packets_lost":
            if _name_fails(facts):
                return unknown("web-port", "The server's name leads to no address: see dns.")
            if web.failure == "large_packets_lost":
                return unknown("web-port", "Only small packets come through: see packets.")
            return _silent("web-port", web.place)
        case "wrong_answer" | "too_large":
            return _foreign("web-port", web.place)
        case _:
            return fine("web-port", f"It can be reached at {web.place}.")


def judge_origin_port(facts: DoctorFacts) -> CheckFinding:
    """Judge whether the origin port can be reached."""
    origin = facts.origin
    if origin is None:
        return unknown("origin-port", NOT_LOOKED)
    if origin.state != "open" and _name_fails(facts):
        return unknown("origin-port", "The server's name leads to no address: see dns.")
    match origin.state:
        case "refused":
            return _refused("origin-port", origin.place)
        case "silent" | "unreachable":
            return _silent("origin-port", origin.place)
        case "foreign":
            if facts.web is not None and facts.web.failure in JUDGED_BY_CLOCK:
                return unknown("origin-port", "It answers, but its certificate does not fit this PC's clock.")
            return _foreign("origin-port", origin.place)
        case _:
            return fine("origin-port", f"It can be reached at {origin.place}.")


def judge_server_address(facts: DoctorFacts) -> CheckFinding:
    """Judge at which of the addresses that this PC knows its server answers."""
    if facts.daemon.server is None:
        return unknown("known-addresses", "The daemon does not say where it looks for the server.")
    known = facts.daemon.server.addresses
    used = next((one for one in known if one.used), None)
    if used is not None and used.own:
        return fine("known-addresses", f"The server answers at {used.host}, as this PC was told.")
    if used is not None:
        own = next((one.host for one in known if one.own), "")
        return fine(
            "known-addresses",
            f"The server answers at {used.host}, which it has told this PC, and not at {own}, with which this PC "
            f"enrolled. To use it always: p2pdist server set {used.host}",
        )
    if not all(one.problem for one in known):
        return unknown("known-addresses", "Not all addresses of the server have been tried yet.")
    hosts = ", ".join(dict.fromkeys(one.host for one in known))
    return wrong(
        "known-addresses",
        f"The server answers at none of the addresses that this PC knows: {hosts}.",
        "administrator",
        "Ask the operator whether the server has moved, and to which address. If it has: p2pdist server set ADDRESS",
    )


def judge_packets(facts: DoctorFacts) -> CheckFinding:
    """Judge whether full packets come through."""
    lost = wrong(
        "packets",
        LARGE_PACKETS_WORDS,
        "network",
        "Let ICMP 'fragmentation needed' through on the whole way to the server, or set the MTU of this site's "
        "network to what the link takes.",
    )
    packets, web = facts.packets, facts.web
    if (packets and packets.state == "lost") or (web and web.failure == "large_packets_lost"):
        return lost
    if reported(facts, "packets"):
        return lost
    if packets is not None and packets.state == "pass":
        return fine("packets", "Full packets get to the server, or who cannot pass them says so.")
    return unknown("packets", packets.words if packets and packets.words else "No full packet was tried.")


def judge_proxy(facts: DoctorFacts) -> CheckFinding:
    """Judge whether this network expects a proxy, which p2pdist never uses."""
    names = ", ".join(facts.surroundings.proxies)
    if not names:
        return fine("proxy", "No proxy is named in the environment.")
    web, origin = facts.web, facts.origin
    if web is None or origin is None:
        return unknown("proxy", f"A proxy is named by {names}, which p2pdist does not use.")
    if web.failure in ("no_answer", "too_slow", "port_closed") or origin.state in ("silent", "unreachable"):
        return wrong(
            "proxy",
            f"A proxy is named by {names}, and the server cannot be reached without it.",
            "network",
            f"Let PCs connect to {web.place} and {origin.place} directly, by TCP: p2pdist uses no proxy.",
        )
    return fine("proxy", f"A proxy is named by {names}; p2pdist does not use it, and does not need it here.")


def reported(facts: DoctorFacts, code: str) -> str:
    """Return what the daemon says of what it calls ``code``; empty: nothing, or it does not run."""
    status = facts.daemon.status
    if status is None:
        return ""
    return next((words for words, of in zip(status.problems, status.problem_codes, strict=False) if of == code), "")


def _name_fails(facts: DoctorFacts) -> bool:
    return facts.name is not None and not facts.name.is_address and not facts.name.addresses


def _refused(code: CheckCode, place: str) -> CheckFinding:
    return wrong(
        code,
        f"{place} refuses connections: nothing listens there, or a firewall refuses in its place.",
        "operator",
        f"Start 'seed-server serve', and check that it listens on {place}. If it does, ask the network team.",
    )


def _silent(code: CheckCode, place: str) -> CheckFinding:
    return wrong(
        code,
        f"{place} does not answer: a firewall drops the packets, there is no way to it, or what listens there hangs.",
        "network",
        f"Let this PC connect to {place} by TCP, and let the answers back. If that is so, ask the server's operator.",
    )


def _foreign(code: CheckCode, place: str) -> CheckFinding:
    return wrong(
        code,
        f"Something else than the seed server answers at {place}.",
        "operator",
        f"Check what listens on {place}. If it is the seed server, a firewall or proxy answers in its place.",
    )


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
