"""Every outcome of a delivery has words of its own."""

from typing import get_args

from seed_server.automation.webhook_sending import Outcome
from seed_server.automation.webhook_words import outcome_words
from seed_server.store.webhook_records import DeliveryRow

ROW = DeliveryRow(1, 1, "e1", 7, "rollout.started", 1.0, b"{}", "waiting", 0, 0.0, 1.0, 0.0, 0, "")


def test_every_outcome_has_words() -> None:
    said = [outcome_words(ROW._replace(outcome=outcome)) for outcome in get_args(Outcome)]
    assert all(said)
    assert len(set(said)) == len(said)
    assert outcome_words(ROW) == ""


def test_what_another_release_has_written_is_shown_as_text() -> None:
    assert "\u202e" not in outcome_words(ROW._replace(outcome="melted\u202e"))
