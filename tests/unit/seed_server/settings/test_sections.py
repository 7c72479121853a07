"""`seed_server.settings.sections`: rules of service levels, up to their bounds and over them."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.toml_config import parse_toml
from seed_server.settings.sections import MAX_SLA_DAYS, MAX_SLA_NAME_CHARS, MAX_SLA_RULES
from seed_server.settings.server_toml import ServerSettings, check_settings

HEAD = 'name = "hq"\naddress = "127.0.0.1"\n'


def settings(*rules: str) -> ServerSettings:
    made = parse_toml(HEAD + "".join(f"[[sla]]\n{rule}\n" for rule in rules), ServerSettings, source="server.toml")
    check_settings(made, source="server.toml")
    return made


def rule(name: str = "all", share: float = 95, days: float = 7, more: str = "") -> str:
    return f'name = "{name}"\nshare_percent = {share}\ndays = {days}\n{more}'


def test_rules_up_to_their_bounds() -> None:
    made = settings(
        rule(name="x" * MAX_SLA_NAME_CHARS, share=100, days=MAX_SLA_DAYS, more="least_cvss = 10.0"),
        rule(share=0.1, days=0.1, more='least_severity = "critical"\nclock = "kev"'),
    )
    assert [one.clock for one in made.sla] == ["publish", "kev"]
    assert len(settings(*(rule(str(number)) for number in range(MAX_SLA_RULES))).sla) == MAX_SLA_RULES


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([rule(name="x" * (MAX_SLA_NAME_CHARS + 1))], "name"),
        ([rule(share=100.1)], "share_percent"),
        ([rule(share=0)], "share_percent"),
        ([rule(days=MAX_SLA_DAYS + 0.1)], "days"),
        ([rule(more="least_cvss = 10.1")], "least_cvss"),
        ([rule(more='least_severity = "urgent"')], "least_severity"),
        ([rule(more='clock = "epss"')], "clock"),
        ([rule(more="least_csvs = 9.0")], "least_cvss"),
        ([rule(str(number)) for number in range(MAX_SLA_RULES + 1)], "sla"),
        ([rule(), rule()], "a name of its own"),
        ([rule(name=" all")], "outer spaces"),
    ],
)
def test_rules_over_their_bounds_are_refused(rules: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        settings(*rules)
    assert caught.value.kind is FaultKind.BAD_INPUT
