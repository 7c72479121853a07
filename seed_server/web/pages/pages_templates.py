"""The pages *templates* and *template*: by which rings patches are rolled out; and a file that is tried.

A template that a company writes is a file, which commands and ``server.toml`` name. What somebody types here is checked
as those check it, drawn, and given back as a file: nothing of it is kept on the server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.manifest.rollout_plan import PlannedRing
from seed_server.fleet.queries import read_all_templates
from seed_server.fleet.ring_template_queries import KnownTemplate, read_ring_template, ring_templates
from seed_server.fleet.ring_templates import MAX_RING_TEMPLATE_BYTES, RingTemplate, parse_ring_template
from seed_server.web.api.given import Body, Given, MaybeName, Named
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import Asked, FileAnswer, Form, Page, Sent, Shown
from seed_server.web.pages.drafts import Draft, draft_of
from seed_server.web.pages.ring_picture import earliest, rings_picture, share_words

ROWS_OF_ROLLOUTS = 20
RINGS_FILE = "rings.toml"
MAX_RINGS_FORM_BYTES = 9 * MAX_RING_TEMPLATE_BYTES  # a sign of Japanese is sent as nine


@dataclass(frozen=True)
class DrawnRings:
    """Rings, and what is said of them."""

    template: RingTemplate
    svg: str
    """Empty: there are no rings."""
    rows: Sequence[tuple[PlannedRing, float, str]]
    """Each ring with in how many seconds it opens at the earliest, and who is in it."""
    whole_seconds: float
    """Until the last one has soaked, at the earliest."""

    @classmethod
    def of(cls, template: RingTemplate) -> "DrawnRings":
        """Draw a template."""
        rings, moments = template.rings, earliest(template.rings)
        rows = [(ring, moments[place], share_words(ring)) for place, ring in enumerate(rings)]
        return cls(template, rings_picture(rings) if rings else "", rows, moments[-1])


@dataclass(frozen=True)
class ListedTemplate:
    """A row of the list."""

    known: KnownTemplate
    title: str
    """Empty: it has none, or cannot be read."""
    whole_seconds: float | None
    """None: there are no rings, or they cannot be read."""


def _templates(asked: Asked[Nothing]) -> Shown:
    found = ring_templates(asked.context)
    rows = [
        ListedTemplate(
            one,
            in_words(one.template.title) if one.template else "",
            earliest(one.template.rings)[-1] if one.template and one.template.rings else None,
        )
        for one in found
    ]
    return Shown(tr("Templates"), {"templates": rows, "diagnosis": read_all_templates(asked.context)})


def _template(asked: Asked[Named]) -> Shown:
    known = read_ring_template(asked.context, asked.given.name)
    if known is None:
        raise ApiProblemError("no-such-thing", tr("There is no template {name}.", name=asked.given.name[:80]))
    values = {
        "known": known,
        "drawn": None if known.template is None else DrawnRings.of(known.template),
        "rollouts": known.rollouts[:ROWS_OF_ROLLOUTS],
        "more_rollouts": max(0, len(known.rollouts) - ROWS_OF_ROLLOUTS),
    }
    title = in_words(known.template.title) if known.template and known.template.title else known.name
    return Shown(title, values)


def _template_file(asked: Asked[Named]) -> FileAnswer:
    known = read_ring_template(asked.context, asked.given.name)
    if known is None or not known.text:
        raise ApiProblemError("no-such-thing", tr("There is no template {name}.", name=asked.given.name[:80]))
    name = f"{known.name}.toml" if known.shipped else Path(known.file).name
    safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in name)
    return FileAnswer(safe, "application/toml", known.text.encode())


# --- a file that is tried ----------------------------------------------------------------


class OfDraft(Given, frozen=True):
    """With what the text begins."""

    start: Annotated[MaybeName, Meta(description="A template to begin with.")] = ""


class DraftRings(Body, frozen=True):
    """A template as somebody types it."""

    text: Annotated[str, Meta(max_length=MAX_RING_TEMPLATE_BYTES)] = ""


def checked_draft(text: str) -> Draft[RingTemplate]:
    """Return what a text says, or all that is wrong with it, as `rollout start --template FILE` finds it."""
    return draft_of(
        text, MAX_RING_TEMPLATE_BYTES, lambda one: parse_ring_template(one, Path(RINGS_FILE).stem, source=RINGS_FILE)
    )


def _draft_values(text: str) -> dict[str, Any]:
    draft = checked_draft(text)
    drawn = None if draft.value is None else DrawnRings.of(draft.value)
    return {"text": text, "draft": draft, "drawn": drawn, "file": RINGS_FILE}


def _draft(asked: Asked[OfDraft]) -> Shown:
    known = read_ring_template(asked.context, asked.given.start or "rings")
    text = "" if known is None else known.text
    return Shown(tr("Try rings"), _draft_values(text))


def _check_draft(sent: Sent[Nothing, DraftRings]) -> Shown:
    return Shown(tr("Try rings"), _draft_values(sent.body.text))


def _download_draft(sent: Sent[Nothing, DraftRings]) -> FileAnswer | Shown:
    if checked_draft(sent.body.text).value is None:
        return _check_draft(sent)
    return FileAnswer(RINGS_FILE, "application/toml", sent.body.text.encode())


TEMPLATE_PAGES = (
    Page("/templates", "templates", _templates, Nothing),
    Page("/templates/{name}", "template", _template, Named),
    Page("/templates/{name}/file", "template_file", _template_file, Named),
    Page("/rings", "rings_draft", _draft, OfDraft),
)
TEMPLATE_FORMS = (
    Form("/rings", "check-rings", _check_draft, Nothing, DraftRings, "", "rings_draft",
         most_bytes=MAX_RINGS_FORM_BYTES),
    Form("/rings/file", "download-rings", _download_draft, Nothing, DraftRings, "", "rings_draft",
         most_bytes=MAX_RINGS_FORM_BYTES),
)  # fmt: skip
