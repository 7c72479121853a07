"""`seed_server.web.frame.reader`: what templates know of the reader."""

from seed_server.web.frame.reader import PageReader, RefusedForm, reader, reading


def test_another_query_of_the_same_page() -> None:
    one = PageReader(
        "en", 0.0, "/pcs", [("site", "oslo"), ("state", "a"), ("state", "b"), ("after", "9"), ("lang", "ja")]
    )
    assert one.address() == "/pcs?site=oslo&state=a&state=b"
    assert one.address(site="x y&z") == "/pcs?state=a&state=b&site=x+y%26z"
    assert one.address(site=None, state=["c", "d"]) == "/pcs?state=c&state=d"
    assert one.address("/sites", site=None, state=None) == "/sites"
    assert one.other_language("en") == "/pcs?site=oslo&state=a&state=b&after=9&lang=en"
    assert one.filtered
    assert not PageReader("en", 0.0, "/pcs", [("after", "9"), ("lang", "ja"), ("show", "all")]).filtered


def test_the_menus_current_entry() -> None:
    one = PageReader("en", 0.0, "/patches/a@1")
    assert (one.current("/patches"), one.current("/"), one.current("/pat")) == ("true", "", "")
    assert PageReader("en", 0.0, "/").current("/") == "page"


def test_readers_do_not_mix() -> None:
    first, second = PageReader("en", 0.0), PageReader("ja", 0.0)
    with reading(first):
        with reading(second):
            assert reader() is second
        assert reader() is first


def test_what_was_typed_in_a_refused_form() -> None:
    one = PageReader("en", 0.0, failed=RefusedForm("f", "/f", "No.", typed={"a": ["1", "2"], "_csrf": ["x"]}))
    one.begin_form("f", "/f")
    assert one.typed("a", "") == "1"
    assert one.typed("a", []) == ["1", "2"]
    assert one.typed("_csrf", "kept") == "kept"
    assert (one.typed("b", True), one.typed("b", ["x"]), one.typed("b", "x")) == (False, [], "x")
    one.begin_form("g", "/g")
    assert one.typed("a", "kept") == "kept"
    one.end_form()
    assert one.refused("g", "/g") is None
    assert not one.told
    assert one.refused("f", "/f") is not None
    assert one.told
