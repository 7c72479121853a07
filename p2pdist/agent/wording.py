"""What the user is told, in words of the session's language, and which buttons it has. Pure.

A button is there only where it does what it says: "now" ends a deferral, "later" puts off within what the publisher
allows, "restart" asks the system in the user's own name. What no button can change, the text says.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from p2pdist.local_api.install_answers import ComingInstall, ComingRestart, Deferred, NoticesAnswer
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.language import in_language, in_words, tr, trn
from p2pdist.shared.printable_text import printable

LEAD_SECONDS = 900.0  # before it begins: time to save one's work, and not so early that it is forgotten


class Button(enum.StrEnum):
    """What a user may press."""

    NOW = "now"
    LATER = "later"
    RESTART = "restart"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """What a notice is about; told once."""

    kind: str
    ref: PatchRef
    begins_at: float | None
    """In seconds since 1970; None: at no time that is known."""


@dataclass(frozen=True, slots=True)
class UserNotice:
    """One notification."""

    event: ToldEvent
    summary: str
    body: str
    buttons: Mapping[Button, str]
    """What stands on each."""
    urgent: bool = False
    """Whether it stays until it is pressed."""


def notices_of(answer: NoticesAnswer, now: float, zone: tzinfo | None = None) -> list[UserNotice]:
    """Return what is to be told now; ``zone``: of the clock that the user reads, None for the system's."""
    soon = [one for one in answer.installs if one.begins_at is None or one.begins_at <= now + LEAD_SECONDS]
    return [*(_install(one, zone) for one in soon), *(_restart(one, zone) for one in answer.restarts)]


def _install(one: ComingInstall, zone: tzinfo | None) -> UserNotice:
    title, event = title_of(one), ToldEvent("install", PatchRef(one.id, one.version), one.begins_at)
    when = tr("It is installed as soon as it is ready.")
    if one.begins_at is not None:
        when = tr("It is installed at {time}.", time=clock(one.begins_at, zone))
    words = [when]
    if one.overdue:
        words.append(tr("Its deadline is over: save your work."))
    if one.may_restart:
        words.append(tr("It may need a restart."))
    buttons: dict[Button, str] = {Button.NOW: tr("Now")} if one.deferred else {}
    if one.later_until is not None:
        buttons[Button.LATER] = tr("Later: {time}", time=clock(one.later_until, zone))
    else:
        words.append(in_words(one.later_refusal))
        buttons.setdefault(Button.OK, tr("OK"))
    summary = tr("{title} will be installed", title=title)
    return UserNotice(event, summary, " ".join(words), buttons, urgent=one.overdue)


def _restart(one: ComingRestart, zone: tzinfo | None) -> UserNotice:
    title, ref = title_of(one), PatchRef(one.id, one.version)
    buttons = {Button.RESTART: tr("Restart now")}
    if not one.by_itself:
        body = tr("Restart this PC to finish {title}.", title=title)
        return UserNotice(
            ToldEvent("restart", ref, None), tr("A restart is needed"), body, {**buttons, Button.OK: tr("Later")}
        )
    body = tr("This PC restarts by itself to finish {title}.", title=title)
    if one.begins_at is not None:
        time = clock(one.begins_at, zone)
        body = tr("This PC restarts by itself at {time} at the latest to finish {title}.", time=time, title=title)
    body = f"{body} {tr('Save your work: this cannot be put off.')}"
    kind = "announced restart" if one.announced else "restart by itself"
    at = None if one.announced else one.begins_at  # the countdown has begun: it is one event, whatever it shows
    return UserNotice(
        ToldEvent(kind, ref, at), tr("This PC restarts"), body, {**buttons, Button.OK: tr("OK")}, urgent=True
    )


def deferred_words(answer: Deferred, zone: tzinfo | None = None) -> str:
    """Return what has become of pressing "later"."""
    words = [tr("It waits until {time}.", time=clock(answer.until, zone)), in_words(answer.note)]
    if answer.deferrals_left:
        left = answer.deferrals_left
        words.append(trn("It can be deferred {number} more time.", "It can be deferred {number} more times.", left))
    else:
        words.append(tr("That was the last time."))
    return " ".join(word for word in words if word)


def title_of(one: ComingInstall | ComingRestart | Deferred) -> str:
    """Return the patch's title in the session's language; its id and version where it has none."""
    return printable(in_language(one.title, one.titles)) or f"{one.id} {one.version}"


def clock(at: float, zone: tzinfo | None) -> str:
    """Return a moment on the user's clock."""
    return f"{datetime.fromtimestamp(at).astimezone(zone):%Y-%m-%d %H:%M}"
