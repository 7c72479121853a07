import pytest

from bench.pages.markup import form_to, login_form, markup_of, own_links

PAGE = """<!doctype html><html lang="en"><head><title>T</title><link rel="stylesheet" href="/static/a.css">
<script src="/static/a.js" defer></script></head><body><a href="/pcs?site=oslo&amp;after=3">PCs</a> <a
href="#main">x</a><a href="https://elsewhere.example/">y</a><a href="patches">z</a>
<img src="data:image/png;base64,AA" alt="">
<form action="/rollouts/1/halt" method="post"><input type="hidden" name="csrf" value="c&quot;"><textarea name="reason">
so</textarea><select name="ring"><option value="a">A</option><option value="b" selected>B</option></select>
<input type="checkbox" name="sure" value="1"><input type="checkbox" name="all" checked><button>Halt</button></form>
<form action="/login" method="POST"><input name="name" value=""><input type="password" name="password"></form>
</body></html>"""


def test_a_form_sends_what_it_shows() -> None:
    form = form_to(markup_of(PAGE), "/rollouts/1/halt")
    assert form.method == "POST"
    assert form.fields == {"csrf": 'c"', "reason": "\nso", "ring": "b", "all": "on"}
    assert form.with_values(reason="now", sure="1") == {
        "csrf": 'c"', "reason": "now", "ring": "b", "all": "on", "sure": "1",
    }  # fmt: skip


def test_a_field_that_it_has_not_is_not_sent() -> None:
    with pytest.raises(KeyError, match="other"):
        form_to(markup_of(PAGE), "/rollouts/1/halt").with_values(other="x")


def test_links_of_the_same_server_alone() -> None:
    assert own_links(markup_of(PAGE), "https://here/rollouts/1") == [
        "/pcs?site=oslo&after=3",
        "/rollouts/1",
        "/rollouts/patches",
    ]


def test_files_that_are_fetched() -> None:
    assert markup_of(PAGE).files == ["/static/a.css", "/static/a.js"]


def test_the_form_that_asks_for_a_password() -> None:
    assert login_form(markup_of(PAGE)).action == "/login"
    with pytest.raises(LookupError, match="password"):
        login_form(markup_of("<form action=/x><input name=a></form>"))
    with pytest.raises(LookupError, match="/y"):
        form_to(markup_of(PAGE), "/y")
