"""What is wrong in the files is said at once, each with its file and line."""

import re
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation import declared_layout
from seed_server.automation.declared import MAX_SHOWN_PROBLEMS, Declared, DeclaredPerson, parse_declared
from seed_server.automation.declared_files import DeclaredFiles
from seed_server.settings.server_toml import ServerSettings

PROFILE = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'
TEMPLATE = 'title = "OpenSSL"\n[[item]]\nlabel = "openssl"\nexpression = \'package("openssl") < version("3.0.17")\'\n'
PEOPLE = '[[person]]\nname = "Nora"\nroles = ["viewer", "operator"]\nsites = ["oslo", "bergen"]\n'


def files(**texts: str) -> DeclaredFiles:
    named = {name.replace("__", "/") + ".toml": text for name, text in texts.items()}
    return DeclaredFiles(named, {name.partition("/")[0] for name in named if "/" in name})


def problems(**texts: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        parse_declared(files(**texts))
    assert caught.value.kind is FaultKind.BAD_INPUT
    return caught.value.message.splitlines()


def test_what_the_files_say() -> None:
    declared = parse_declared(
        files(
            sites='[[site]]\nname = "oslo"\nnetworks = ["10.1.0.0/16"]\n',
            profiles__oslo=PROFILE,
            templates__ssl=TEMPLATE,
            people=PEOPLE,
            settings='rollout_template = "rings"\n[retention]\nhot_months = 3\n',
        )
    )
    assert [site.name for site in declared.sites or ()] == ["oslo"]
    assert {site: one.text for site, one in (declared.profiles or {}).items()} == {"oslo": PROFILE}
    assert {name: one.title for name, one in (declared.templates or {}).items()} == {"ssl": "OpenSSL"}
    assert declared.people == (DeclaredPerson("nora", ("viewer", "operator"), ("bergen", "oslo")),)
    assert declared.settings == {"rollout_template": "rings", "retention": {"hot_months": 3}}


def test_of_a_kind_without_a_file_nothing_is_said() -> None:
    assert parse_declared(files()) == Declared()
    assert parse_declared(DeclaredFiles({}, {"profiles"})) == Declared(profiles={})
    assert parse_declared(files(people="", sites="")) == Declared(people=(), sites=[])


def test_all_that_is_wrong_is_said_at_once_with_its_place() -> None:
    found = problems(
        sites='[[site]]\nname = "oslo"\nnetworks = ["10.1.0.1/16"]\n',
        profiles__oslo=PROFILE + "colour = 3\n",
        templates__ssl=TEMPLATE.replace("package", "packet"),
        people=PEOPLE.replace('"operator"', '"operater"') + '\n[[person]]\nname = "ola"\nrole = ["viewer"]\n',
        settings='rollout_tempate = "rings"\naddress = "x"\n[retention]\nhot_months = 0\n',
    )
    text = "\n".join(found)
    for words in (
        "sites.toml, line 3, column 13: site 'oslo': '10.1.0.1/16' is an address in '10.1.0.0/16'",
        "profiles/oslo.toml:6: ",
        "templates/ssl.toml, line 4",
        "people.toml, line 3, column 20: unknown",
        "did you mean 'operator'?",
        "people.toml, line 8, column 1: unknown key 'role'; did you mean 'roles'?",
        "settings.toml, line 1, column 1: unknown key 'rollout_tempate'; did you mean 'rollout_template'?",
        "settings.toml, line 2, column 1: address is the machine's, and not the fleet's",
        "settings.toml, line 4, column 14: retention, hot_months: 0 is not from 1 to 120.",
    ):
        assert words in text


def test_accounts_are_as_operations_make_them() -> None:
    found = problems(
        people='[[person]]\nname = "Ä"\nroles = ["viewer"]\n'
        '[[person]]\nname = "ola"\nroles = ["viewer"]\n[[person]]\nname = "Ola"\nroles = ["viewer"]\n'
        '[[person]]\nname = "eva"\nroles = ["administrator"]\nsites = ["oslo"]\n'
        '[[person]]\nname = "ida"\nroles = ["viewer"]\nsites = ["a b"]\n'
    )
    assert [line.partition(":")[0] for line in found] == [f"people.toml, line {n}, column 8" for n in (2, 8, 11, 15)]
    assert "ola is there twice" in found[1]
    assert "administrator of a part of the fleet" in found[2]


def test_a_password_is_no_key() -> None:
    assert "unknown key 'password'" in problems(people=PEOPLE + 'password = "correct horse battery"\n')[0]


def test_hostile_texts_are_refused() -> None:
    assert "nested" in problems(settings="a = " + "[" * 5_000 + "]" * 5_000)[0]
    assert "more than 64 parts" in problems(settings="a" + ".a" * 5_000 + " = 1")[0]
    assert "not valid TOML" in problems(people="[[person]]\nname = nora\n")[0]


def test_problems_are_shown_up_to_a_number() -> None:
    broken = {f"profiles__s{number:03}": "x" for number in range(MAX_SHOWN_PROBLEMS)}
    assert len(problems(**broken)) == MAX_SHOWN_PROBLEMS
    found = problems(**broken, profiles__t="x", profiles__u="x")
    assert len(found) == MAX_SHOWN_PROBLEMS + 1
    assert found[-1] == "… and 2 more."


def test_too_many_templates_are_refused() -> None:
    fits = {f"templates__t{number}": TEMPLATE for number in range(50)}
    assert len(parse_declared(files(**fits)).templates or {}) == 50
    assert "there are 51, and a PC takes 50" in problems(**fits, templates__more=TEMPLATE)[0]


def test_the_examples_of_the_page_are_what_is_read() -> None:
    page = (Path(__file__).parents[4] / "docs" / "automation.md").read_text(encoding="utf-8")
    texts = dict(re.findall(r"```toml\n# (\w+)\.toml\n(.*?)```", page, re.DOTALL))
    assert texts.keys() == {"people", "settings"}
    declared = parse_declared(files(**texts))
    assert [person.name for person in declared.people or ()] == ["ada", "nora"]
    assert declared.settings is not None
    for key in declared_layout.known_keys(ServerSettings.__struct_fields__):
        assert any(written in page for written in (f"`{key}`", f"`[{key}]`", f"`[[{key}]]`")), key
