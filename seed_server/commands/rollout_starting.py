"""What is said of a rollout that has begun."""

from p2pdist.shared.console import say
from seed_server.fleet.rollout_operations import StartedRollout
from seed_server.reporting.rollout_sentences import started_sentences


def say_started(started: StartedRollout | None) -> None:
    """Say which rollout has begun, how many PCs its rings have, and who has to approve it; nothing where none has."""
    for sentence in () if started is None else started_sentences(started):
        say(sentence)
