"""Judges the ways to the server and from it: ports, address, certificates, identity provider. Pure."""

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.answers.doctor import ServerCode, SiteFinding, fine, unknown, wrong
from seed_server.doctor.facts import ServedPort, ServerFacts
from seed_server.fleet.rollout_words import moment

LEAST_PORT_SECONDS = 14 * DAY_SECONDS  # the running server shows a new certificate two months before the old one ends
LEAST_AUTHORITY_SECONDS = 365 * DAY_SECONDS  # another authority means that each PC enrols again: a project of its own

NO_ANSWER = "That look did not end in time: the disk, or the database, hangs."
SERVER_OFF = "The server does not run: see server-running."


def judge_running(facts: ServerFacts) -> SiteFinding:
    """Judge whether the server runs, and all of its parts answer."""
    if facts.serving is None:
        return unknown("server-running", NO_ANSWER)
    if not facts.serving:
        return wrong(
            "server-running",
            "The seed server does not run: PCs keep what they have, and hear nothing new.",
            "operator",
            "Start 'seed-server serve', and look at its log if it ends.",
        )
    silent = [name for name, port in _named_ports(facts) if port and port.state != "ours"]
    if silent:
        parts = ", ".join(silent)
        return wrong(
            "server-running",
            f"The server runs, and does not answer as itself on these ports: {parts}.",
            "operator",
            "Wait half a minute, as a part that has ended starts again, and run this once more. If it stays so, "
            "restart 'seed-server serve', and look at its log.",
        )
    return fine("server-running", "The server runs, and all of its parts answer.")


def _named_ports(facts: ServerFacts) -> tuple[tuple[str, ServedPort | None], ...]:
    return (("web", facts.web), ("origin", facts.origin), ("api", facts.api))


def judge_web(facts: ServerFacts) -> SiteFinding:
    """Judge the web port."""
    return _port("server-web-port", facts, facts.web)


def judge_origin(facts: ServerFacts) -> SiteFinding:
    """Judge the origin port."""
    return _port("server-origin-port", facts, facts.origin)


def judge_api(facts: ServerFacts) -> SiteFinding:
    """Judge the port of the pages and the API, and the certificate that it shows."""
    code: ServerCode = "server-api-port"
    if facts.settings is not None and not facts.settings.api_port:
        return fine(code, "There are no pages, and no API: api_port is 0.")
    port = facts.api
    if facts.own_problem:
        return wrong(
            code,
            f"The certificate for the pages' port cannot be used: {facts.own_problem}",
            "operator",
            "Do what it says; the server looks at the files each minute. Until then it shows another one.",
        )
    if port is None or port.state != "ours":
        return _port(code, facts, port)
    if not port.not_before <= facts.now < port.not_after - LEAST_PORT_SECONDS:
        own = facts.settings is not None and facts.settings.api_certificate
        mend = f"Renew {own}; the server looks at it each minute." if own else "Restart 'seed-server serve'."
        return wrong(
            code,
            f"The certificate that {port.place} shows is good from {moment(port.not_before)} to "
            f"{moment(port.not_after)}: browsers and programs will refuse it, or do already.",
            "operator",
            mend,
        )
    return fine(
        code, f"The pages and the API answer at {port.place}, until {moment(port.not_after)} by this certificate."
    )


def _port(code: ServerCode, facts: ServerFacts, port: ServedPort | None) -> SiteFinding:
    if port is None:
        return unknown(code, "It was not tried: see server-home.")
    place = port.place
    if port.state == "ours":
        return fine(code, f"This server answers at {place}.")
    if port.state == "foreign" or (port.state == "silent" and not facts.serving):
        return wrong(
            code,
            f"Another program than this server answers at {place}.",
            "operator",
            "Stop it ('ss -ltnp' names it), or choose another port in server.toml: PCs that are enrolled know the old "
            "one.",
        )
    if not facts.serving:
        return unknown(code, SERVER_OFF)
    if port.state == "refused":
        return wrong(
            code,
            f"{place} refuses connections from this machine itself.",
            "operator",
            "Look whether listen_address and the ports in server.toml have changed since the server was started, and "
            "restart it.",
        )
    return wrong(
        code,
        f"{place} takes connections and says nothing: that part of the server hangs, or is just being started.",
        "operator",
        "Run this again in half a minute; if it stays so, restart 'seed-server serve', and look at its log.",
    )


