from collections import Counter

import msgspec
import pytest

from bench.delta.cases import (
    BESIDE_BUSINESS,
    DEEP,
    ONE_DECODES,
    ONE_DOES_NOT,
    PCS,
    Case,
    all_cases,
    fingerprint,
    whole,
    without,
)
from bench.delta.pairs import PAIRS, pair_named


def test_every_pair_runs_with_one_pc_that_has_the_former_version_with_none_and_whole() -> None:
    cases = all_cases()
    for make in (Case, without, whole):
        assert {case.pair for case in cases if case == make(case.pair)} == {pair.name for pair in PAIRS}
    for name in DEEP:
        assert {case.holders for case in cases if (case.pair, case.pcs, case.way) == (name, PCS, "coded")} == {
            0, 1, 4, 8,
        }  # fmt: skip
    assert {ONE_DECODES, ONE_DOES_NOT, BESIDE_BUSINESS} <= set(cases)


def test_no_two_cases_share_a_name() -> None:
    assert max(Counter(case.name for case in all_cases()).values()) == 1


def test_some_pairs_have_their_own_cases_alone() -> None:
    assert [case.name for case in all_cases([pair_named("numpy")])] == [
        "numpy, 1 of 8",
        "numpy, 0 of 8",
        "numpy, 0 of 8, whole",
    ]


def test_a_run_of_another_definition_does_not_count() -> None:
    case = Case("numpy")
    marks = {fingerprint(case), fingerprint(Case("numpy", 4)), fingerprint(Case("botocore"))}
    assert len(marks) == 3
    assert fingerprint(msgspec.json.decode(msgspec.json.encode(case), type=Case)) == fingerprint(case)


def test_there_is_no_such_pair() -> None:
    with pytest.raises(LookupError, match="nompy"):
        pair_named("nompy")
