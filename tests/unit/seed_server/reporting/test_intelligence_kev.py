"""`seed_server.reporting.intelligence_kev`: the catalogue is read, and what is wrong is named with its place."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_server.reporting.intelligence_formats import IntelligenceFileError
from seed_server.reporting.intelligence_kev import (
    MAX_ACTION_CHARS,
    MAX_EXPLOITED,
    MAX_KEV_BYTES,
    MAX_WEAKNESS_CHARS,
    read_kev,
)
from seed_server.store.intelligence_records import ExploitedCve
from tests.helpers.intelligence_texts import kev_entry, kev_text

NOW = dt.datetime(2027, 1, 15, tzinfo=dt.UTC).timestamp()


def day(text: str) -> float:
    return dt.datetime.fromisoformat(f"{text}T00:00:00+00:00").timestamp()


def test_the_catalogue_is_read() -> None:
    entries = [
        kev_entry("CVE-2026-1234", knownRansomwareCampaignUse="Known", vulnerabilityName="Acme \x1b[2J\u202eAgent"),
        kev_entry("CVE-2021-44228", dueDate="", vulnerabilityName="", requiredAction="Patch.\nNow."),
    ]
    read = read_kev(b"\xef\xbb\xbf" + kev_text(entries), NOW)
    assert (read.version, read.dated_at) == ("2027.01.14", day("2027-01-14") + 15 * 3_600 + 0.1234)
    assert read.rows == (
        ExploitedCve(
            "CVE-2026-1234", "Acme ?[2J?Agent", day("2027-01-10"), day("2027-01-31"), ransomware=True,
            action="Apply mitigations per vendor instructions.",
        ),
        ExploitedCve(
            "CVE-2021-44228", "Acme Agent", day("2027-01-10"), None, ransomware=False, action="Patch.?Now."
        ),
    )  # fmt: skip


def test_what_older_catalogues_leave_out_is_no_fault() -> None:
    entry = {"cveID": "CVE-2026-1234", "dateAdded": "2027-01-10"}
    data = json.dumps({"dateReleased": "2027-01-14T15:00:00Z", "vulnerabilities": [entry]}).encode()
    (row,) = read_kev(data, NOW).rows
    assert (row.name, row.due_at, row.ransomware, row.action) == ("", None, False, "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cveID": "CVE-2026-1"}, "vulnerabilities 2: 'CVE-2026-1' is no CVE number"),
        ({"cveID": "\x1b[2J"}, "is no CVE number"),
        ({"cveID": 5}, r"vulnerabilities\[1\].cveID"),
        ({"cveID": "CVE-2026-0001"}, "CVE-2026-0001 is there twice"),
        ({"dateAdded": "yesterday"}, "vulnerabilities 2, dateAdded is no day: 'yesterday'"),
        ({"dateAdded": "20270110"}, "dateAdded is no day"),
        ({"dateAdded": None}, "dateAdded"),
        ({"dueDate": "2027-02-30"}, "dueDate is no day"),
        ({"requiredAction": "x" * (MAX_ACTION_CHARS + 1)}, "requiredAction"),
        ({"vulnerabilityName": "x" * (MAX_WEAKNESS_CHARS + 1)}, "vulnerabilityName"),
    ],
)
def test_an_entry_beside_its_form_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(IntelligenceFileError, match=words) as caught:
        read_kev(kev_text([kev_entry("CVE-2026-0001"), kev_entry("CVE-2026-1234") | changes]), NOW)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no such JSON"),
        (b"{", "no such JSON"),
        (b"[]", "no such JSON"),
        (b"{}", "dateReleased"),
        (kev_text([]), "no vulnerability"),
        (kev_text(["CVE-2026-1234"], count=2), "says that it has 2 entries, and has 1"),
        (kev_text(["CVE-2026-1234"], dateReleased="soon"), "dateReleased is no time"),
        (kev_text(["CVE-2026-1234"], dateReleased="2027-01-17T00:00:00Z"), "yet to come"),
        (kev_text(["CVE-2026-1234"]).replace(b"Acme", b"\xff\xfe"), "no such JSON"),
        (kev_text(["CVE-2026-1234"]).decode().encode("utf-16"), "no such JSON"),
        (kev_text(["CVE-2026-1234"])[:-3], "no such JSON"),
        (b'{"x":' + b"[" * 200_000, "nested too deeply"),
        (b'{"x":' + b'{"a":' * 200_000, "nested too deeply"),
        (b'{"vulnerabilities":[' + b"[" * 200_000, "."),
    ],
)
def test_what_is_no_catalogue_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(IntelligenceFileError, match=words):
        read_kev(data, NOW)


@pytest.mark.uncounted
def test_caps_hold_at_the_limit_and_one_over() -> None:
    entry = {"cveID": "", "dateAdded": "2027-01-10", "requiredAction": "x" * MAX_ACTION_CHARS}
    (row,) = read_kev(kev_text([kev_entry("CVE-2026-1234", **(entry | {"cveID": "CVE-2026-1234"}))]), NOW).rows
    assert len(row.action) == MAX_ACTION_CHARS
    many = [{"cveID": f"CVE-2026-{number}", "dateAdded": "2027-01-10"} for number in range(10_000, 30_001)]
    assert len(many) == MAX_EXPLOITED + 1
    assert len(read_kev(kev_text(many[:-1]), NOW).rows) == MAX_EXPLOITED
    with pytest.raises(IntelligenceFileError, match="length <= 20000"):
        read_kev(kev_text(many), NOW)
    small = kev_text(["CVE-2026-1234"])
    assert read_kev(small + b" " * (MAX_KEV_BYTES - len(small)), NOW).rows
    with pytest.raises(IntelligenceFileError, match="more than 16 MiB"):
        read_kev(small + b" " * (MAX_KEV_BYTES - len(small) + 1), NOW)


@given(st.recursive(st.none() | st.booleans() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
def test_any_json_is_read_or_refused_in_words(value: Any) -> None:
    for data in (json.dumps(value), json.dumps({"dateReleased": value, "vulnerabilities": [value]})):
        with pytest.raises(IntelligenceFileError):
            read_kev(data.encode(), NOW)
