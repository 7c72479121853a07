"""Keys of a text are changed, and all else in it stays."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation.declared_server_toml import changed_text

TEXT = """\
# Settings of this seed server.

# What endpoints and people call this server.
name = "hq"

# By which rings.
# rollout_template = "all-at-once"

# Mind the brackets: [this]
lease_seconds = 30.0 # short

# How long things are kept.
# [retention]
# hot_months = 2

[oidc]
issuer = "https://idp"  # theirs

[[oidc.groups]]
group = "a"
"""


def test_a_key_is_changed_where_it_stands() -> None:
    changed = changed_text(TEXT, {"lease_seconds": 60.0}, source="server.toml")
    assert changed == TEXT.replace("lease_seconds = 30.0 # short", "lease_seconds = 60.0")


def test_a_new_key_goes_below_its_comment_or_above_the_first_table() -> None:
    changed = changed_text(TEXT, {"rollout_template": "rings"}, source="server.toml")
    assert '# rollout_template = "all-at-once"\nrollout_template = "rings"\n' in changed
    changed = changed_text(TEXT, {"backup_days": 9}, source="server.toml")
    assert "lease_seconds = 30.0 # short\nbackup_days = 9\n\n# How long" in changed
    assert tomllib.loads(changed)["oidc"] == tomllib.loads(TEXT)["oidc"]


def test_a_table_is_put_at_the_end_changed_and_taken_away_again() -> None:
    rules = [{"name": "a", "days": 7, "who": {"tag": "x"}}, {"name": "b", "days": 3}]
    changed = changed_text(TEXT, {"retention": {"hot_months": 3}, "sla": rules}, source="server.toml")
    assert changed.startswith(TEXT.rstrip("\n"))
    assert tomllib.loads(changed) == tomllib.loads(TEXT) | {"retention": {"hot_months": 3}, "sla": rules}
    other = changed_text(changed, {"retention": {"hot_months": 4}, "sla": rules[:1]}, source="server.toml")
    assert tomllib.loads(other) == tomllib.loads(TEXT) | {"retention": {"hot_months": 4}, "sla": rules[:1]}
    back = changed_text(other, {"retention": None, "sla": None}, source="server.toml")
    assert tomllib.loads(back) == tomllib.loads(TEXT)
    assert back.rstrip("\n") == TEXT.rstrip("\n")


def test_a_value_of_several_lines_goes_as_a_whole() -> None:
    value = '"""\nx\n"""'
    text = f'name = "hq"\nlist = [\n  1, # one\n  2,\n]\n# about b\nb = {value}\n'
    assert changed_text(text, {"list": None}, source="s") == f'name = "hq"\n# about b\nb = {value}\n'
    assert changed_text(text, {"b": "y"}, source="s") == text.replace(value, '"y"')


def test_line_ends_of_windows_are_read() -> None:
    assert tomllib.loads(changed_text('name = "hq"\r\na = 1\r\n', {"a": 2}, source="s")) == {"name": "hq", "a": 2}


def test_what_is_scattered_is_left_to_a_person() -> None:
    text = 'a.x = 1\nname = "hq"\na.y = 2\n'
    with pytest.raises(UserError, match=r"s: a stands there in such a way that only a person") as caught:
        changed_text(text, {"a": {"x": 2}}, source="s")
    assert caught.value.kind is FaultKind.BAD_INPUT


keys = st.sampled_from(["a", "b", "c", "d", "e"])
values = (
    st.integers(0, 9)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=5)
    | st.lists(st.integers(0, 9), max_size=3)
    | st.dictionaries(keys, st.integers(0, 9), min_size=1, max_size=2)
    | st.lists(st.dictionaries(keys, st.integers(0, 9), min_size=1, max_size=2), min_size=1, max_size=2)
)


@given(st.lists(st.dictionaries(keys, st.none() | values, max_size=3), max_size=4))
def test_changes_one_after_the_other_come_to_what_they_say(steps: list[dict[str, Any]]) -> None:
    text, now = "# a comment\nname = 'hq' # a remark\n\n# [a]\n", {"name": "hq"}
    for changes in steps:
        text = changed_text(text, changes, source="s")
        now = {key: value for key, value in (now | changes).items() if value is not None}
        assert tomllib.loads(text) == now
        assert "# a comment\nname = 'hq' # a remark" in text
