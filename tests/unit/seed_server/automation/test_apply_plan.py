"""What is to be done follows from what is there and what files say."""

import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.manifest.template import Template
from seed_server.automation.apply_changes import APPLIED_KINDS, NEEDS
from seed_server.automation.apply_documents import apply_document
from seed_server.automation.apply_plan import ApplyPlan, make_plan
from seed_server.automation.declared import Declared, DeclaredPerson
from seed_server.automation.declared_present import Present
from seed_server.fleet.roles import WHOLE_FLEET, Area
from seed_server.line.site_map import SiteEntry
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.templates import template_in_text
from seed_server.store.people_rows import PersonRow

TEXT = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'
SERVER = 'name = "hq"\naddress = "a"\n'
OSLO = SiteEntry("oslo", ["10.1.0.0/16"])


def profile(site: str, text: str = TEXT) -> SiteProfile:
    return SiteProfile(format=1, site=site, text=text)


def template(title: str, *labels: str) -> Template:
    items = "".join(f"[[item]]\nlabel = \"{label}\"\nexpression = 'true'\n" for label in labels)
    return template_in_text(f'title = "{title}"\n{items}', "ssl", source="s")


def present(written: Mapping[str, Any] | None = None, **parts: Any) -> Present:
    values = tomllib.loads(SERVER) | dict(written or {})
    text = SERVER + "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in (written or {}).items())
    return Present(msgspec.convert(values, ServerSettings), settings_text=text, written=values, **parts)


def told(plan: ApplyPlan) -> list[str]:
    return [f"{one.action} {one}" for one in plan.changes]


def test_nothing_differs_from_what_is_there() -> None:
    there = present(sites=[OSLO], profiles={"oslo": profile("oslo")}, written={"backup_days": 9})
    declared = Declared(sites=[OSLO], profiles={"oslo": profile("oslo")}, settings={"backup_days": 9})
    plan = make_plan(declared, there, prune=True)
    assert (plan.changes, plan.stays) == ((), ())
    document = apply_document(plan, applied=True, bundles={})
    assert (document.applied, document.changes, document.restart) == (False, (), False)


def test_kinds_come_in_a_fixed_order_and_each_has_its_right() -> None:
    declared = Declared(
        sites=[OSLO],
        profiles={"oslo": profile("oslo")},
        templates={"ssl": template("t", "a")},
        people=[DeclaredPerson("nora", ("viewer",))],
        settings={"backup_days": 9},
    )
    plan = make_plan(declared, present())
    assert [one.kind for one in plan.changes] == list(APPLIED_KINDS) == list(NEEDS)
    assert [one.right[0] for one in plan.changes] == ["profiles", "profiles", "templates", "people", "keys"]
    assert [one.right[1] for one in plan.changes if one.kind == "profile"] == [(Area(site="oslo"),)]
    # the site map decides for which PCs every limited right holds
    assert plan.of("site")[0].right == ("profiles", WHOLE_FLEET)
    assert tomllib.loads(plan.settings_text) == tomllib.loads(SERVER) | {"backup_days": 9}
    document = apply_document(plan, applied=False, bundles={})
    assert (document.applied, document.added, document.changed, document.removed) == (False, 5, 0, 0)
    assert document.restart


def test_what_the_files_do_not_have_stays_unless_it_is_pruned() -> None:
    there = present(
        sites=[OSLO],
        sites_text='[[site]]\nname = "oslo"\nnetworks = ["10.1.0.0/16"]\n',
        profiles={"oslo": profile("oslo")},
        templates={"ssl": template("t", "a")},
        people=[PersonRow("ola", ("viewer",), (), (), 1.0, "root")],
        written={"backup_days": 9},
    )
    empty = Declared(sites=[], profiles={}, templates={}, people=[], settings={})
    plan = make_plan(empty, there)
    assert told(plan) == []
    assert plan.stays == (
        ("site", "oslo"), ("profile", "oslo"), ("template", "ssl"), ("person", "ola"), ("setting", "backup_days"),
    )  # fmt: skip
    plan = make_plan(empty, there, prune=True)
    assert told(plan) == [
        "remove site oslo", "remove profile oslo", "remove template ssl", "remove person ola",
        "remove setting backup_days",
    ]  # fmt: skip
    assert (plan.stays, plan.sites_text, plan.profiles, plan.templates) == ((), "", {"oslo": None}, {"ssl": None})
    assert tomllib.loads(plan.settings_text) == tomllib.loads(SERVER)
    # a kind of which the files say nothing is nobody's matter here
    assert make_plan(Declared(), there, prune=True).changes == ()


def test_changes_are_told_by_what_differs() -> None:
    there = present(profiles={"oslo": profile("oslo")}, templates={"ssl": template("t", "a", "b")}, sites=[OSLO])
    text = TEXT.replace("Office", "Night").replace("8 Mbit", "9 Mbit") + "# x\n"
    declared = Declared(profiles={"oslo": profile("oslo", text)}, templates={"ssl": template("t", "a", "c")})
    keys = {str(one): [tuple(key) for key in one.keys] for one in make_plan(declared, there).changes}
    assert keys["profile oslo"] == [("name", '"Office"', '"Night"'), ("lines", "-2", "+3")]
    assert [key for key, _, _ in keys["template ssl"]] == ["item b", "item c"]


def test_a_setting_that_says_what_is_so_by_default_is_no_change() -> None:
    declared = Declared(settings={"rollout_template": "all-at-once", "retention": {"hot_months": 2}})
    assert make_plan(declared, present()).changes == ()
    plan = make_plan(Declared(settings={"retention": {"hot_months": 3}}), present())
    assert told(plan) == ["add setting retention"]
    assert [tuple(key) for key in plan.changes[0].keys] == [("hot_months", "", "3")]


def test_a_site_that_nothing_names_is_a_typing_error() -> None:
    declared = Declared(
        profiles={name: profile(name) for name in ("olso", "bergen", "auto-10.0.0.0/24")},
        people=[DeclaredPerson("nora", ("viewer",), ("olso",)), DeclaredPerson("ola", ("viewer",), ("gone",))],
    )
    there = present(
        sites=[OSLO], seen_sites=frozenset({"bergen"}), people=[PersonRow("ola", ("viewer",), ("gone",), (), 1.0, "r")]
    )
    with pytest.raises(UserError) as caught:
        make_plan(declared, there)
    assert caught.value.kind is FaultKind.BAD_INPUT
    profiles, people = caught.value.message.splitlines()
    assert profiles.startswith("profiles/olso.toml: no site 'olso' is known")
    assert people.startswith("people.toml: nora is limited to a site 'olso'")
    assert profiles.endswith("Did you mean 'oslo'?")
    # what was so before is no reason to stop
    there = present(profiles={"olso": profile("olso")})
    assert make_plan(Declared(profiles={"olso": profile("olso")}), there).changes == ()


def test_all_that_does_not_go_together_is_said_at_once() -> None:
    there = present(
        sites=[SiteEntry("inner", ["10.1.1.0/24"])],
        people=[PersonRow("ada", ("administrator",), (), (), 1.0, "root")],
    )
    declared = Declared(sites=[OSLO], people=[], profiles={"olso": profile("olso")})
    with pytest.raises(UserError) as caught:
        make_plan(declared, there, prune=True)
    assert len(caught.value.message.splitlines()) == 2  # the map is the files' own then
    with pytest.raises(UserError, match="with the sites that stay"):
        make_plan(declared, there)
