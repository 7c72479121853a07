"""A publication that is offered by rings: its rollout begins with it."""

from p2pdist.shared.console import say
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.commands.options import actor_of
from seed_server.fleet import rollout_operations
from seed_server.fleet.context import Context
from seed_server.fleet.ring_templates import RingTemplate
from seed_server.fleet.rollout_operations import StartedRollout
from seed_server.fleet.shipped_rings import SHIPPED_RINGS


def start_published(context: Context, ref: PatchRef, rings: RingTemplate, reason: str = "") -> StartedRollout | None:
    """Start the rollout of what was just published; None: every PC is offered it. Raises `UserError`."""
    if rings.at_once:
        return None
    try:
        return rollout_operations.start_rollout(context, actor_of(context), str(ref), rings, note=reason)
    except UserError as error:
        template = rings.name if rings.name in SHIPPED_RINGS else f"{rings.name}.toml"
        raise UserError(
            f"{ref} is published, and offered to nobody yet: {error.message} Then: "
            f"seed-server rollout start {ref} --template {template}",
            error.kind,
        ) from error


def say_started(started: StartedRollout | None) -> None:
    """Say which rollout has begun; nothing where none has."""
    if started is not None:
        say(f"Rollout {started.rollout.row.number} of {started.rollout.plan.ref} has begun.")
