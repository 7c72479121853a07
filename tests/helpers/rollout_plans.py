"""Plans of rollouts for tests."""

from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan

DAY = 86_400


def ring(name: str = "first", **changed: object) -> PlannedRing:
    """Return a ring of all PCs, with rules of its own."""
    return PlannedRing(name=name, **changed)  # type: ignore[arg-type]


def plan(*rings: PlannedRing, silent: str = "go_on", silent_after_seconds: int = 3 * DAY) -> RolloutPlan:
    """Return a plan of these rings."""
    return RolloutPlan(
        format=1, patch_id="acme", version="1", number=1, manifest_sha256="0" * 64, salt=bytes(16), rings=rings,
        silent_after_seconds=silent_after_seconds, silent=silent,  # type: ignore[arg-type]
    )  # fmt: skip
