"""`seed_server.reporting.pages` and what is put on them: nothing runs, nothing is fetched, and all is escaped."""

import html.parser
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import use
from seed_server.reporting.follow_up_operations import follow_up
from seed_server.reporting.missing_pcs import FollowUp
from seed_server.reporting.missing_queries import MissingQuestion, all_missing, read_missing
from seed_server.reporting.page_making import levels_page, missing_page, patch_page
from seed_server.reporting.pages import PageCell, PageSection, PageTable, Picture, ReportPage, page_text, write_page
from seed_server.reporting.patch_report import read_patch_report
from seed_server.reporting.pictures import done_picture, levels_picture
from seed_server.reporting.service_level_queries import read_service_levels
from tests.helpers.rollout_company import ADA, TESTERS, Company

HOSTILE = "<script>alert(1)</script>\"'>\x1b[31m\u202e"
PAGE = ReportPage(HOSTILE, HOSTILE, "en", [
    PageSection(HOSTILE, [HOSTILE], [(HOSTILE, HOSTILE)], Picture("<svg/>", HOSTILE),
                PageTable([HOSTILE], [[PageCell(HOSTILE)]]), HOSTILE)
])  # fmt: skip


class Tags(html.parser.HTMLParser):
    """The tags and their attributes, as a browser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def check(text: str) -> Tags:
    found = Tags(text)
    assert not {tag for tag, _ in found.tags} & {"script", "link", "iframe", "object", "form", "a"}
    for tag, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "href"], tag
        assert (attributes.get("src") or "data:image/svg+xml;base64,").startswith("data:image/svg+xml;base64,")
    assert "default-src 'none'" in text
    return found


def test_no_text_from_outside_becomes_a_tag_or_moves_others() -> None:
    text = page_text(PAGE)
    check(text)
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_page_is_one_file_that_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    write_page(path, PAGE)
    assert path.read_text(encoding="utf-8") == page_text(PAGE)
    with pytest.raises(UserError, match="Cannot write") as caught:
        write_page(tmp_path / "none" / "page.html", PAGE)
    assert caught.value.kind is FaultKind.STORAGE


@pytest.mark.parametrize("language", ["en", "ja"])
def test_each_report_has_its_page_in_both_languages(reported: Company, language: str) -> None:
    context = reported.context
    follow_up(context, ADA, TESTERS[1], FollowUp.TICKET, note=HOSTILE.replace("\x1b", "").replace("\u202e", ""))
    use(language)
    try:
        question = MissingQuestion(size=0)
        pages = [
            levels_page(read_service_levels(context)),
            missing_page(read_missing(context, question), all_missing(context, question)),
            patch_page(read_patch_report(context, "office")),
        ]
        texts = [page_text(page) for page in pages]
    finally:
        use("en")
    for text in texts:
        found = check(text)
        assert (found.tags[0][0], found.tags[0][1]) == ("html", {"lang": language})
    assert [len([tag for tag, _ in Tags(text).tags if tag == "img"]) for text in texts] == [1, 0, 1]
    assert ("ticket, 20" in texts[1]) is (language == "en")


def test_pictures_have_their_words_and_a_dot_for_each_patch(reported: Company) -> None:
    report = read_service_levels(reported.context)
    svg = levels_picture(report.levels, report.now)
    assert svg.count('r="5"') == len(report.levels) == 1
    assert "each dot is a patch" in svg
    drawn = done_picture(read_patch_report(reported.context, "office"))
    assert "PCs that have it" in drawn
    assert levels_picture([], report.now).startswith("<svg"), "also where there is none"
