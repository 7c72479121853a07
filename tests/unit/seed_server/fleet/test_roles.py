"""Scopes, and what an expression reaches: never less than the PCs that it holds for."""

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.expression import AllOf, AnyOf, Comparison, Constant, Fact, Not, Term, parse_expression
from p2pdist.shared.manifest.facts import Facts, FactType
from seed_server.fleet.roles import (
    NO_PC,
    WHOLE_FLEET,
    WHOLE_SCOPE,
    Area,
    PersonScope,
    common_scope,
    reach_of,
)

SITES, TAGS = ("oslo", "bergen", ""), ("kiosk", "hall")


def kiosk(*tags: str) -> frozenset[str]:
    return frozenset(tags)


def test_what_an_expression_reaches() -> None:
    cases = {
        'site == "oslo"': (Area("oslo"),),
        '"kiosk" in tags': (Area(tags=kiosk("kiosk")),),
        'site in ("oslo", "bergen")': (Area("oslo"), Area("bergen")),
        'site == "oslo" and arch == "amd64"': (Area("oslo"),),
        'site == "oslo" and "kiosk" in tags': (Area("oslo", kiosk("kiosk")),),
        'site == "oslo" or "kiosk" in tags': (Area("oslo"), Area(tags=kiosk("kiosk"))),
        'site == "oslo" or arch == "amd64"': (Area("oslo"), Area()),
        'site == "oslo" and site == "bergen"': NO_PC,
        'not site == "oslo"': WHOLE_FLEET,
        'site != "oslo"': WHOLE_FLEET,
        "false": NO_PC,
        "true": WHOLE_FLEET,
        'arch == "amd64"': WHOLE_FLEET,
    }
    assert {text: reach_of(parse_expression(text)) for text in cases} == cases
    assert reach_of(None) == WHOLE_FLEET


def test_a_long_expression_has_a_reach_that_is_not_long() -> None:
    one_of = "(" + ", ".join(f'"s{number}"' for number in range(60)) + ")"
    text = f"site in {one_of} and site in {one_of} and site in {one_of}"
    assert len(reach_of(parse_expression(text))) <= 60


terms: st.SearchStrategy[Term] = st.recursive(
    st.one_of(
        st.sampled_from([Comparison(Fact("site"), "==", Constant(site, FactType.TEXT)) for site in SITES]),
        st.sampled_from([Comparison(Fact("site"), "!=", Constant(site, FactType.TEXT)) for site in SITES]),
        st.just(Comparison(Fact("site"), "in", Constant(("oslo", "bergen"), FactType.TEXTS))),
        st.sampled_from([Comparison(Fact("tags"), "has", Constant(tag, FactType.TEXT)) for tag in TAGS]),
        st.sampled_from([Constant(value, FactType.TRUTH) for value in (True, False)]),
    ),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda found: AllOf(tuple(found))),
        st.lists(inner, min_size=1, max_size=3).map(lambda found: AnyOf(tuple(found))),
    ),
    max_leaves=12,
)
scopes = st.builds(
    PersonScope, st.frozensets(st.sampled_from(["oslo", "bergen"])), st.frozensets(st.sampled_from(TAGS))
)
pcs = st.tuples(st.sampled_from(SITES), st.frozensets(st.sampled_from(TAGS)))


def has(scope: PersonScope, pc: tuple[str, frozenset[str]]) -> bool:
    return not scope.limited or pc[0] in scope.sites or bool(pc[1] & scope.tags)


@given(terms, scopes, pcs)
def test_no_pc_outside_a_scope_is_reached_by_an_expression_that_the_scope_holds(
    term: Term, scope: PersonScope, pc: tuple[str, frozenset[str]]
) -> None:
    facts = Facts({"site": pc[0], "tags": tuple(sorted(pc[1]))})
    if scope.holds(reach_of(term)) and evaluate(term, facts).applies:
        assert has(scope, pc)


@given(scopes, scopes, pcs)
def test_a_common_scope_is_within_both(one: PersonScope, other: PersonScope, pc: tuple[str, frozenset[str]]) -> None:
    common = common_scope(one, other)
    if has(common, pc):
        assert has(one, pc)
        assert has(other, pc)
    assert common_scope(one, WHOLE_SCOPE) == one == common_scope(WHOLE_SCOPE, one)


@given(scopes, scopes, pcs)
def test_a_scope_within_another_has_no_pc_beside_it(
    one: PersonScope, other: PersonScope, pc: tuple[str, frozenset[str]]
) -> None:
    if one.within(other) and has(one, pc):
        assert has(other, pc)


def test_scopes_in_words() -> None:
    assert str(PersonScope(frozenset({"oslo"}), frozenset({"kiosk"}))) == "site oslo, tag kiosk"
    assert str(WHOLE_SCOPE) == "the whole fleet"
