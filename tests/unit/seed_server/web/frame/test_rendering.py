"""`seed_server.web.frame.rendering`: the parts that pages are made of, with texts that somebody wrote to do harm."""

import html.parser
from collections.abc import Iterator

import pytest

from p2pdist.shared import language
from seed_server.web.frame import rendering
from seed_server.web.frame.reader import PageReader, RefusedForm, reading

HARM = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e{{ 7*7 }} {name} %s" + "x" * 4_000
SHOWN = HARM.replace("\u202e", "?")


class Elements(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for one, attributes in self.found if one == tag]


@pytest.fixture
def one() -> Iterator[PageReader]:
    """Return who reads."""
    someone = PageReader(
        "en", 1_000_000.0, "/pcs", [("site", HARM), ("after", "x")], csrf="token", sees=lambda _: True,
        sends=lambda name: name != "forbidden", steps_up=lambda name: name == "approve",
    )  # fmt: skip
    with language.speaking("en"), reading(someone):
        yield someone


def made(template: str, **values: object) -> Elements:
    text = '{% import "parts.html.j2" as parts %}' + template
    return Elements(rendering._environment().from_string(text).render(harm=HARM, **values))


PARTS = (
    "{{ parts.state('good', harm) }}",
    "{{ parts.facts([(harm, harm)]) }}",
    "{{ parts.table([harm], [[harm]], caption=harm) }}",
    "{{ parts.filters('/pcs', [{'name': 'site', 'label': harm, 'value': harm}]) }}",
    "{{ parts.filters('/pcs', [{'name': 'a', 'label': 'A', 'kind': 'select', 'options': [(harm, harm)]}]) }}",
    "{{ parts.pager(harm) }}",
    "{{ parts.chart('<svg><script>alert(1)</script></svg>', harm, [harm], [[harm]]) }}",
    "{{ parts.meter(1, 2, harm) }}",
    "{{ parts.meter(none, 2, harm) }}",
    "{{ parts.notice('bad', harm) }}",
    "{{ parts.form('halt', '/halt', harm, [{'name': 'reason', 'label': harm, 'value': harm, 'help': harm}]) }}",
    "{{ parts.form('halt', '/halt', harm, [{'name': 'toml', 'label': harm, 'kind': 'toml'}], danger=true) }}",
    "{% call parts.form('halt', '/halt', harm) %}{{ parts.field('x', harm, harm, kind='hidden') }}{% endcall %}",
    "{{ parts.button('halt', '/halt', harm, [('pc', harm)], about=harm) }}",
    "{{ parts.empty(harm, harm) }}",
    "{{ parts.tabs([(harm, '/x', true)]) }}",
    "{{ tr('Since {when} by {who}.', when=5|moment, who=harm) }}",
    "{{ trn('{number} PC at {site}', '{number} PCs at {site}', 3, site=harm) }}",
    "{{ harm|words }} {{ harm|shown }} {{ harm|lines }}",
    "{{ reader().address(site=harm) }}",
)


@pytest.mark.parametrize("part", PARTS)
def test_a_text_that_somebody_wrote_to_do_harm_shows_as_text(one: PageReader, part: str) -> None:
    one.failed = RefusedForm("halt", "/halt", HARM, {"reason": HARM}, {"reason": [HARM], "toml": [HARM]})
    found = made(part)
    assert not found.all("script")
    assert all(set(image) == {"src", "alt"} for image in found.all("img"))
    assert not any(name.startswith("on") or name == "style" for _, attributes in found.found for name in attributes)
    text = "".join(found.texts)
    assert "\u202e" not in text
    assert "49" not in text


def test_what_is_shown_is_what_was_written(one: PageReader) -> None:
    assert one.language == "en"
    assert "".join(made("{{ parts.state('bad', harm) }}").texts).strip() == f"✖ {SHOWN}"
    assert "".join(made("{{ tr('By {who}.', who=harm) }}").texts) == f"By {SHOWN}."


def test_a_constant_is_said_in_the_language_of_each_reader(one: PageReader) -> None:
    template = rendering._environment().from_string(
        "{{ none|number }} {{ 0|span }} {% set nothing = none|mbit %}{{ nothing }}"
    )
    assert template.render().count("not known") == 2
    with language.speaking("ja"), reading(PageReader("ja", 1.0, "/", [])):
        assert template.render().count("不明") == 2
        assert "0.0 秒" in template.render()


def test_figures_that_are_not_known_say_so(one: PageReader) -> None:
    del one
    for name in ("moment", "age", "day", "span", "number", "bytes", "percent", "mbit"):
        assert "".join(made(f"{{{{ none|{name} }}}}").texts) == "–not known"
    assert "".join(made("{{ 0|number }} {{ 0|percent }} {{ 0|bytes }}").texts) == "0 0% 0 B"


