"""What differs between what is there and what files say, one row each. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from seed_server.automation.declared_toml import value_text
from seed_server.fleet.roles import WHOLE_FLEET, Area, Permission, Reach

AppliedKind: TypeAlias = Literal["site", "profile", "template", "person", "setting"]
Action: TypeAlias = Literal["add", "change", "remove"]

APPLIED_KINDS: tuple[AppliedKind, ...] = ("site", "profile", "template", "person", "setting")
"""In the order in which they are carried out: rights may name sites, and settings may name what is signed."""
SIGNS: Mapping[Action, str] = {"add": "+", "change": "~", "remove": "-"}
NEEDS: Mapping[AppliedKind, Permission] = {
    "site": "profiles", "profile": "profiles", "template": "templates", "person": "people", "setting": "keys",
}  # fmt: skip
"""The right that the operation behind each kind asks for."""
MAX_SHOWN_VALUE_CHARS = 2_000  # of a value that is shown: a scope of a hundred sites may be longer


class ValueChange(NamedTuple):
    """One key of what changes; empty: it is not written."""

    key: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """One thing that is added, changed or removed."""

    kind: AppliedKind
    name: str
    action: Action
    keys: tuple[ValueChange, ...] = ()

    @property
    def right(self) -> tuple[Permission, Reach]:
        """Which right it needs, and for which PCs."""
        reach = (Area(site=self.name),) if self.kind == "profile" else WHOLE_FLEET
        return NEEDS[self.kind], reach

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def change(kind: AppliedKind, name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Change:
    """Return what becomes of one thing, by its keys; None: it is not there. One of both is."""
    action: Action = "add" if before is None else "remove" if after is None else "change"
    old, new = before or {}, after or {}
    keys = tuple(
        ValueChange(key, _shown(old, key), _shown(new, key))
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    )
    return Change(kind, name, action, keys)


def _shown(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return ""
    text = value_text(values[key])
    return text if len(text) <= MAX_SHOWN_VALUE_CHARS else f"{text[:MAX_SHOWN_VALUE_CHARS]}…"
