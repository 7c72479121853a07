"""`seed_server.web.frame.languages`: which language a page is in."""

import pytest

from seed_server.web.frame.languages import MAX_ACCEPTED, language_for


@pytest.mark.parametrize(
    ("chosen", "accepted", "expected"),
    [
        (("ja", "en"), "en", "ja"),
        (("xx", "ja"), "en", "ja"),
        (("", ""), "ja,en;q=0.8", "ja"),
        (("", ""), "en-GB;q=0.5, ja-JP;q=0.9", "ja"),
        (("", ""), "fr, ja;q=0, en;q=0.1", "en"),
        (("", ""), "de-DE, *;q=0.1", "ja"),
        (("", ""), "", "ja"),
        (("", ""), ";;;q=,,q=x;ja", "ja"),
        (("", ""), "en;q=high", "ja"),
        (("", ""), ",".join(["fr"] * MAX_ACCEPTED) + ",en", "ja"),
    ],
)
def test_the_readers_choice_then_the_browsers_then_the_servers(
    chosen: tuple[str, ...], accepted: str, expected: str
) -> None:  # fmt: skip
    assert language_for(*chosen, accepted=accepted, default="ja") == expected
