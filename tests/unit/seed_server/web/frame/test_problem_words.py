"""`seed_server.web.frame.problem_words`: a title for every problem, and what to do."""

import pytest

from seed_server.web.api.problems import PROBLEM_KINDS
from seed_server.web.frame.problem_words import PAGE_PROBLEMS, PageProblemError, problem_remedy, problem_title


@pytest.mark.parametrize("name", [*PROBLEM_KINDS, *PAGE_PROBLEMS])
def test_each_problem_has_a_title(name: str) -> None:
    assert problem_title(name)
    assert isinstance(problem_remedy(name), str)


def test_problems_of_pages_are_none_of_the_apis() -> None:
    assert not PROBLEM_KINDS.keys() & PAGE_PROBLEMS.keys()
    assert PageProblemError("form-not-ours", "x").kind.status == 403
