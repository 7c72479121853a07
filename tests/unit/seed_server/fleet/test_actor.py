"""How actors are named, and who is behind them."""

from seed_server.fleet.actor import Actor, person_of


def test_names_in_records() -> None:
    named = {
        Actor.local_user("ada"): "local:ada",
        Actor("ada", "password"): "ada",
        Actor("ada", "token", token_id="5f0c"): "ada/5f0c",
        Actor.engine(): "engine",
    }
    assert {actor: actor.who for actor in named} == named


def test_one_person_however_they_came() -> None:
    ways = [
        Actor.local_user("Ada"),
        Actor("ada", "password"),
        Actor("ada", "token", token_id="5f0c"),
    ]
    assert {actor.person for actor in ways} == {"ada"}
    assert {person_of(actor.who) for actor in ways} == {"ada"}


def test_the_engine_is_nobody_and_a_person_of_that_name_is_one() -> None:
    assert Actor.engine().person == person_of("engine") == ""
    assert Actor.local_user("engine").person == "engine"


def test_who_was_not_said_to_be_allowed_anything_may_nothing() -> None:
    assert Actor("ada", "password").rights.permissions == frozenset()
