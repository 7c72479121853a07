"""docs/people.md has the roles of the code."""

from bench.roles_table import PAGE, page_with_table
from seed_server.fleet.api_token_operations import MAX_API_TOKEN_DAYS
from seed_server.fleet.login_wait import FREE_FAILURES, LONGEST_LOGIN_WAIT_SECONDS
from seed_server.fleet.passwords import MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS


def test_the_table_of_roles_is_the_codes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_with_table(page) == page, "python -m bench.roles_table"


def test_the_numbers_of_the_page_are_the_codes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"{MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters" in page
    assert (FREE_FAILURES, LONGEST_LOGIN_WAIT_SECONDS, MAX_API_TOKEN_DAYS) == (5, 300.0, 365)
    for words in ("Five wrong attempts are free", "up to five minutes", "ends within a year"):
        assert words in page
