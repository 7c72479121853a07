"""`p2pdist.agent.wording`: what is told, when, in which language, and which buttons do what they say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from p2pdist.agent.wording import LEAD_SECONDS, Button, UserNotice, deferred_words, notices_of
from p2pdist.local_api.install_answers import ComingInstall, ComingRestart, Deferred, NoticesAnswer
from p2pdist.shared.language import use

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOW = NOON.timestamp()
INSTALL = ComingInstall(
    id="acme-office", version="2", title="Acme Office", titles={"ja": "アクメ オフィス"}, begins_at=None, overdue=False,
    deferred=False, later_until=(NOON + timedelta(hours=4)).timestamp(), later_refusal="", may_restart=False,
)  # fmt: skip
RESTART = ComingRestart(
    id="acme-office", version="2", title="Acme Office", titles={}, by_itself=False, begins_at=None, announced=False
)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    use("en")


def notice(*installs: ComingInstall, restarts: tuple[ComingRestart, ...] = ()) -> UserNotice:
    (one,) = notices_of(NoticesAnswer(list(installs), list(restarts)), NOW, UTC)
    return one


def test_a_title_not_an_id_and_until_when_later_is() -> None:
    told = notice(INSTALL)
    assert (told.summary, told.body) == ("Acme Office will be installed", "It is installed as soon as it is ready.")
    assert told.buttons == {Button.LATER: "Later: 2026-11-25 16:00"}
    assert notice(replace(INSTALL, title="", titles={})).summary == "acme-office 2 will be installed"


def test_now_is_there_where_it_does_something() -> None:
    """It ends a deferral; before a window opens, nothing lets it begin."""
    told = notice(replace(INSTALL, deferred=True, begins_at=NOW + 60))
    assert told.buttons == {Button.NOW: "Now", Button.LATER: "Later: 2026-11-25 16:00"}
    assert told.body == "It is installed at 2026-11-25 12:01."


def test_where_it_cannot_be_put_off_the_text_says_why_and_no_button_says_later() -> None:
    told = notice(replace(INSTALL, later_until=None, later_refusal="An emergency cannot be deferred.", overdue=True))
    assert told.body.endswith("Its deadline is over: save your work. An emergency cannot be deferred.")
    assert (told.buttons, told.urgent) == ({Button.OK: "OK"}, True)


def test_nothing_is_told_hours_before() -> None:
    assert notices_of(NoticesAnswer([replace(INSTALL, begins_at=NOW + LEAD_SECONDS + 1)], []), NOW) == []
    assert notices_of(NoticesAnswer([replace(INSTALL, begins_at=NOW + LEAD_SECONDS)], []), NOW) != []
    assert notices_of(NoticesAnswer([], []), NOW) == []


def test_restarts() -> None:
    asked = notice(restarts=(RESTART,))
    assert (asked.body, asked.urgent) == ("Restart this PC to finish Acme Office.", False)
    assert asked.buttons == {Button.RESTART: "Restart now", Button.OK: "Later"}
    itself = notice(restarts=(replace(RESTART, by_itself=True, begins_at=NOW + 300, announced=True),))
    assert itself.body == (
        "This PC restarts by itself at 2026-11-25 12:05 at the latest to finish Acme Office. "
        "Save your work: this cannot be put off."
    )
    assert itself.buttons == {Button.RESTART: "Restart now", Button.OK: "OK"}
    assert itself.urgent
    unknown = notice(restarts=(replace(RESTART, by_itself=True),))
    assert unknown.body.startswith("This PC restarts by itself to finish Acme Office.")


def test_a_countdown_is_one_event_whatever_it_shows() -> None:
    at = [notice(restarts=(replace(RESTART, by_itself=True, begins_at=NOW + n, announced=True),)) for n in (0, 400)]
    assert at[0].event == at[1].event


def test_in_japanese_with_the_japanese_title() -> None:
    use("ja")
    told = notice(replace(INSTALL, may_restart=True, later_until=None, later_refusal="It cannot be deferred."))
    assert told.summary.startswith("アクメ オフィス")
    words = (told.summary, told.body, *told.buttons.values(), notice(restarts=(RESTART,)).body)
    for text in words[:2] + words[3:]:
        assert any("\u3040" <= sign <= "\u30ff" for sign in text), text
    assert "will be" not in told.summary
    assert "It " not in told.body


def test_a_title_is_one_line_of_visible_signs_whatever_its_publisher_wrote() -> None:
    told = notice(replace(INSTALL, title="a\x1b[31m\u202eb\nc", titles={}))
    assert told.summary == "a?[31m?b?c will be installed"


def test_what_pressing_later_has_come_to() -> None:
    answer = Deferred("a", "1", until=(NOON + timedelta(hours=1)).timestamp(), deferrals_left=1, note="That is less.")
    assert deferred_words(answer, UTC) == (
        "It waits until 2026-11-25 13:00. That is less. It can be deferred 1 more time."
    )
    last = deferred_words(replace(answer, deferrals_left=0, note=""), UTC)
    assert last == "It waits until 2026-11-25 13:00. That was the last time."