def judge_address(facts: ServerFacts) -> SiteFinding:
    """Judge whether the address that PCs have enrolled with leads here."""
    if facts.settings is None:
        return unknown("server-address", "The settings cannot be used: see server-home.")
    if facts.settings.listen_address:
        return unknown(
            "server-address", "The address may be another machine's, such as a router's: listen_address is set."
        )
    if facts.elsewhere is None:
        return unknown("server-address", "The name was not answered in time.")
    if facts.elsewhere:
        address, reason = facts.settings.address, facts.elsewhere
        return wrong(
            "server-address",
            f"PCs call this server {address}; {reason}",
            "network",
            "Give that address back to this machine, or correct the name's entry; on PCs: p2pdist server set.",
        )
    return fine("server-address", f"{facts.settings.address} leads to this machine.")


def judge_addresses(facts: ServerFacts) -> SiteFinding:
    """Judge the addresses that PCs are told: who answers there, and as whom."""
    listed = facts.listed
    if listed is None:
        return unknown("server-addresses", "The signed list could not be looked at: see server-signatures.")
    if not listed:
        return fine("server-addresses", "PCs are told no list: they know the address that they have enrolled with.")
    if strange := [one.place for one in listed if any(port.state == "foreign" for port in one.ports)]:
        return wrong(
            "server-addresses",
            f"PCs are told an address at which somebody else answers: {strange[0]}.",
            "network",
            "Have that address lead to this server, or take it from the list: 'seed-server move --finish' or --cancel.",
        )
    ours = [one for one in listed if all(port.state == "ours" for port in one.ports)]
    if unnamed := [one.place for one in ours if not all(port.names_server for port in one.ports)]:
        return wrong(
            "server-addresses",
            f"PCs are told an address that the server's certificate does not name: {unnamed[0]}.",
            "operator",
            "Restart 'seed-server serve', which makes a certificate for all listed addresses, and look at its log.",
        )
    if silent := [one.place for one in listed if one not in ours]:
        return unknown(
            "server-addresses",
            f"Not both ports answer from here at {silent[0]}, which PCs are told. Before a move and after it that is "
            "so; when it is over: 'seed-server move --finish'.",
        )
    return fine("server-addresses", f"This server answers at all addresses that PCs are told ({len(listed)}).")


def judge_tls(facts: ServerFacts) -> SiteFinding:
    """Judge the certificates of both ports, and the authority that signs them."""
    authority = facts.authority
    if authority is not None and authority.problem:
        return wrong("server-tls", authority.problem, "operator", "Restore keys/ca from a backup of this home.")
    if authority is not None and authority.expires_at - facts.now < LEAST_AUTHORITY_SECONDS:
        return wrong(
            "server-tls",
            f"The authority that signs PCs' certificates ends on {moment(authority.expires_at)}.",
            "operator",
            "Set up another home before that, and have the PCs enrol there.",
        )
    shown = [port for port in (facts.web, facts.origin) if port is not None and port.state == "ours"]
    for port in shown:
        place = port.place
        if not port.not_before <= facts.now < port.not_after:
            return wrong(
                "server-tls",
                f"The certificate that {place} shows is valid from {moment(port.not_before)} to "
                f"{moment(port.not_after)}, by this machine's clock not now.",
                "operator",
                "Look at the clock of this machine, and restart 'seed-server serve', which makes a new one.",
            )
        if not port.names_server:
            return wrong(
                "server-tls",
                f"The certificate that {place} shows does not name the address in server.toml.",
                "operator",
                "Restart 'seed-server serve': the address has changed since it was started.",
            )
        if port.not_after - facts.now < LEAST_PORT_SECONDS:
            return wrong(
                "server-tls",
                f"The certificate that {place} shows ends on {moment(port.not_after)}, and was not renewed.",
                "operator",
                "Restart 'seed-server serve', and look at its log.",
            )
    if not shown:
        return unknown("server-tls", "No port has shown a certificate of this server.")
    return fine("server-tls", f"Both ports' certificates are good until {moment(min(one.not_after for one in shown))}.")


def judge_provider(facts: ServerFacts) -> SiteFinding:
    """Judge the way to the identity provider, the only thing outside that the server calls."""
    if facts.settings is None:
        return unknown("server-provider", "The settings cannot be used: see server-home.")
    if facts.settings.oidc is None:
        return fine("server-provider", "No identity provider is named: the server calls nobody outside, and no proxy.")
    provider = facts.provider
    if provider is None:
        return unknown("server-provider", "It was not tried.")
    place = provider.place
    if provider.reached:
        return fine("server-provider", f"{place} can be reached.")
    if provider.by_proxy:
        return wrong(
            "server-provider",
            f"The proxy {place}, which the environment names, cannot be reached: nobody can log in by the provider.",
            "network",
            f"Let this server connect to {place} by TCP, or take the proxy out of its environment.",
        )
    return wrong(
        "server-provider",
        f"The identity provider at {place} cannot be reached: nobody can log in by it.",
        "network",
        f"Let this server connect to {place} by TCP, or name a proxy in its environment (https_proxy).",
    )
