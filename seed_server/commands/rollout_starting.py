"""What is said of a rollout that has begun."""

from p2pdist.shared.console import say
from p2pdist.shared.language import tr
from seed_server.fleet.rollout_operations import StartedRollout


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
