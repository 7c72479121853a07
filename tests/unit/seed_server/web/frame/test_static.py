"""`seed_server.web.frame.static`: files at addresses that change with their content, and their weight."""

import re

import pytest

from seed_server.web.frame.static import static_address, static_at, static_files


def test_a_file_is_at_its_address_and_at_no_other() -> None:
    address = static_address("pages.css")
    assert re.fullmatch(r"/static/pages\.[0-9a-f]{12}\.css", address)
    found = static_at(address)
    assert found is not None
    assert found.media == "text/css; charset=utf-8"
    for other in ("/static/pages.css", "/static/../page.py", "/static/pages.000000000000.css", "/static/"):
        assert static_at(other) is None
    with pytest.raises(KeyError):
        static_address("other.css")


def test_style_and_script_are_small() -> None:
    files = static_files()
    assert len(files["pages.css"].data) <= 15 << 10
    scripts = [file.data for name, file in files.items() if name.endswith(".js")]
    assert sum(data.count(b"\n") for data in scripts) <= 150


def test_the_script_makes_no_html_of_texts_and_runs_none() -> None:
    script = static_files()["pages.js"].data.decode()
    for dangerous in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "http:", "https:"):
        assert dangerous not in script
