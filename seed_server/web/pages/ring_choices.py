"""Which templates of rings a page may name: shipped ones, and those that the server's settings name. Blocking."""

from collections.abc import Sequence

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words
from seed_server.fleet import rollout_queries
from seed_server.fleet.context import Context
from seed_server.fleet.ring_templates import RingTemplate
from seed_server.fleet.shipped_rings import SHIPPED_RINGS


def templates_of(context: Context) -> list[tuple[str, str]]:
    """Return the templates with rings that a page may name, each with what people read: shipped ones and the server's.

    A file that only a path names is none of them: who looks at a page does not choose among the server's files.
    """
    found = []
    for name in dict.fromkeys((*SHIPPED_RINGS, *_named_in_settings(context))):
        template = rollout_queries.ring_template(name)
        if not template.at_once:
            found.append((name, f"{template.name}: {in_words(template.title)}"))
    return found


def shipped_template(context: Context, name: str) -> RingTemplate:
    """Return a template that a page may name. Raises `UserError` (BAD_INPUT) for any other."""
    if name not in {*SHIPPED_RINGS, *_named_in_settings(context)}:
        raise UserError(
            f"There is no template {name[:80]!r} for pages. There are the shipped ones, and those that "
            "rollout_template and emergency_template in server.toml name.",
            FaultKind.BAD_INPUT,
        )
    return rollout_queries.ring_template(name)


def _named_in_settings(context: Context) -> Sequence[str]:
    settings = context.settings()
    return [one for one in (settings.rollout_template, settings.emergency_template) if one]
