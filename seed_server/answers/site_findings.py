"""Judges a site: facts in, a finding for each check out, with how many of its PCs it is about. Pure."""

from collections.abc import Callable, Mapping

from bandwidth.core.quantities import DAY_SECONDS, bytes_text, duration_in_words, rate_text
from seed_server.answers.doctor import SiteCode, SiteFinding, fine, unknown, wrong
from seed_server.fleet.site_looks import UNSEEN_SECONDS, SiteFacts
from seed_server.store.site_health import NO_PCS, Affected

SILENT_SHARE = 0.2  # of a site's PCs: some are always in a cupboard
LEAST_AWAY = 3  # PCs: one or two may just be off
WASTEFUL_RATIO = 1.5  # of what was sent to the files' lengths; PCs that share have 1.02
LEAST_JUDGED_BYTES = 100 << 20  # of files: of small ones, what goes over the line is not judged
OF_ITS_OWN = frozenset({"clock", "identity", "packets", "mdns", "unheard", "cut_off", "lan_incoming", "vpn", "trust"})
"""What PCs say that has a check of its own."""

OFF_WORDS = "The server does not run, so nothing is known of now."
NOBODY_WORDS = "No PC of this site is connected."


def judge_away(facts: SiteFacts) -> SiteFinding:
    """Judge whether the whole site is cut off."""
    health = facts.health
    if not facts.serving:
        return unknown("site-away", OFF_WORDS)
    if not health.allowed:
        return unknown("site-away", "No PC was seen at this site last.")
    if health.connected:
        return fine("site-away", f"Connected: {_of(facts, Affected(health.connected))}.")
    if health.allowed < LEAST_AWAY or not facts.elsewhere:
        return unknown("site-away", "None of its PCs is connected, which may be because they are off.")
    ago, number, elsewhere = _ago(facts), health.allowed, facts.elsewhere
    return wrong(
        "site-away",
        f"None of its {number} PCs is connected, while {elsewhere} are from elsewhere; the last was seen {ago} ago.",
        "network",
        "If they are not all off: look whether the site's line is up, and let its PCs connect by TCP to "
        f"{facts.places}.",
    )


def judge_silent(facts: SiteFacts) -> SiteFinding:
    """Judge whether many PCs are gone for long."""
    silent, days = facts.health.silent, round(UNSEEN_SECONDS / DAY_SECONDS)
    if not facts.health.allowed:
        return unknown("site-silent", "No PC was seen at this site last.")
    if silent.count < SILENT_SHARE * facts.health.allowed:
        return fine("site-silent", f"Not seen for {days} days: {_of(facts, silent)}.")
    return wrong(
        "site-silent",
        f"Not seen for {days} days: {_named(facts, silent)}.",
        "administrator",
        "Look at one of them: is it on, does the service run, what does 'p2pdist doctor' say there? Those that are "
        "gone for good: seed-server endpoints forget",
    )


def judge_refusals(facts: SiteFacts) -> SiteFinding:
    """Judge whether PCs refuse what is signed here."""
    refusing = facts.health.refusing
    if not refusing.count:
        return _well("site-refusals", facts, "No PC refuses what is signed here.")
    return wrong(
        "site-refusals",
        f"These refuse what this server has signed: {_named(facts, refusing)}. One says: {facts.health.refuses}",
        "operator",
        "If it is so at other sites, too, see server-signatures; else look at one of these with 'p2pdist doctor'.",
    )


def judge_site_clock(facts: SiteFacts) -> SiteFinding:
    """Judge whether PCs' clocks are wrong."""
    told = facts.health.findings.get("clock", NO_PCS)
    wrong_clocks = max(told, facts.clock, key=lambda one: one.count)
    if not wrong_clocks.count:
        return _well("site-clock", facts, "No PC says that its clock is wrong.")
    most = wrong_clocks.count * 2 > facts.health.allowed >= LEAST_AWAY
    return wrong(
        "site-clock",
        f"Their clocks differ from this server's: {_named(facts, wrong_clocks)}. They install nothing in a window.",
        "network" if most else "administrator",
        "So many are wrong together that their common time server is: look at that first, and at this server's clock."
        if most
        else "Set these PCs' clocks, and look at their time service.",
    )


def judge_identities(facts: SiteFacts) -> SiteFinding:
    """Judge whether disks were copied after they had been enrolled."""
    if not facts.health.shared.count:
        return _well("site-identity", facts, "Each PC has an identity of its own.")
    return wrong(
        "site-identity",
        f"Several PCs show the identity of one: {_named(facts, facts.health.shared)}.",
        "administrator",
        "'seed-server endpoints' names the others. On each but one: p2pdist enrol --force --new-key. Take images "
        "before PCs are enrolled.",
    )


