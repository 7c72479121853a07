from bench.delta.cases import BESIDE_BUSINESS, ONE_DOES_NOT, Case, whole
from bench.delta.measure import options_of, scenario_of
from bench.lab.scenario import VOIP, WEB


def test_what_was_before_is_published_as_it_is_shipped() -> None:
    assert options_of(Case("numpy")) == ("--repack",)
    assert options_of(whole("numpy")) == ()
    assert options_of(ONE_DOES_NOT) == ()


def test_business_is_there_where_the_case_wants_it() -> None:
    assert scenario_of(BESIDE_BUSINESS, 1).business == (VOIP, WEB)
    assert not scenario_of(Case("numpy"), 1).has_business
