"""What PCs have answered to a diagnosis template, in counts: no PC is read for itself. Blocking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from p2pdist.shared.manifest.template import Template, TemplateItem
from seed_server.fleet.context import Context
from seed_server.fleet.queries import no_template, read_all_templates
from seed_server.store.rows import DiagnosisCount


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
    template = next((one for one in read_all_templates(context) if one.name == name), None)
    if template is None:
        raise no_template(name)
    with context.database() as database, database.one_state():
        counts, everyone = database.diagnosis_counts(name), database.endpoint_counts().everyone
    items = [_counted(item, [one for one in counts if one.label == item.label], everyone) for item in template.items]
    return CountedTemplate(template, items)


def _counted(item: TemplateItem, counts: Iterable[DiagnosisCount], everyone: int) -> CountedItem:
    by_answer = {one.needed: one for one in counts}
    needed, not_needed, neither = (
        by_answer[answer].endpoints if answer in by_answer else 0 for answer in (True, False, None)
    )
    unanswered = max(0, everyone - needed - not_needed - neither)
    last = max((one.at for one in by_answer.values()), default=None)
    return CountedItem(item, needed, not_needed, neither, unanswered, last)
