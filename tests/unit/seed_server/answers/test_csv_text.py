"""`seed_server.answers.csv_text`: what spreadsheets take for no formula."""

import csv

from hypothesis import given, settings
from hypothesis import strategies as st

from seed_server.answers.csv_text import FORMULA_SIGNS, csv_line


def test_a_formula_is_text() -> None:
    assert csv_line(['=HYPERLINK("http://evil")', "+1", "-1", "@a", "\uff1d1", " =1", "ok", "a,b"]) == (
        '"\'=HYPERLINK(""http://evil"")",\'+1,\'-1,\'@a,\'\uff1d1,\' =1,ok,"a,b"'
    )
    assert csv_line(["\t=1", "a\r\nb"]) == "?=1,a??b"


def test_a_spreadsheet_that_begins_cells_at_semicolons_finds_no_formula_either() -> None:
    assert csv_line(["a;=1", "b; +1;-2", "c;d", '";=1"', ";'@x"]) == "a;'=1,b; '+1;'-2,c;d,\"\"\";'=1\"\"\",;''@x"


@settings(max_examples=30)
@given(st.lists(st.text(), min_size=2))
def test_each_line_is_one_row_of_safe_cells(cells: list[str]) -> None:
    (row,) = csv.reader([csv_line(cells)])
    assert len(row) == len(cells)
    assert not any(cell.startswith(FORMULA_SIGNS) for cell in row)
    for line in csv.reader([csv_line(cells)], delimiter=";", quoting=csv.QUOTE_NONE):
        assert not any(cell.lstrip(" '").startswith(FORMULA_SIGNS) for cell in line[1:] if not cell.startswith("'"))
