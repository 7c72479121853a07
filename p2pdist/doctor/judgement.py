"""All checks, in the order in which they are shown: facts in, findings out. Pure."""

from collections.abc import Callable, Mapping

from p2pdist.doctor import lan_findings, pc_findings, way_findings
from p2pdist.doctor.facts import DoctorFacts
from p2pdist.local_api.doctor_answers import CheckCode, CheckFinding

CHECKS: Mapping[CheckCode, Callable[[DoctorFacts], CheckFinding]] = {
    "enrolment": pc_findings.judge_enrolment,
    "daemon": pc_findings.judge_daemon,
    "clock": way_findings.judge_clock,
    "certificate": way_findings.judge_certificate,
    "server-certificate": way_findings.judge_server_certificate,
    "dns": way_findings.judge_dns,
    "web-port": way_findings.judge_web_port,
    "origin-port": way_findings.judge_origin_port,
    "known-addresses": way_findings.judge_server_address,
    "packets": way_findings.judge_packets,
    "lan-port": lan_findings.judge_lan_port,
    "lan-incoming": lan_findings.judge_lan_incoming,
    "mdns": lan_findings.judge_mdns,
    "mdns-port": lan_findings.judge_mdns_port,
    "isolation": lan_findings.judge_isolation,
    "networks": lan_findings.judge_networks,
    "vpn": lan_findings.judge_vpn,
    "firewall": lan_findings.judge_firewall,
    "port-users": lan_findings.judge_port_users,
    "identity": pc_findings.judge_identity,
    "rights": pc_findings.judge_rights,
    "file-system": pc_findings.judge_file_system,
    "disk-space": pc_findings.judge_disk_space,
    "proxy": way_findings.judge_proxy,
    "time-zones": pc_findings.judge_time_zones,
}
"""Every check but `reported`, which has a finding for each problem."""


def judge(facts: DoctorFacts) -> list[CheckFinding]:
    """Return a finding for each check."""
    return [*(check(facts) for check in CHECKS.values()), *pc_findings.judge_reported(facts)]
