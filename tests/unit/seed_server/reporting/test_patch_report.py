from seed_server.fleet.rollout_approving import approve_rollout
from seed_server.reporting.answering import patch_document
from seed_server.reporting.missing_pcs import MissingReason
from seed_server.reporting.patch_report import read_patch_report
from tests.helpers.report_company import DAY
from tests.helpers.rollout_company import ADA, BEGIN, BOB, Company


def test_a_patch_is_explained(reported: Company) -> None:
    report = read_patch_report(reported.context, "office")
    assert (report.fleet, report.said, report.applicable, report.not_for_it, report.unknown) == (10, 9, 8, 1, 1)
    assert (report.done, report.installed, report.failed, report.rolled_back) == (5, 0, 1, 0)
    assert report.missing == {
        MissingReason.SILENT: 1,
        MissingReason.EXCEPTED: 1,
        MissingReason.INSTALL_FAILED: 1,
        MissingReason.NOT_TOLD: 1,
    }
    assert report.done_by_hour == [(BEGIN + 2 * 3600, 4), (BEGIN + 8 * DAY + 3600, 1)]
    assert [one.owner for one in report.exceptions] == ["Store IT"]
    assert [level.rule.name for level in report.levels] == ["week"]
    assert (report.withdrawn, report.replaced_by, report.damage) == (None, None, "")


def test_who_started_and_approved_its_rollout_is_told(company: Company) -> None:
    company.start()
    company.look()
    approve_rollout(company.context, BOB, 1)
    document = patch_document(read_patch_report(company.context, "office@1"))
    (rollout,) = document.rollouts
    assert (rollout.author, rollout.approved_by, rollout.template) == (ADA.who, (BOB.who,), "two")
    assert [(ring.name, ring.opened_at is not None, ring.pcs) for ring in rollout.rings] == [
        ("test", True, 3),
        ("all", False, 7),
    ]
