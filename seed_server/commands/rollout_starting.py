"""A publication that is offered by rings: its rollout begins with it."""

import shlex

from p2pdist.shared.console import say
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.language import tr
from seed_server.commands.options import actor_of
from seed_server.fleet import rollout_operations
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_operations import StartedRollout
from seed_server.fleet.rollout_queries import GivenTemplate


def start_published(
    context: Context, ref: PatchRef, template: GivenTemplate, reason: str = ""
) -> StartedRollout | None:
    """Start the rollout of what was just published; None: every PC is offered it. Raises `UserError`."""
    rings = template.template
    if rings.at_once:
        return None
    # what the score has chosen is said in the audit log, where somebody would have said it by hand
    note = reason or (f"CVSS score of {rings.least_cvss:g} or more" if template.by_score else "")
    try:
        return rollout_operations.start_rollout(context, actor_of(context), str(ref), rings, note=note)
    except UserError as error:
        command = ["seed-server", "rollout", "start", str(ref), "--template", template.name]
        command += ["--reason", reason] if reason else []
        raise UserError(
            f"{ref} is published, and offered to nobody yet: {error.message} Then: {shlex.join(command)}", error.kind
        ) from error


def say_started(started: StartedRollout | None) -> None:
    """Say which rollout has begun, how many PCs its rings have, and who has to approve it; nothing where none has."""
    if started is None:
        return
    plan = started.rollout.plan
    say(f"Rollout {started.rollout.row.number} of {plan.ref} has begun.")
    for ring, size in zip(plan.rings, started.ring_sizes, strict=True):
        pcs = tr("{number} PC", number=size) if size == 1 else tr("{number} PCs", number=size)
        say(f"  {ring.name}: {pcs}")
    say_approvals(started)
    if started.ring_sizes[0] == 0:
        say(tr("Its first ring has no PC: it only soaks. Give PCs its tag, or choose another template."))


def say_approvals(started: StartedRollout) -> None:
    """Say by which command others approve a new rollout, where anybody has to."""
    row = started.rollout.row
    if started.first_approved_ring is None:
        return
    ring = started.rollout.plan.rings[started.first_approved_ring].name
    command = f"seed-server rollout approve {row.number}" + (" --key FILE" if started.by_signature else "")
    say(
        tr(
            "Before ring {ring} opens, somebody else has to approve it ({number} in all): {command}",
            ring=ring,
            number=row.required,
            command=command,
        )
    )