def judge_claims(facts: SiteFacts) -> SiteFinding:
    """Judge whether PCs are where the site map has them."""
    claiming, elsewhere = facts.health.claiming, facts.health.claimed
    if not claiming.count:
        return _well("site-address", facts, "No PC says that it is in another site.")
    return wrong(
        "site-address",
        f"By their own addresses they are in another site ({elsewhere}), and the server sees them here: "
        f"{_named(facts, claiming)}.",
        "operator",
        "Look which networks (VLANs) belong to this site, and correct sites.toml; or its address translation is that "
        "of another site.",
    )


def judge_site_packets(facts: SiteFacts) -> SiteFinding:
    """Judge whether full packets come through."""
    lost = facts.limit is not None and facts.limit.large_packets_lost
    told = facts.health.findings.get("packets", NO_PCS)
    if not lost and not told.count:
        return _well("site-packets", facts, "Nobody has seen that full packets vanish.")
    return wrong(
        "site-packets",
        f"Full packets vanish between this server and the site ({_named(facts, told)}); smaller ones are used."
        if told.count
        else "Full packets vanish between this server and the site; smaller ones are used.",
        "network",
        "A link on the way has a smaller MTU, and what its router says about that is dropped: let ICMP 'fragmentation "
        "needed' through, or set the MTU.",
    )


def judge_line(facts: SiteFacts) -> SiteFinding:
    """Judge what limits the site's line, and whether business suffers there."""
    limit = facts.limit
    if limit is None:
        return unknown("site-line", "Nothing was ever sent to this site.")
    harm, reason = limit.harm, limit.reason
    if harm is not None and harm.ends_at > facts.now:
        count, left = harm.pauses, duration_in_words(harm.ends_at - facts.now)
        return wrong(
            "site-line",
            f"Nothing is sent for {left} still, because business suffered while something was: {harm.reason}. Such "
            f"pauses so far: {count}.",
            "network",
            "If that comes again, set the line's rate in sites.toml, or a cap in the site's profile, and look what "
            "else fills the line.",
        )
    speed = "not known" if limit.capacity is None else rate_text(limit.capacity)
    return fine("site-line", f"The line: {speed}. What limited it last: {reason}.")


def judge_sharing(facts: SiteFacts) -> SiteFinding:
    """Judge whether each file goes over the line once."""
    if facts.file_bytes < LEAST_JUDGED_BYTES or facts.health.allowed < LEAST_AWAY:
        return unknown("site-sharing", "Too little was sent to judge, or there are too few PCs.")
    ratio = facts.wan_bytes / facts.file_bytes
    if ratio < WASTEFUL_RATIO:
        return fine("site-sharing", f"What is published went over the line {ratio:.2f} times.")
    sent = bytes_text(facts.wan_bytes)
    return wrong(
        "site-sharing",
        f"What is published went over the line {ratio:.1f} times ({sent}), where once is enough: its PCs do not share.",
        "network",
        "Let TCP to the port for neighbours (7691) and UDP 5353 pass between the PCs of this site, also between its "
        "VLANs, and switch client isolation off. If these are several sites, part them in sites.toml.",
    )


def judge_neighbours(facts: SiteFacts) -> SiteFinding:
    """Judge whether PCs hear each other."""
    return _said(
        "site-neighbours",
        facts,
        "unheard",
        "These hear no neighbour, although there are some",
        "Let UDP port 5353 to 224.0.0.251 and ff02::fb pass between PCs of a network, and between VLANs TCP to the "
        "port for neighbours (7691).",
        "No PC lacks neighbours that it hears or reaches.",
    )


def judge_isolations(facts: SiteFacts) -> SiteFinding:
    """Judge whether PCs that hear each other reach each other."""
    return _said(
        "site-isolation",
        facts,
        "cut_off",
        "These hear neighbours, and none of those answers",
        "Switch client isolation (AP isolation, private VLAN) off for this network, and let TCP to the port for "
        "neighbours (7691) pass between its PCs.",
        "No PC is cut off from those that it hears.",
    )


def judge_incoming(facts: SiteFacts) -> SiteFinding:
    """Judge whether PCs' own firewalls let neighbours in."""
    said = facts.health.findings.get("lan_incoming", NO_PCS)
    if not said.count:
        return _well("site-lan-incoming", facts, "No PC says that neighbours are kept out of it.")
    return wrong(
        "site-lan-incoming",
        f"These reach neighbours, and no neighbour has ever reached them: {_named(facts, said)}.",
        "administrator",
        "Let TCP to the port for neighbours (7691) into these PCs: their firewall's rules, or the group policy that "
        "sets them.",
    )


def judge_vpn(facts: SiteFacts) -> SiteFinding:
    """Judge whether a VPN's PCs are mixed with others."""
    said = facts.health.findings.get("vpn", NO_PCS)
    if not said.count or said.count >= facts.health.connected:
        return _well("site-vpn", facts, f"Connected by a VPN: {_of(facts, said)}.")
    return wrong(
        "site-vpn",
        f"These are connected by a VPN, and share nothing with the site's other PCs: {_named(facts, said)}.",
        "operator",
        "Give the VPN's addresses a site of their own in sites.toml: the line's rate is then judged apart.",
    )