def test_a_figure_that_stands_in_a_template_speaks_the_language_of_each_reader(one: PageReader) -> None:
    template = rendering._environment().from_string("{{ none|number }} {{ [none|age, 90|span]|join(' ') }}")
    english = template.render()
    with language.speaking("ja"):
        assert template.render().count("不明") == 2
    assert english.count("not known") == 2


def test_words_are_in_the_readers_language_in_two_threads_of_one_process(one: PageReader) -> None:
    template = "{{ parts.pager('x') }}{{ tr('Filters') }}"
    with language.speaking("ja"):
        assert language.tr("English") != "English"
        one.language = "ja"
        japanese = "".join(made(template + "{{ 5|age }}").texts)
    assert "前" in japanese
    assert "Next page" in "".join(made(template).texts)


def test_a_form_is_not_shown_to_who_may_not_send_it(one: PageReader) -> None:
    del one
    assert not made("{{ parts.form('forbidden', '/x', 'Do it') }}{{ parts.button('forbidden', '/x', 'Do') }}").found


def test_each_form_carries_the_token_and_where_it_stood(one: PageReader) -> None:
    for part in ("{{ parts.form('halt', '/halt', 'Halt') }}", "{{ parts.button('halt', '/halt', 'Halt') }}"):
        hidden = {field["name"]: field["value"] for field in made(part).all("input")}
        assert hidden == {"_csrf": "token", "_query": one.query_text}
        assert made(part).all("form")[0]["method"] == "post"


def test_what_was_typed_comes_back_into_the_form_that_was_refused_alone(one: PageReader) -> None:
    one.failed = RefusedForm("halt", "/1/halt", "No.", {"reason": "Too short."}, {"reason": ["typed"], "_csrf": ["x"]})
    template = (
        "{{ parts.form('halt', '/1/halt', 'Halt', [{'name': 'reason', 'label': 'Reason'}]) }}"
        "{{ parts.form('halt', '/2/halt', 'Halt', [{'name': 'reason', 'label': 'Reason'}]) }}"
        "{% call parts.form('halt', '/1/halt', 'Halt') %}{{ parts.field('reason', 'Reason') }}{% endcall %}"
    )
    found = made(template)
    fields = [field for field in found.all("input") if field["name"] == "reason"]
    assert [field["value"] for field in fields] == ["typed", "", "typed"]
    assert [field.get("aria-invalid") for field in fields] == ["true", None, "true"]
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert fields[0]["aria-describedby"] in ids
    assert one.told
    assert "".join(found.texts).count("Too short.") == 2


def test_a_password_never_comes_back(one: PageReader) -> None:
    one.failed = RefusedForm("halt", "/halt", "No.", {}, {"password": ["secret"], "code": ["123456"]})
    found = made(
        "{{ parts.form('halt', '/halt', 'Log in', [{'name': 'password', 'label': 'Password', 'kind': 'password'},"
        "{'name': 'code', 'label': 'Code', 'kind': 'code'}]) }}"
    )
    assert all(field["value"] == "" for field in found.all("input") if field["name"] in {"password", "code"})


def test_a_box_is_ticked_as_it_was_left(one: PageReader) -> None:
    template = (
        "{{ parts.form('halt', '/halt', 'H', [{'name': 'all', 'label': 'All', 'kind': 'checkbox', 'value': true}]) }}"
    )
    assert "checked" in made(template).all("input")[-1]
    one.failed = RefusedForm("halt", "/halt", "No.", {}, {"reason": [""]})
    assert "checked" not in made(template).all("input")[-1]


def test_the_next_page_keeps_the_filters_and_the_first_one_too(one: PageReader) -> None:
    one.query = [("site", "oslo"), ("lang", "ja"), ("after", "1")]
    assert [link["href"] for link in made("{{ parts.pager('2') }}").all("a")] == [
        "/pcs?site=oslo", "/pcs?site=oslo&after=2",
    ]  # fmt: skip
    assert not made("{{ parts.pager(none) }}").all("a")[1:]
    one.query = []
    assert not made("{{ parts.pager(none) }}").found


def test_a_chart_has_its_size_its_words_and_its_figures(one: PageReader) -> None:
    del one
    found = made("{{ parts.chart('<svg width=\"640\" height=\"200\"></svg>', 'Use of the line', ['Hour'], [['12']]) }}")
    (image,) = found.all("img")
    assert (image["width"], image["height"], image["alt"]) == ("640", "200", "Use of the line")
    assert (image["src"] or "").startswith("data:image/svg+xml,%3Csvg")
    assert found.all("table")


def test_all_templates_can_be_made() -> None:
    rendering.load_templates()
