"""Values become TOML text that reads back to the same."""

import tomllib
from typing import Annotated, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from seed_server.automation.declared_toml import plain, toml_text

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
inner = st.recursive(
    scalars, lambda below: st.lists(below, max_size=3) | st.dictionaries(texts, below, max_size=3), max_leaves=12
)


@given(st.dictionaries(texts, inner, max_size=6))
def test_what_is_written_is_read_back(values: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(values)) == values
    assert tomllib.loads(toml_text(values, "A head\nof two lines")) == values


def test_scalars_come_before_tables_and_a_head_before_both() -> None:
    text = toml_text({"sla": [{"name": "a", "days": 7}, {"name": "b"}], "plain": 1, "kept": {"days": 2}}, "Head")
    assert text == ('# Head\n\nplain = 1\n\n[[sla]]\nname = "a"\ndays = 7\n\n[[sla]]\nname = "b"\n\n[kept]\ndays = 2\n')
    assert toml_text({}) == ""
    assert toml_text({}, "Head") == "# Head\n"


class Check(msgspec.Struct, tag_field="kind", tag="file", frozen=True):
    path: str
    deep: Annotated[int, msgspec.Meta(ge=0)] = 0


class Whole(msgspec.Struct, frozen=True):
    name: str
    checks: tuple[Check, ...] = ()
    note: str | None = None
    many: list[str] = msgspec.field(default_factory=list)
    few: str = msgspec.field(name="other", default="x")


def test_a_struct_is_written_without_what_is_as_by_default() -> None:
    whole = Whole("a", (Check("/etc"), Check("/var", 2)), few="y")
    values = plain(whole)
    assert values == {
        "name": "a",
        "checks": [{"kind": "file", "path": "/etc"}, {"kind": "file", "path": "/var", "deep": 2}],
        "other": "y",
    }
    assert msgspec.convert(tomllib.loads(toml_text(values)), Whole) == whole