def judge_site_mdns(facts: SiteFacts) -> SiteFinding:
    """Judge whether PCs announce themselves."""
    said = facts.health.findings.get("mdns", NO_PCS)
    if not said.count:
        return _well("site-mdns", facts, "mDNS runs on all PCs that say a word.")
    return wrong(
        "site-mdns",
        f"mDNS is off there, or does not start: {_named(facts, said)}.",
        "administrator",
        "Put mdns = true into config.toml there, or see with 'p2pdist doctor' what keeps the port 5353.",
    )


def judge_releases(facts: SiteFacts) -> SiteFinding:
    """Judge whether PCs are of this server's release."""
    others = {name: count for name, count in facts.health.releases.items() if name and name != facts.release}
    if not facts.health.connected:
        return unknown("site-release", NOBODY_WORDS)
    if not others:
        return fine("site-release", "All connected PCs have this server's release.")
    named = ", ".join(f"{name} ({count})" for name, count in sorted(others.items(), key=lambda one: -one[1])[:4])
    return wrong(
        "site-release",
        f"PCs of another release than this server's {facts.release}: {_of(facts, Affected(sum(others.values())))}: "
        f"{named}.",
        "administrator",
        "Upgrade them: they are served, but what is new is not sent to them, and the release before the last is the "
        "oldest that may connect.",
    )


def judge_full_disks(facts: SiteFacts) -> SiteFinding:
    """Judge whether patches wait for room."""
    if not facts.full.count:
        return _well("site-disk", facts, "No patch waits for room on a disk.")
    return wrong(
        "site-disk",
        f"Their disks are too full for a patch: {_named(facts, facts.full)}.",
        "administrator",
        "Make room there: seed-server status --reason disk_full --site NAME lists them all.",
    )


def judge_other_words(facts: SiteFacts) -> SiteFinding:
    """Judge what else PCs say."""
    others = [(code, said) for code, said in facts.health.findings.items() if code not in OF_ITS_OWN and said.count]
    if not others:
        return _well("site-reported", facts, "PCs say nothing else.")
    others.sort(key=lambda one: -one[1].count)
    named = "; ".join(f"{code}: {_named(facts, said)}" for code, said in others)
    return wrong(
        "site-reported",
        f"What else PCs say of themselves, by what it is about: {named}.",
        "administrator",
        "'p2pdist status' on one of these says what it is, in words.",
    )


def _said(code: SiteCode, facts: SiteFacts, finding: str, what: str, remedy: str, well: str) -> SiteFinding:
    said = facts.health.findings.get(finding, NO_PCS)
    if not said.count:
        return _well(code, facts, well)
    return wrong(code, f"{what}: {_named(facts, said)}.", "network", remedy)


def _well(code: SiteCode, facts: SiteFacts, words: str) -> SiteFinding:
    """Return that nobody says otherwise; where nobody is there to say so, it is not known."""
    if not facts.serving:
        return unknown(code, OFF_WORDS)
    return fine(code, words) if facts.health.connected else unknown(code, NOBODY_WORDS)


def _of(facts: SiteFacts, some: Affected) -> str:
    count, number = some.count, facts.health.allowed
    return f"{count} of {number} PCs"


def _named(facts: SiteFacts, some: Affected) -> str:
    hosts = ", ".join(some.hosts) + (", …" if some.count > len(some.hosts) else "")
    count, number = some.count, facts.health.allowed
    return f"{count} of {number} PCs ({hosts})"


def _ago(facts: SiteFacts) -> str:
    return duration_in_words(max(0.0, facts.now - facts.health.newest_seen))


SITE_CHECKS: Mapping[SiteCode, Callable[[SiteFacts], SiteFinding]] = {
    "site-away": judge_away,
    "site-silent": judge_silent,
    "site-refusals": judge_refusals,
    "site-clock": judge_site_clock,
    "site-identity": judge_identities,
    "site-address": judge_claims,
    "site-packets": judge_site_packets,
    "site-line": judge_line,
    "site-sharing": judge_sharing,
    "site-neighbours": judge_neighbours,
    "site-isolation": judge_isolations,
    "site-lan-incoming": judge_incoming,
    "site-vpn": judge_vpn,
    "site-mdns": judge_site_mdns,
    "site-release": judge_releases,
    "site-disk": judge_full_disks,
    "site-reported": judge_other_words,
}
"""Every check of a site; those that hurt the whole site come first."""


def judge_site(facts: SiteFacts) -> list[SiteFinding]:
    """Return a finding for each check: what is wrong comes first, in the order of the checks."""
    findings = [check(facts) for check in SITE_CHECKS.values()]
    return sorted(findings, key=lambda one: one.verdict != "wrong")
