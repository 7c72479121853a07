"""Hostile texts in whatever PCs and people can set in a company: pages have to show them as text."""

from msgspec.structs import replace

from p2pdist.shared.manifest.inventory import PACKAGES_TOLD, Inventory
from p2pdist.shared.manifest.ring_facts import TOLD_FACTS
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer
from seed_server.fleet import exception_operations, legal_holds, operations, preparing
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.rollout_operations import pause_rollout
from seed_server.reporting.follow_up_operations import follow_up
from seed_server.reporting.missing_pcs import FollowUp
from seed_server.store.rows import SeenRow
from seed_server.store.session_records import PasskeyRow, WebSessionRow
from tests.helpers.page_company import ROOT, PageCompany
from tests.helpers.told_inventories import tell

WRITTEN = "\"'><img src=x onerror=alert(5)><script>alert(6)</script>"
"""As a person may write it: all of its signs can be seen."""
SAID = f"\u202e{WRITTEN}\u2066\x1b[31m\x07\u2028{{{{ 7 * 7 }}}}"
"""As a PC may say it."""
DAY_SECONDS = 86_400.0


def spoiled(company: PageCompany) -> PageCompany:
    """Write and say hostile texts, most of them about the PC that `PageCompany.known` names."""
    _said(company)
    _kept(company)
    _written(company)
    return company


def _said(company: PageCompany) -> None:
    now, pc = company.context.clock.now(), company.known()["endpoint"]
    company.say([pc], "acme-reader", "verified", "failed", error=SAID, why=SAID)
    company.say([company.pcs[1]], "office-ja", "failed", error=SAID)
    packages = {(Ecosystem.DEB, SAID): SAID, (Ecosystem.DEB, "openssl"): SAID}
    with company.context.database() as database:
        database.add_endpoint(pc, SAID, now - DAY_SECONDS, [WRITTEN.replace(" ", "/")])
        database.save_facts({pc: dict.fromkeys(TOLD_FACTS, SAID[:250]) | {"ram_mb": 8_000}})
        database.save_seen({pc: SeenRow("osaka", SAID, SAID, True, now)})
        database.save_refusals({pc: SAID})
        database.save_findings({pc: [SAID]})
        tell(database, pc, Inventory({**dict.fromkeys(TOLD_FACTS, SAID), PACKAGES_TOLD: "all"}, packages), now)
        for one in (pc, company.pcs[2]):
            answer = DiagnosisAnswer("openssl below 3.0.17", applies=True, needed=True, reason=SAID)
            database.save_diagnosis(one, Diagnosis("december", (answer, replace_label(answer))), now)


def replace_label(answer: DiagnosisAnswer) -> DiagnosisAnswer:
    """Return an answer about an item that nobody has asked about."""
    return DiagnosisAnswer(SAID[:80], applies=answer.applies, needed=False, reason=answer.reason)


def _kept(company: PageCompany) -> None:
    now = company.context.clock.now()
    with company.context.database() as database:
        for name in ("root", "ada"):
            database.add_passkey(PasskeyRow(f"k{name}", name, SAID, name.encode(), b"k", 0, now))
            session = WebSessionRow(f"s{name}", name, now, now, now + DAY_SECONDS, DAY_SECONDS, "code")
            database.add_web_session(name.encode() * 8, _from_somewhere(session))


def _from_somewhere(session: WebSessionRow) -> WebSessionRow:
    return replace(session, address=SAID, browser=SAID)


def _written(company: PageCompany) -> None:
    context, now = company.context, company.context.clock.now()
    for owner in ("root", "ada"):
        make_api_token(context, ROOT, label=WRITTEN, seconds=86_400, permissions=["look"], owner=owner)
    exception_operations.add_exception(
        context, ROOT, who=f"hostname == '{WRITTEN[2:]}'", until=now + 20 * DAY_SECONDS, reason=WRITTEN,
        owner=WRITTEN,
    )  # fmt: skip
    legal_holds.hold_history(context, ROOT, WRITTEN)
    pause_rollout(context, ROOT, 1, WRITTEN)
    follow_up(context, ROOT, company.known()["endpoint"], next(iter(FollowUp)), note=WRITTEN)
    operations.withdraw(context, ROOT, "acme-reader", WRITTEN)
    copy = context.home.root.parent / "other.bundle"
    preparing.prepare_withdrawal(context, ROOT, "fonts", WRITTEN, copy)
