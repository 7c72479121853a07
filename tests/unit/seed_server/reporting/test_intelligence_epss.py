"""`seed_server.reporting.intelligence_epss`: what is right is read, and what is wrong is named with its line."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_server.reporting.intelligence_epss import HEADER, MAX_SCORE_LINE_BYTES, MAX_SCORES, read_epss
from seed_server.reporting.intelligence_formats import IntelligenceFileError
from seed_server.store.score_blocks import ExploitScore, cve_number, score_in
from tests.helpers.intelligence_texts import epss_text, many_scores

NOW = dt.datetime(2027, 1, 15, tzinfo=dt.UTC).timestamp()
COMMENT = b"#model_version:v2026.03.14,score_date:2027-01-14T12:55:00Z"
SCORES = {"CVE-2026-1234": (0.97, 0.99999), "CVE-1999-0001": (0.00043, 0.1), "CVE-2026-123456": (1.0, 1.0)}


def file(*rows: bytes, comment: bytes = COMMENT, header: bytes = HEADER) -> bytes:
    return b"\n".join([comment, header, *rows, b""])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_scores_are_read_however_they_arrive(end: str, size: int) -> None:
    data = epss_text(SCORES, end=end)
    read = read_epss((data[start : start + size] for start in range(0, len(data), size)), NOW)
    assert read.version == "v2026.03.14"
    assert read.dated_at == dt.datetime(2027, 1, 14, 12, 55, tzinfo=dt.UTC).timestamp()
    whole = b"".join(read.rows)
    assert {cve: score_in(whole, cve_number(cve)) for cve in SCORES} == {
        cve: ExploitScore(*score) for cve, score in SCORES.items()
    }


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + file(b"CVE-2026-1234,0.1,0.2"),
        file(b"CVE-2026-1234,0.1,0.2").removesuffix(b"\n"),
        file(b"CVE-2026-1234,1,0"),
        file(b"CVE-2026-1234,9.7e-05,1.0"),
        file(b"CVE-2026-1234,0.1,0.2", comment=COMMENT.replace(b"Z", b"+0000")),
        file(b"CVE-2026-1234,0.1,0.2", comment=b"#model_version:v3,score_date:2027-01-15"),
        file(b"CVE-2026-1234,0.1,0.2", comment=b"# model_version:v3, score_date:2027-01-15T00:00:00+00:00"),
        b"#" + b"model_version:" + b"m" * 60 + b",score_date:2027-01-14\n" + HEADER + b"\nCVE-2026-1234567890,0.1,0.2",
    ],
)
def test_what_its_author_may_write_is_read(data: bytes) -> None:
    assert len(read_epss([data], NOW).rows) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1 is missing"),
        (file(b"CVE-2026-1234,0.1,0.2", comment=b"#hello"), "line 1 is '#hello'"),
        (HEADER + b"\nCVE-2026-1234,0.1,0.2\n", "of which day it is, is not known"),
        (COMMENT, "line 2 is missing"),
        (file(b"CVE-2026-1234,0.1,0.2", header=b"cve,epss"), "line 2 is 'cve,epss'"),
        (file(), "no score"),
        (file(b"CVE-2026-1234,0.1,0.2", b"", b"CVE-2026-1235,0.1,0.2"), "line 4 is no CVE"),
        (file(b"CVE-2026-1234,nan,0.2"), "line 3 is no CVE with two numbers from 0 to 1"),
        (file(b"CVE-2026-1234,-0.1,0.2"), "line 3"),
        (file(b"CVE-2026-1234,inf,0.2"), "line 3"),
        (file(b"CVE-2026-1234,1.1,0.2"), "line 3 has a number over 1"),
        (file(b"CVE-2026-1234,0.1,1.00001"), "line 3 has a number over 1"),
        (file(b"CVE-2026-1234,0.1"), "line 3"),
        (file(b"CVE-2026-1234,0.1,0.2,0.3"), "line 3"),
        (file(b"CVE-2026-1234,0_1,0.2"), "line 3"),
        (file(b"CVE-2026-1234;0.1;0.2"), "line 3"),
        (file(b'"CVE-2026-1234",0.1,0.2'), "line 3"),
        (file(b"CVE-2026-123,0.1,0.2"), "line 3"),
        (file(b"CVE-2026-12345678901,0.1,0.2"), "line 3"),
        (file("CVE-2026-１２３４,0.1,0.2".encode()), "line 3"),
        (file(b"CVE-2026-1234,0.1,0.2", b"CVE-2026-1234,0.1,0.2"), "CVE-2026-1234 is there twice"),
        (file(b"CVE-2026-1234,0.1,0.2").decode().encode("utf-16"), "line 1"),
        (file(b"CVE-2026-1234,0.1,0.2", comment=b"#model_version:v3,score_date:2027-13-14"), "score_date is no time"),
        (file(b"CVE-2026-1234,0.1,0.2", comment=b"#model_version:v3,score_date:2019-01-14"), "before there was any"),
        (file(b"CVE-2026-1234,0.1,0.2", comment=b"#model_version:v3,score_date:2027-01-17"), "yet to come"),
        (file(b"CVE-2026-1234,0.1,0.2", comment=b"#model_version:" + b"m" * 61 + b",score_date:2027-01-14"), "line 1"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, words: str) -> None:
    with pytest.raises(IntelligenceFileError, match=words) as caught:
        read_epss([data], NOW)
    assert str(caught.value).isprintable()


def test_a_line_ends_at_its_cap_wherever_the_chunks_end() -> None:
    longest = b"CVE-2026-1234,0.1,0." + b"1" * (MAX_SCORE_LINE_BYTES - 20)
    for size in (1, 50, 1 << 16):
        for line, words in ((longest, "line 3 is no CVE"), (longest + b"1", f"more than {MAX_SCORE_LINE_BYTES} bytes")):
            data = file(line)
            with pytest.raises(IntelligenceFileError, match=words):
                read_epss((data[start : start + size] for start in range(0, len(data), size)), NOW)


@pytest.mark.slow
@pytest.mark.uncounted
def test_there_are_as_many_scores_as_there_may_be_and_not_one_more() -> None:
    data = many_scores(MAX_SCORES)
    assert len(read_epss([data], NOW).rows) == MAX_SCORES
    with pytest.raises(IntelligenceFileError, match="more than 1,000,000 scores"):
        read_epss([data, b"CVE-2999-0001,0.1,0.2\n"], NOW)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_read_or_refused_in_words(data: bytes, size: int) -> None:
    for start in (b"", COMMENT + b"\n" + HEADER + b"\n"):
        whole = start + data
        said = ""
        try:
            read_epss((whole[at : at + size] for at in range(0, len(whole), size)), NOW)
        except IntelligenceFileError as error:
            said = str(error)
        assert said.isprintable()
