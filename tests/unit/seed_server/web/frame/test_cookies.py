"""`seed_server.web.frame.cookies`: what is read of them, and how they are set."""

from seed_server.web.frame.cookies import (
    MAX_COOKIE_CHARS,
    MAX_COOKIES,
    MAX_SENTENCE_KEPT_CHARS,
    cookie,
    cookies_in,
    said_cookie,
    said_in,
    visit_csrf,
)


def test_cookies_are_read_and_the_first_of_a_name_counts() -> None:
    assert cookies_in(['a=1; b="2"', "a=3; nonsense; =x"]) == {"a": "1", "b": "2", "": "x"}
    assert cookies_in([]) == {}


def test_what_is_too_long_or_too_many_is_not_looked_at() -> None:
    assert cookies_in(["a=" + "x" * (MAX_COOKIE_CHARS - 2)])
    assert cookies_in(["a=" + "x" * (MAX_COOKIE_CHARS - 1)]) == {}
    many = "; ".join(f"c{n}=1" for n in range(MAX_COOKIES + 1))
    assert len(cookies_in([many])) == MAX_COOKIES


def test_a_cookie_is_this_hosts_alone_and_no_scripts() -> None:
    assert cookie("__Host-x", "1", seconds=60) == "__Host-x=1; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Strict"
    assert cookie("__Host-x", "1") == "__Host-x=1; Path=/; Secure; HttpOnly; SameSite=Strict"


def test_a_sentence_comes_back_as_it_was_said() -> None:
    for text in ("Halted.", "配布を止めました。", "x" * (MAX_SENTENCE_KEPT_CHARS + 1), "a;b=c\r\nSet-Cookie: x"):
        value = said_cookie(text).partition("=")[2].partition(";")[0]
        assert value.isascii()
        assert said_in(value) == text[:MAX_SENTENCE_KEPT_CHARS]
    assert len(said_cookie("配" * MAX_SENTENCE_KEPT_CHARS)) < 4_000
    assert said_in("%%%") == said_in("gIA") == said_in("") == ""


def test_forms_of_two_browsers_differ() -> None:
    assert visit_csrf("a") != visit_csrf("b")
