"""Tables of facts and sentences: what gives way, in which order, and what never does."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from p2pdist.shared.tables import READABLE_CELLS, FactTable

NAME = "workstation-with-a-long-name"
WHY = "its certificate was not accepted, as it has expired in the meantime"


def table(*, below: bool = True, folds: bool = False) -> FactTable:
    made = FactTable()
    made.column("host", least=12, folds=folds)
    made.column("state")
    made.column("size", right=True)
    made.sentences("because")
    made.row(NAME, "fetching", "99.9 MB", sentences=[WHY], below=Text(f"{NAME}: {WHY}") if below else None)
    made.row("pc", Text("verified"), "1 B")
    return made


def shown(made: FactTable, columns: int, *, in_pipe: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=columns, color_system=None, soft_wrap=in_pipe)
    console.print(made)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_sentence_stands_at_its_row_where_it_has_room() -> None:
    facts = len(NAME) + len("fetching") + len("99.9 MB") + 3 * 2
    heading, *rows = shown(table(), facts + READABLE_CELLS)
    assert heading.split() == ["host", "state", "size", "because"]
    assert len(rows) == 3, "two lines of a sentence of two times that width, and the second row"
    assert not [row for row in rows if row.startswith(f"{NAME}:")]


def test_elsewhere_it_stands_below_and_no_name_is_shortened_for_it() -> None:
    facts = len(NAME) + len("fetching") + len("99.9 MB") + 3 * 2
    lines = shown(table(), facts + READABLE_CELLS - 1)
    assert "because" not in lines[0]
    assert lines[1].split() == [NAME, "fetching", "99.9", "MB"]
    assert " ".join(line.strip() for line in lines[3:]) == f"{NAME}: {WHY}"


def test_a_short_sentence_needs_no_more_than_its_own_width() -> None:
    made = FactTable()
    made.column("host")
    made.sentences("note")
    made.row("pc", sentences=["fine"], below=Text("pc: fine"))
    assert shown(made, 12) == ["host  note", "pc    fine"]


@pytest.mark.parametrize("columns", [34, 40])
def test_numbers_and_states_are_whole_and_a_name_is_shortened_to_the_width(columns: int) -> None:
    lines = shown(table(), columns)
    assert lines[1].split()[1:] == ["fetching", "99.9", "MB"]
    assert lines[1].startswith("workstation")
    assert "…" in lines[1]
    assert max(map(cell_len, lines)) <= columns
    assert not shown(table(folds=True), columns)[1].count("…"), "what a command takes is whole, in two lines"


def test_where_nothing_else_helps_numbers_go_on_in_the_next_line() -> None:
    text = "".join("".join(shown(table(), 20)[:9]).split())
    assert "…" not in text
    assert "99.9MB" in "".join(line[-4:].strip() for line in shown(table(), 20)[1:4])


def test_no_column_is_narrower_than_its_heading() -> None:
    made = FactTable()
    made.column("operating system", least=4, folds=True)
    made.column("host", least=4)
    made.row("Debian GNU/Linux 12", NAME)
    assert shown(made, 24)[0].split() == ["operating", "system", "host"]


def test_in_a_pipe_nothing_is_cut() -> None:
    text = "".join(shown(table(), 34, in_pipe=True))
    assert "…" not in text
    assert WHY in text


def test_without_words_for_below_the_sentences_stay_and_names_make_room() -> None:
    lines = shown(table(below=False), 72)
    assert "because" in lines[0]
    assert len(lines) == 4
    assert max(map(cell_len, lines)) <= 72


def test_a_text_from_outside_has_no_markup() -> None:
    made = FactTable()
    made.column("host")
    made.sentences("note")
    made.row("[b]pc[/b]", sentences=["[link=x]:smile:"], below=Text("x"))
    assert shown(made, 80)[1].split() == ["[b]pc[/b]", "[link=x]:smile:"]


def test_a_table_without_rows_has_its_headings() -> None:
    made = FactTable()
    made.column("item", "needed")
    assert shown(made, 40) == ["item  needed"]
