"""Warnings about a recipe's times: what fits into none of its windows, and deadlines that are over or near. Pure."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from bandwidth.core.quantities import duration_in_words
from p2pdist.shared.manifest.fitting import (
    LATE_START,
    RESTART_NOTICE,
    longest_installation,
    longest_opening,
)
from p2pdist.shared.manifest.recipe import ScheduleRules, end_of_day
from p2pdist.shared.manifest.windows import parse_window
from seed_server.publishing.recipe import Recipe

_FURTHEST_ZONE = timedelta(hours=14)  # a time without an offset is over everywhere when it is over there
_SOON = timedelta(days=1)  # most PCs meet no window until then


def schedule_doubts(
    recipe: Recipe, now: float, is_read: Callable[..., bool] = lambda *_path: True
) -> Iterator[tuple[str, str]]:
    """Return the doubts about ``recipe``'s schedule: the key, and the text. ``now`` is in seconds since 1970.

    ``is_read``: as in `recipe_doubts`. What is no time or window is an error of its own, and left out here.
    """
    rules = recipe.schedule
    if rules.emergency and rules.windows:
        yield "schedule, windows", "an emergency waits for no window; leave one of the two out"
    if rules.reboot == "window" and not rules.windows and is_read("schedule", "windows"):
        yield (
            "schedule, reboot",
            f"there is no window to restart in, so a PC restarts at once, {_words(RESTART_NOTICE)} after a notice",
        )
    needed = (("schedule", "emergency"), ("schedule", "deadline"), ("install",), ("health",))
    if all(is_read(*path) for path in needed):
        yield from _of_fitting(recipe)
    yield from _of_deadline(rules, datetime.fromtimestamp(now, UTC))
    not_before, deadline = _begin(rules.not_before), _end(rules.deadline)
    if not_before is not None and deadline is not None and not_before >= deadline:
        yield "schedule, not_before", f"{rules.not_before} is not before the deadline, {rules.deadline}"


def _of_fitting(recipe: Recipe) -> Iterator[tuple[str, str]]:
    rules = recipe.schedule
    if not rules.windows or rules.emergency:
        return
    try:
        is_open = longest_opening([parse_window(text) for text in rules.windows])
    except ValueError:
        return
    needs = timedelta(0) if recipe.install is None else longest_installation(recipe.install, recipe.health)
    if needs + LATE_START > is_open:
        then = "PCs would never begin" if rules.deadline is None else "PCs would wait for the deadline"
        text = (
            f"they are open for {_words(is_open)}, and it may take {_words(needs)}, so {then}: what might not end in "
            f"time is not begun, and a PC may be {_words(LATE_START)} late; lower timeout_seconds or widen the windows"
        )
        yield "schedule, windows", text
    restart = RESTART_NOTICE + LATE_START
    if rules.reboot == "window" and restart > is_open:
        text = f"the windows are open for {_words(is_open)}, and a restart needs {_words(restart)}; widen them"
        yield "schedule, reboot", text


def _of_deadline(rules: ScheduleRules, now: datetime) -> Iterator[tuple[str, str]]:
    deadline = _end(rules.deadline)
    if deadline is None:
        return
    slack = timedelta() if _is_exact(rules.deadline) else _FURTHEST_ZONE
    if deadline < now - slack:
        yield "schedule, deadline", f"{rules.deadline} is over: PCs install it as soon as they have it, at any hour"
    elif deadline < now + _SOON + slack:
        text = f"{rules.deadline} is less than a day away, or has begun already: then PCs install it while people work"
        yield "schedule, deadline", text


def _begin(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _end(text: str | None) -> datetime | None:
    return _begin(text and end_of_day(text))


def _is_exact(text: str | None) -> bool:
    return text is not None and datetime.fromisoformat(text).tzinfo is not None


def _words(length: timedelta) -> str:
    return duration_in_words(length.total_seconds())
