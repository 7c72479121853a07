"""A publication that is offered by rings: its rollout begins with it. Blocking."""

import shlex

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_operations import StartedRollout, start_rollout
from seed_server.fleet.rollout_queries import GivenTemplate


def start_published(
    context: Context, ref: PatchRef, template: GivenTemplate, reason: str = "", *, actor: Actor
) -> StartedRollout | None:
    """Start the rollout of what was just published; None: every PC is offered it. Raises `UserError`."""
    rings = template.template
    if rings.at_once:
        return None
    # what the score has chosen is said in the audit log, where somebody would have said it by hand
    note = reason or (f"CVSS score of {rings.least_cvss:g} or more" if template.by_score else "")
    try:
        return start_rollout(context, actor, str(ref), rings, note=note)
    except UserError as error:
        command = ["seed-server", "rollout", "start", str(ref), "--template", template.name]
        command += ["--reason", reason] if reason else []
        raise UserError(
            f"{ref} is published, and offered to nobody yet: {error.message} Then: {shlex.join(command)}", error.kind
        ) from error
