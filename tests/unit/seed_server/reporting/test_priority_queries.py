"""`seed_server.reporting.priority_queries`: the open patches in their order, with what follows from it."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import operations
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.rollout_queries import ring_template
from seed_server.reporting.priority_queries import PriorityAnswer, read_priorities
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.rollout_company import ADA, OTHERS, TESTERS, Company
from tests.helpers.weak_company import FIRST, SECOND, add_pc, import_epss, import_kev, publish


def order(answer: PriorityAnswer) -> list[tuple[str, str]]:
    return [(str(one.decision.facts.ref), one.decision.leaf.priority) for one in answer.patches]


def test_open_patches_stand_in_the_order_of_their_priority(company: Company, tmp_path: Path) -> None:
    assert order(read_priorities(company.context)) == [("office@1", "scheduled")]
    publish(company, tmp_path, "acme", FIRST)
    publish(company, tmp_path, "viewer", SECOND, offered=False, cvss=3.0)
    assert order(read_priorities(company.context)) == [
        ("acme@1", "scheduled"), ("office@1", "scheduled"), ("viewer@1", "defer"),
    ]  # fmt: skip
    import_kev(company, tmp_path, SECOND)
    assert order(read_priorities(company.context))[0] == ("viewer@1", "scheduled"), "a low score on PCs inside"
    add_pc(company, "web", "internet", "critical")
    assert order(read_priorities(company.context))[0] == ("viewer@1", "out-of-cycle")
    import_epss(company, tmp_path, CVE_2026_1002=(0.5, 0.99))
    (viewer,) = read_priorities(company.context, "viewer").patches
    assert (viewer.decision.leaf.case.likely, viewer.decision.leaf.priority) == (True, "out-of-cycle")
    assert read_priorities(company.context).world.missing() == []


def test_the_step_that_follows_is_by_what_pcs_are_told(company: Company, tmp_path: Path) -> None:
    ref = publish(company, tmp_path, "acme", FIRST, offered=False)
    import_kev(company, tmp_path, FIRST)

    def of(name: str) -> tuple[str, str, int]:
        (one,) = read_priorities(company.context, name, done=True).patches
        return one.step.words, one.step.command, one.approvals

    start = "seed-server rollout start acme@1 --template emergency --reason 'priority Out-of-cycle'"
    assert of("acme") == ("It is offered to nobody yet.", start, 1)
    assert of("office") == ("Every PC is offered it.", "seed-server status office@1", 1)
    rollouts.start_rollout(company.context, ADA, str(ref), ring_template("rings"))
    words, command, _ = of("acme@1")
    assert words == "Rollout 1 offers it by the rings of rings, and those of emergency follow from its priority."
    assert command == f"seed-server rollout abort 1 --reason 'priority Out-of-cycle' && {start}"
    rollouts.abort_rollout(company.context, ADA, 1, "priority Out-of-cycle")
    rollouts.start_rollout(
        company.context, ADA, str(ref), ring_template("emergency"), note="priority Out-of-cycle"
    )  # fmt: skip
    assert of("acme")[:2] == ("Rollout 2 offers it by the rings of emergency.", "")


def test_what_every_pc_has_or_was_taken_back_is_not_open(company: Company, tmp_path: Path) -> None:
    company.say(dict.fromkeys(TESTERS + OTHERS, "verified"))
    assert order(read_priorities(company.context)) == []
    assert order(read_priorities(company.context, done=True)) == [("office@1", "scheduled")]
    assert order(read_priorities(company.context, "office@1")) == [("office@1", "scheduled")]
    publish(company, tmp_path, "office", version="2")
    assert order(read_priorities(company.context)) == [("office@2", "scheduled")]
    operations.withdraw(company.context, ADA, "office", "crashes", OfflineKeys(company.context.home.offline_keys, None))
    assert order(read_priorities(company.context, done=True)) == []
    for name in ("office", "office@2"):
        with pytest.raises(UserError, match=rf"No patch {name} is open") as caught:
            read_priorities(company.context, name)
        assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_name_that_is_nearly_right_is_named(company: Company) -> None:
    with pytest.raises(UserError, match="Did you mean 'office'"):
        read_priorities(company.context, "offcie")
    with pytest.raises(UserError):
        read_priorities(company.context, "../x")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('[priority.decisions.none.small]\nunlikely = { low = "defer" }', "medium is missing"),
        ("[priority]\npoc_percentile = 2", "priority, poc_percentile: 2 is not from 0 to 1"),
        (('[priority.impact]\nlow = { low = "high", medium = "low", high = "low", critical = "low" }\n'
         'medium = { low = "low", medium = "low", high = "low", critical = "low" }\n'
         'high = { low = "low", medium = "low", high = "low", critical = "low" }'), "though it is worse"),
        (('[priority.classes]\nimmediate = { template = "x", deadline_days = 1 }\n'
         'out-of-cycle = { template = "x", deadline_days = 1 }\nscheduled = { template = "x", deadline_days = 1 }\n'
         'defer = { template = "x", deadline_days = 1 }'), "priority.classes.* no template x"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_said_with_its_place(section: str, words: str, company: Company) -> None:
    path = company.context.home.settings
    path.write_text(f"{path.read_text()}\n{section}\n")
    with pytest.raises(UserError, match=words) as caught:
        read_priorities(company.context)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_company_s_own_tags_and_templates_count(company: Company) -> None:
    path = company.context.home.settings
    path.write_text(f'{path.read_text()}\n[priority.mission]\nhigh = ["test"]\notherwise = "low"\n')
    (one,) = read_priorities(company.context).patches
    assert (one.decision.leaf.case.mission, one.decision.pcs) == ("high", 3)
