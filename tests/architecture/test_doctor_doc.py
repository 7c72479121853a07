"""`docs/doctor.md` has a section for each check of both doctors, which make and test them all."""

import re
from typing import get_args

from p2pdist.doctor.judgement import CHECKS
from p2pdist.local_api.doctor_answers import CheckCode
from seed_server.answers.doctor import ServerCode, SiteCode
from seed_server.answers.site_findings import SITE_CHECKS
from seed_server.doctor.server_findings import SERVER_CHECKS
from tests.helpers.sources import ROOT

PC, SERVER, SITE = get_args(CheckCode), get_args(ServerCode), get_args(SiteCode)


def sections(command: str) -> list[str]:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    part = page.partition(f"# `{command}`\n")[2].partition("\n# `")[0]
    return re.findall(r"^## (.+)$", part, re.MULTILINE)


def unnamed(codes: tuple[str, ...], tests: str) -> list[str]:
    texts = "".join(path.read_text() for path in (ROOT / tests).glob("test_*.py"))
    return [code for code in codes if f'"{code}"' not in texts]


def test_every_check_has_a_section_in_the_order_in_which_it_is_shown() -> None:
    assert sections("p2pdist doctor") == [*CHECKS, "reported"]
    assert sections("seed-server doctor") == [*SERVER_CHECKS]
    assert sections("seed-server doctor --site") == [*SITE_CHECKS]


def test_every_code_is_a_check() -> None:
    assert set(PC) == {*CHECKS, "reported"}
    assert (set(SERVER), set(SITE)) == ({*SERVER_CHECKS}, {*SITE_CHECKS})
    assert len({*PC, *SERVER, *SITE}) == len(PC) + len(SERVER) + len(SITE)


def test_every_code_is_named_by_a_test() -> None:
    assert unnamed(PC, "tests/unit/p2pdist/doctor") == []
    assert unnamed(SERVER, "tests/unit/seed_server/doctor") == []
    assert unnamed(SITE, "tests/unit/seed_server/answers") == []
