"""`seed_server.reporting.patch_list`: patches by what people look for, a page at a time."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import operations, rollout_operations
from seed_server.fleet.coverage import Reached
from seed_server.fleet.rollout_queries import ring_template
from seed_server.reporting.patch_list import PatchesPage, PatchesQuestion, read_patches
from tests.helpers.rollout_company import ADA, TEMPLATE, Company
from tests.helpers.weak_company import FIRST, import_kev, publish


def refs(page: PatchesPage) -> list[str]:
    return [str(one.ref) for one in page.rows]


@pytest.fixture
def stocked(company: Company, tmp_path: Path) -> Company:
    """Five patches: offered, on its way, waiting, withdrawn and replaced."""
    for name, offered in (("acme", False), ("late", False), ("bad", True)):
        company.clock.wall += 60
        publish(company, tmp_path, name, *([FIRST] if name == "acme" else []), offered=offered,
                severity="critical" if name == "bad" else "low", title=f"The {name} one")  # fmt: skip
    rollout_operations.start_rollout(company.context, ADA, "acme", ring_template("emergency"))
    operations.withdraw(company.context, ADA, "bad", "crashes")
    return company


def test_each_state_is_counted_whatever_is_asked_for(stocked: Company) -> None:
    page = read_patches(stocked.context, PatchesQuestion(state="waiting"))
    assert refs(page) == ["late@1"]
    assert page.counts == {"rollout": 1, "waiting": 1, "offered": 1, "withdrawn": 1, "superseded": 0}
    assert refs(read_patches(stocked.context, PatchesQuestion())) == ["bad@1", "late@1", "acme@1", "office@1"]


def test_rows_say_how_far_each_is(stocked: Company) -> None:
    rows = {str(one.ref): one for one in read_patches(stocked.context, PatchesQuestion()).rows}
    assert rows["acme@1"].rollout is not None
    assert (rows["acme@1"].state, rows["acme@1"].rollout.kept.row.number) == ("rollout", 1)
    assert rows["office@1"].progress is not None
    assert rows["office@1"].progress.counts[Reached.SILENT] == 10
    assert rows["office@1"].priority is not None
    assert rows["bad@1"].priority is None, "what is withdrawn is not open"
    assert rows["bad@1"].offer.withdrawal is not None


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (PatchesQuestion(text="ACME"), ["acme@1"]),
        (PatchesQuestion(text="the late"), ["late@1"]),
        (PatchesQuestion(text="cve-2026-1001"), ["acme@1"]),
        (PatchesQuestion(text="%"), []),
        (PatchesQuestion(severity="critical"), ["bad@1"]),
        (PatchesQuestion(severity="low", state="rollout"), ["acme@1"]),
        (PatchesQuestion(state="superseded"), []),
    ],
)
def test_what_is_looked_for_is_found(stocked: Company, question: PatchesQuestion, found: list[str]) -> None:
    page = read_patches(stocked.context, question)
    assert (refs(page), page.total) == (found, len(found))


def test_the_most_urgent_comes_first_and_a_class_is_found(stocked: Company, tmp_path: Path) -> None:
    import_kev(stocked, tmp_path, FIRST)
    page = read_patches(stocked.context, PatchesQuestion(by_priority=True))
    assert refs(page)[0] == "acme@1"
    assert "bad@1" not in refs(page)
    urgent = page.rows[0].priority
    assert urgent is not None
    level = urgent.decision.leaf.priority
    assert refs(read_patches(stocked.context, PatchesQuestion(priority=level))) == ["acme@1"]


def test_pages_follow_each_other_without_a_gap(stocked: Company) -> None:
    seen, after = [], ""
    while True:
        page = read_patches(stocked.context, PatchesQuestion(size=3, after=after))
        seen += refs(page)
        assert page.total == 4
        if not (after := page.after):
            break
    assert seen == ["bad@1", "late@1", "acme@1", "office@1"]
    with pytest.raises(UserError) as error:
        read_patches(stocked.context, PatchesQuestion(after="nothing@9"))
    assert error.value.kind is FaultKind.BAD_INPUT


def test_rules_are_judged_for_what_is_open(stocked: Company) -> None:
    assert not read_patches(stocked.context, PatchesQuestion()).has_rules
    with stocked.context.home.settings.open("a") as file:
        file.write('\n[[sla]]\nname = "week"\nshare_percent = 80\ndays = 7\n')
    page = read_patches(stocked.context, PatchesQuestion())
    assert page.has_rules
    assert {str(one.ref): [level.rule.name for level in one.levels] for one in page.rows} == {
        "bad@1": [], "late@1": ["week"], "acme@1": ["week"], "office@1": ["week"],
    }  # fmt: skip


def test_a_halted_rollout_is_still_one(company: Company) -> None:
    rollout_operations.start_rollout(company.context, ADA, "office", TEMPLATE)
    rollout_operations.halt_rollout(company.context, ADA, 1, "stop")
    (row,) = read_patches(company.context, PatchesQuestion(state="rollout")).rows
    assert row.rollout is not None
