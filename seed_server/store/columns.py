"""Tables, and types of columns that hold the same values on SQLite and PostgreSQL. Pure."""

from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    event,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

# STRICT tables of SQLite know one width of integers, and REAL
SMALL: TypeEngine[int] = SmallInteger().with_variant(Integer(), "sqlite")
BIG: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
LARGEST_INTEGER = (1 << 31) - 1  # of PostgreSQL's four bytes

METADATA = MetaData()


def table(
    name: str, *parts: Column[int] | Column[str] | Column[float] | Column[bool] | Column[bytes] | Index
    | PrimaryKeyConstraint | UniqueConstraint,
    rowid: bool = False,
    never_again: bool = False,
    storage: dict[str, float] | None = None,
) -> Table:  # fmt: skip
    """Return a table; ``never_again``: a number whose row is gone is given to no other; ``storage``: PostgreSQL's."""
    made = Table(
        name, METADATA, *parts, sqlite_strict=True, sqlite_with_rowid=rowid, sqlite_autoincrement=never_again,
    )  # fmt: skip
    if storage:

        def store_so(created: Table, connection: Connection, **_others: object) -> None:
            if connection.dialect.name == "postgresql":
                created.dialect_options["postgresql"]["with"] = storage

        # not as an argument: that would load PostgreSQL's part of the library in every command
        event.listen(made, "before_create", store_so)
    return made


def some_rows(name: str, *columns: str, where: TextClause) -> Index:
    """Return an index of those rows alone for which ``where`` holds."""
    made = Index(name, *columns, sqlite_where=where)

    def where_so(index: Index, connection: Connection, **_others: object) -> None:
        if connection.dialect.name == "postgresql":
            index.dialect_options["postgresql"]["where"] = where

    event.listen(made, "before_create", where_so)  # as `storage` of a table
    return made


class Flag(TypeDecorator[bool]):
    """True or false; 1 or 0 on SQLite, whose STRICT tables have no type of their own for it."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the database's own type."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Boolean())

    def process_bind_param(self, value: bool | None, _dialect: Dialect) -> bool | None:
        """Return what the database keeps."""
        return value

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> bool | None:
        """Return what the database's value means."""
        return None if value is None else bool(value)


class Words(TypeDecorator[str]):
    """Text of any kind; PostgreSQL keeps no NUL, so a PC that sends one would spoil the reports of all others."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """Return what the database keeps."""
        return None if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")


def number() -> Column[int]:
    """Return the column that stands for a row elsewhere."""
    return Column("number", Integer, primary_key=True)


def of(name: str, table: str) -> Column[int]:
    """Return a column with the number of a row of ``table``; it goes when that row goes."""
    return Column(name, Integer, ForeignKey(f"{table}.number", ondelete="CASCADE"), nullable=False)


def words(name: str, default: str | None = None) -> Column[str]:
    """Return a column of text."""
    return Column(name, Words, nullable=False, default=default)


def flag(name: str, *, nullable: bool = False) -> Column[bool]:
    """Return a column that is true or false, or neither where it may be NULL."""
    return Column(name, Flag, nullable=nullable, default=None if nullable else False)


def seconds(name: str, *, nullable: bool = False) -> Column[float]:
    """Return a column of seconds: a time since 1970, or a duration."""
    return Column(name, SECONDS, nullable=nullable)


def count(name: str) -> Column[int]:
    """Return a column that counts up to two thousand million."""
    return Column(name, Integer, nullable=False)


def large_count(name: str, *, nullable: bool = False) -> Column[int]:
    """Return a column that counts bytes."""
    return Column(name, BIG, nullable=nullable)


def code(name: str) -> Column[int]:
    """Return a column with a place in a short list."""
    return Column(name, SMALL, nullable=False)


def octets(name: str) -> Column[bytes]:
    """Return a column of bytes."""
    return Column(name, LargeBinary, nullable=False)
