"""What is wrong in a text that somebody types is told at its line, with the line beside it."""

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.ring_templates import RingTemplate, parse_ring_template
from seed_server.web.pages.drafts import Draft, DraftProblem, draft_of

MOST = 1_000


def _draft(text: str) -> Draft[RingTemplate]:
    return draft_of(text, MOST, lambda one: parse_ring_template(one, "x", source="x.toml"))


def test_a_text_that_is_right_has_a_value_and_no_problem() -> None:
    draft = _draft('title = "at once"')
    assert draft.value is not None
    assert (draft.value.title, draft.problems) == ("at once", ())


def test_each_problem_has_its_line() -> None:
    draft = _draft('titel = "x"\n\n[[ring]]\nname = 7\nsoak = "1h"\nsuccess = 900\nfailure = 1\n')
    assert draft.value is None
    assert [(one.line, one.shown) for one in draft.problems if one.shown] == [
        (1, 'titel = "x"'), (4, "name = 7"), (6, "success = 900"),
    ]  # fmt: skip


def test_what_is_no_toml_is_told_at_its_line_too() -> None:
    (problem,) = _draft('title = "x"\n[[ring\n').problems
    assert (problem.line, problem.shown) == (2, "[[ring")


def test_the_cap_is_in_bytes() -> None:
    assert _draft('title = "x"' + "#" * (MOST - 11)).value is not None
    for text in ('title = "x"' + "#" * (MOST - 10), "あ" * 334, "\ud800" * 2_000):
        assert _draft(text).problems == (DraftProblem("It has over 0 KiB."),)


def test_another_error_is_told_as_it_is() -> None:
    def fail(_: str) -> None:
        raise UserError("No.", FaultKind.BAD_INPUT)

    assert draft_of("x", MOST, fail).problems == (DraftProblem("No."),)
