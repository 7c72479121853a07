"""`seed_server.store.facts`: what PCs say of themselves, kept by endpoint."""

from pathlib import Path

from sqlalchemy import event

from seed_server.store.database import Database

ENDPOINT, OTHER = "a" * 26, "b" * 26


def test_the_newest_of_each_endpoint_is_kept_and_what_no_ring_knows_is_not(tmp_path: Path) -> None:
    with Database.create(tmp_path / "state.db") as database:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        longest = {"hostname": "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 255, "os.language": "\N{GRINNING FACE}" * 255}
        database.save_facts({ENDPOINT: {"ram_mb": 1, "moon": "full"}, OTHER: {"ram_mb": 2}})
        assert database.told_facts() == {ENDPOINT: {"ram_mb": 1}}, "the other one is not enrolled"
        database.save_facts({ENDPOINT: longest})
        assert database.told_facts() == {ENDPOINT: longest}
        database.forget_endpoint(ENDPOINT)
        assert database.told_facts() == {}


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    with Database.create(tmp_path / "state.db") as database:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        database.save_facts({ENDPOINT: {"ram_mb": 1}})
        statements: list[str] = []
        event.listen(
            database._engines.writer,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, *_: statements.append(statement),
        )
        database.save_facts({ENDPOINT: {"ram_mb": 1}})
        database.save_facts({})
        assert not [statement for statement in statements if "INSERT" in statement]
