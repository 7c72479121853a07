"""`docs/doctor.md` has a section for each check, and `p2pdist.doctor` makes and tests them all."""

import re
from typing import get_args

from p2pdist.doctor.judgement import CHECKS
from p2pdist.local_api.doctor_answers import CheckCode
from tests.helpers.sources import ROOT

CODES = get_args(CheckCode)


def test_every_check_has_a_section_in_the_order_in_which_it_is_shown() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == [*CHECKS, "reported"]


def test_every_code_is_a_check() -> None:
    assert set(CODES) == {*CHECKS, "reported"}
    assert len(set(CODES)) == len(CODES)


def test_every_code_is_named_by_a_test() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests/unit/p2pdist/doctor").glob("test_*.py"))
    assert [code for code in CODES if f'"{code}"' not in tests] == []
