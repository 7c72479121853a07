"""`docs/rollouts.md` says what the tables say."""

from pathlib import Path

from seed_server.fleet.ring_templates import WrittenRing, WrittenRings
from seed_server.fleet.rollout import TRANSITIONS, RolloutReason
from seed_server.fleet.shipped_rings import SHIPPED_RINGS

DOC = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text(encoding="utf-8")


def test_the_diagram_is_the_table() -> None:
    assert f"```mermaid\n{TRANSITIONS.as_mermaid()}\n```" in DOC


def test_every_reason_has_its_row() -> None:
    assert [reason.value for reason in RolloutReason if f"| {reason.value} |" not in DOC] == []


def test_every_template_and_every_key_is_named() -> None:
    assert [name for name in SHIPPED_RINGS if f"| `{name}` |" not in DOC] == []
    keys = {*WrittenRings.__struct_fields__, *WrittenRing.__struct_fields__} - {"ring"}
    assert [key for key in sorted(keys) if f"`{key}`" not in DOC] == []
