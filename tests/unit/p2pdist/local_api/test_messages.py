"""`p2pdist.local_api.messages`: each type round-trips, says what its fields mean, and input is closed."""

import ast
import inspect
from typing import Any

import msgspec
import pytest

from p2pdist.local_api import delivery_answers, install_answers, messages, server_answers
from p2pdist.local_api.messages import ANSWERS, COMMANDS, NOTICES, SET_SERVER, DeferOrder, PatchOrder, Question
from p2pdist.local_api.server_answers import ServerOrder

MODULES = (messages, delivery_answers, install_answers, server_answers)
STRUCTS = [
    value
    for module in MODULES
    for value in vars(module).values()
    if inspect.isclass(value) and issubclass(value, msgspec.Struct) and value.__module__ == module.__name__
]


def test_no_two_commands_have_one_name() -> None:
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    printed = {command.name: command.answer for command in COMMANDS if command not in (NOTICES, SET_SERVER)}
    assert printed.items() <= ANSWERS.items(), "notices are for the agent, the other one is `server set`"


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_field_says_what_it_means(kind: type[msgspec.Struct]) -> None:
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    assert ast.get_docstring(definition)
    said = [
        field.target.id
        for field, words in zip(definition.body, definition.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant)
    ]
    assert said == list(kind.__struct_fields__)


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_nothing_can_be_changed_afterwards(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen


@pytest.mark.parametrize(
    "order", [DeferOrder("acme", 60.0), DeferOrder("acme"), PatchOrder("acme@1"), Question(), ServerOrder("hq")]
)
def test_what_is_asked_survives_the_wire_and_is_closed(order: Any) -> None:
    assert msgspec.json.decode(msgspec.json.encode(order), type=type(order)) == order
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert(msgspec.to_builtins(order) | {"more": 1}, type(order))


def test_an_order_without_a_time_leaves_it_out_for_daemons_that_know_none() -> None:
    assert msgspec.json.encode(DeferOrder("acme")) == b'{"patch":"acme"}'


def test_users_may_look_and_put_off_and_nothing_else() -> None:
    """None of these installs, removes, or takes back; a new command is root's until somebody says otherwise."""
    assert {command.name for command in COMMANDS if command.for_users} == {"status", "why", "plan", "notices", "defer"}
