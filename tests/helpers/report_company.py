"""A company in which a patch has come to some PCs, is late on others, and hangs on the rest: for tests of reports."""

from seed_server.fleet import exception_operations
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, TESTERS, Company

DAY = 86_400.0
SLA = """
[[sla]]
name = "week"
share_percent = 80
days = 7

[[sla]]
name = "critical"
share_percent = 95
days = 2
least_severity = "critical"
"""
SITES = '[[site]]\nname = "osaka"\nnetworks = ["10.0.0.0/8"]\ncontact = "Sato, 06-0000-0000"\n'


def with_reports(company: Company) -> Company:
    """Let ten days pass: five PCs are done in time, one late; one failed, one is excepted, one was away, one is new.

    Of the five, one says that the patch is not for it.
    """
    home = company.context.home
    with home.settings.open("a") as file:
        file.write(SLA)
    home.sites.write_text(SITES)
    company.clock.wall = BEGIN + 3600.0
    company.say(dict.fromkeys(OTHERS[:4], "verified"))
    company.say({OTHERS[4]: "waiting"}, install="not_applicable")
    company.clock.wall = BEGIN + 8 * DAY
    company.say({OTHERS[5]: "verified"})
    company.say({OTHERS[6]: "verified"}, install="failed")
    company.clock.wall = BEGIN + 10 * DAY
    company.say(dict.fromkeys(TESTERS[:2], "fetching"))
    company.seen(TESTERS + OTHERS)
    company.clock.wall = BEGIN + 10 * DAY - 9 * DAY
    company.seen([TESTERS[1]], connected=False)
    company.clock.wall = BEGIN + 10 * DAY
    exception_operations.add_exception(
        company.context, ADA, who=f'hostname == "{TESTERS[0]}"', until=company.clock.wall + DAY, reason="trade",
        owner="Store IT", patch="office",
    )  # fmt: skip
    return company
