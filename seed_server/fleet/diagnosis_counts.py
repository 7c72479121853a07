"""What PCs have answered to a diagnosis template: in counts, for which no PC is read for itself, and a page of PCs.

Blocking.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.template import Template, TemplateItem
from seed_server.fleet.context import Context
from seed_server.fleet.queries import no_template, read_all_templates
from seed_server.store.rows import AnsweringPc, DiagnosisCount

PcAnswer: TypeAlias = Literal["needed", "not_needed", "not_applicable", "unanswered"]


@dataclass(frozen=True)
class CountedItem:
    """One item of a template, and how many PCs gave which answer."""

    item: TemplateItem
    needed: int
    not_needed: int
    not_applicable: int
    unanswered: int
    """PCs that have not answered yet."""
    answered_at: float | None
    """When the last answer came; None: there is none."""


@dataclass(frozen=True)
class CountedTemplate:
    """A template, and what the fleet has answered."""

    template: Template
    items: Sequence[CountedItem]
    """In the order of the template."""


def count_answers(context: Context, name: str) -> CountedTemplate:
    """Return them; as `queries.read_findings`, which has each PC. Raises `UserError` (BAD_INPUT) for no template."""
    template = _template(context, name)
    with context.database() as database, database.one_state():
        counts, everyone = database.diagnosis_counts(name), database.endpoint_counts().everyone
    items = [_counted(item, [one for one in counts if one.label == item.label], everyone) for item in template.items]
    return CountedTemplate(template, items)


@dataclass(frozen=True)
class AnsweringPcs:
    """Some PCs that have given the same answer to one item."""

    template: Template
    item: TemplateItem
    rows: Sequence[AnsweringPc]
    after: int | None
    """What the next ones lie behind; None: there are no more."""


def read_answering(
    context: Context, name: str, label: str, answer: PcAnswer, *, most: int, after: int = 0
) -> AnsweringPcs:
    """Return the PCs behind one number of `count_answers`, by their numbers; ``after``: behind this one.

    ``label``: of an item; empty: the first one. Raises `UserError` (BAD_INPUT) for no such template or item.
    """
    template = _template(context, name)
    item = next((one for one in template.items if label in {"", one.label}), None)
    if item is None:
        labels = ", ".join(one.label for one in template.items)
        raise UserError(f"The template {name} has no item {label[:80]!r}. It has: {labels}", FaultKind.BAD_INPUT)
    with context.database() as database:
        if answer == "unanswered":
            found = database.pcs_without_answer(name, item.label, after=after, limit=most + 1)
        else:
            needed = {"needed": True, "not_needed": False, "not_applicable": None}[answer]
            found = database.pcs_that_answered(name, item.label, needed, after=after, limit=most + 1)
    rows = found[:most]
    return AnsweringPcs(template, item, rows, rows[-1].number if len(found) > most else None)


def _template(context: Context, name: str) -> Template:
    template = next((one for one in read_all_templates(context) if one.name == name), None)
    if template is None:
        raise no_template(name)
    return template


def _counted(item: TemplateItem, counts: Iterable[DiagnosisCount], everyone: int) -> CountedItem:
    by_answer = {one.needed: one for one in counts}
    needed, not_needed, neither = (
        by_answer[answer].endpoints if answer in by_answer else 0 for answer in (True, False, None)
    )
    unanswered = max(0, everyone - needed - not_needed - neither)
    last = max((one.at for one in by_answer.values()), default=None)
    return CountedItem(item, needed, not_needed, neither, unanswered, last)
