"""`seed_server.reporting.priority_pcs`: which PCs a patch may be for, by their own word and what they have told."""

from pathlib import Path
from typing import Any

import pytest

from seed_server.reporting.priority_decision import PcGroup
from seed_server.reporting.priority_pcs import PcsOfPatch, pcs_of_patches
from tests.helpers.judged_patches import DAY, INSIDE, NOW, OUTSIDE, TABLE
from tests.helpers.rollout_company import OTHERS, REF, TESTERS, Company
from tests.helpers.told_inventories import debian, tell
from tests.helpers.weak_company import add_pc, publish

TEST = PcGroup("controlled", "low")


def of(company: Company, **applies_to: str) -> PcsOfPatch:
    """Return the PCs of the published patch, as if it were for other ones."""
    (manifest,) = (one for one in company.repository.manifests() if one.ref == REF)
    import msgspec

    changed: Any = msgspec.structs.replace(manifest, **applies_to)
    return pcs_of_patches(company.context, company.database, TABLE, [changed])[REF]


def test_a_pc_of_which_nothing_is_known_may_need_it(company: Company) -> None:
    assert of(company) == PcsOfPatch({TEST: 3, INSIDE: 7}, 10)
    assert of(company, applies_to='os.family == "debian"') == PcsOfPatch({TEST: 3, INSIDE: 7}, 10)
    add_pc(company, "web", "internet", "test")
    add_pc(company, "other-web", "internet")
    assert of(company).groups == {TEST: 3, INSIDE: 7, OUTSIDE: 1, PcGroup("open", "low"): 1}
    company.database.set_denied("web", True)
    assert of(company).groups == {TEST: 3, INSIDE: 7, OUTSIDE: 1}


def test_their_own_word_counts_that_it_is_not_for_them_or_is_there(company: Company) -> None:
    company.say(dict.fromkeys(TESTERS, "verified"), install="not_applicable")
    company.say({OTHERS[0]: "verified", OTHERS[1]: "verified"})
    company.say({OTHERS[2]: "verified"}, install="failed")
    company.say({OTHERS[3]: "fetching"})
    assert of(company) == PcsOfPatch({INSIDE: 7}, 5)


def test_of_the_others_what_they_have_told_is_asked(company: Company) -> None:
    for name in (OTHERS[0], OTHERS[1]):
        tell(company.database, name, debian(acme="1.0"), NOW)
    tell(company.database, OTHERS[2], debian(acme="2.0"), NOW - 8 * DAY)
    older = 'installed("acme") and package("acme") < version("2.0")'
    assert of(company, applies_to=older).groups == {TEST: 3, INSIDE: 7}
    newer = 'package("acme") >= version("2.0")'
    assert of(company, applies_to=newer).groups == {TEST: 3, INSIDE: 5}, "what was told too long ago says nothing"
    company.say({OTHERS[0]: "verified"}, install="installed")
    assert of(company, applies_to=newer) == PcsOfPatch({TEST: 3, INSIDE: 6}, 8), "where it is installed, it was needed"
    assert of(company, applies_to=f"{newer} and on_mains").groups == {TEST: 3, INSIDE: 7}, "no PC tells that"


def test_many_patches_are_asked_about_at_once(company: Company, tmp_path: Path) -> None:
    refs = [publish(company, tmp_path, name, applies_to='arch == "amd64"') for name in ("acme", "viewer")]
    company.say({TESTERS[0]: "verified"}, "acme", install="not_applicable")
    found = pcs_of_patches(company.context, company.database, TABLE, company.context.repository().manifests())
    assert {ref: found[ref].missing for ref in refs} == {refs[0]: 9, refs[1]: 10}
    assert pcs_of_patches(company.context, company.database, TABLE, []) == {}


def test_who_they_are_is_read_only_where_it_matters(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.say({OTHERS[0]: "verified", OTHERS[1]: "verified"})
    read: list[object] = []
    saying = type(company.database).pcs_saying

    def counted(database: Any, refs: Any, said: Any) -> Any:
        read.extend(refs)
        return saying(database, refs, said)

    monkeypatch.setattr(type(company.database), "pcs_saying", counted)
    assert of(company) == PcsOfPatch({TEST: 3, INSIDE: 7}, 8)
    assert not read, "counts tell all of it, as nobody says that it is not for them"
    company.say({TESTERS[0]: "verified"}, install="not_applicable")
    assert of(company) == PcsOfPatch({TEST: 2, INSIDE: 7}, 7)
    assert read, "in which group that one is, sets tell"
    read.clear()
    tell(company.database, OTHERS[2], debian(acme="1.0"), NOW)
    company.say({OTHERS[2]: "verified"}, install="installed")
    newer = 'package("acme") >= version("2.0")'
    assert of(company, applies_to=newer) == PcsOfPatch({TEST: 2, INSIDE: 7}, 6)
    assert len(read) == 2, "it was not needed now, where it is installed"


def test_where_all_pcs_are_alike_counts_tell_all(company: Company) -> None:
    for name in TESTERS:
        company.database.set_denied(name, True)
    company.say({OTHERS[0]: "verified"}, install="not_applicable")
    company.say({OTHERS[1]: "verified"})
    company.say({TESTERS[0]: "verified"})
    assert of(company) == PcsOfPatch({INSIDE: 6}, 5)
