"""`p2pdist.shared.manifest.versions`: the orders of Debian, RPM and Windows, held against Debian's own program."""

import contextlib
import itertools
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pdist.shared.manifest.versions import MAX_VERSION_CHARS, Ecosystem, InvalidVersionError, parse_version

ASCENDING = {
    # Debian policy 5.6.12, and what its program says
    Ecosystem.DEB: [
        "0~~", "0~~a", "0~", "0", "0a", "0+", "1.0~beta1~svn1245", "1.0~beta1", "1.0", "1.0-1~deb12u2", "1.0-1",
        "1.0-1+b1", "1.0+dfsg-1", "1.9", "1.10", "1.10.1", "3.0.17-1", "1:0.1", "2:0",
    ],
    # the examples of rpmvercmp's own tests
    Ecosystem.RPM: [
        "1.0~rc1", "1.0", "1.0^", "1.0^20160101", "1.0.1", "1.0.1a", "1.0.2", "5.5p1", "5.5p10", "10xyz", "10.0001.1",
        "2000101", "20000101", "1:0.5-1", "1:0.5-2", "1:0.5-10",
    ],
    Ecosystem.WINDOWS: ["6.1.7601", "10.0.19045", "10.0.19045.4046", "10.0.22631.3155", "11"],
    Ecosystem.GENERIC: [
        "0.9", "1.0-dev", "1.0a1", "1.0-alpha2", "1.0b1", "1.0rc1", "1.0-rc2", "1", "1.0-post1", "1.0.1", "1.2", "1.10",
        "v2", "22.04",
    ],
}  # fmt: skip


@pytest.mark.parametrize("ecosystem", Ecosystem)
def test_order(ecosystem: Ecosystem) -> None:
    versions = [parse_version(text, ecosystem) for text in ASCENDING[ecosystem]]
    for (i, a), (j, b) in itertools.product(enumerate(versions), repeat=2):
        assert (a < b, a == b, a > b) == (i < j, i == j, i > j), (str(a), str(b))


@pytest.mark.parametrize(
    ("ecosystem", "one", "other"),
    [
        (Ecosystem.DEB, "1.0", "1.00"),
        (Ecosystem.DEB, "0:1.0-0", "1.0"),
        (Ecosystem.RPM, "1.0", "1-0".replace("-", ".")),
        (Ecosystem.RPM, "1.05", "1_5"),
        (Ecosystem.WINDOWS, "10", "10.0.0.0"),
        (Ecosystem.GENERIC, "V1.0", "1"),
    ],
)
def test_written_differently_and_equal(ecosystem: Ecosystem, one: str, other: str) -> None:
    a, b = parse_version(one, ecosystem), parse_version(other, ecosystem)
    assert a == b
    assert hash(a) == hash(b)
    assert str(a) == one


@pytest.mark.parametrize(
    ("ecosystem", "text"),
    [
        (Ecosystem.DEB, "a1"), (Ecosystem.DEB, "1 0"), (Ecosystem.DEB, "x:1"), (Ecosystem.RPM, "1-2-3"),
        (Ecosystem.WINDOWS, "1.2.3.4.5"), (Ecosystem.WINDOWS, "10.x"), (Ecosystem.GENERIC, "latest"),
        (Ecosystem.GENERIC, ""), (Ecosystem.GENERIC, "1" * (MAX_VERSION_CHARS + 1)), (Ecosystem.DEB, "1.0é"),
        (Ecosystem.DEB, "1.0\n"),
    ],
)  # fmt: skip
def test_no_version(ecosystem: Ecosystem, text: str) -> None:
    with pytest.raises(InvalidVersionError):
        parse_version(text, ecosystem)


def test_the_longest_is_one() -> None:
    assert parse_version("1" * MAX_VERSION_CHARS, Ecosystem.GENERIC) > parse_version("2", Ecosystem.GENERIC)


def test_of_different_ecosystems() -> None:
    with pytest.raises(InvalidVersionError, match="deb version cannot be compared with a rpm version"):
        assert parse_version("1", Ecosystem.DEB) < parse_version("1", Ecosystem.RPM)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg, the program of Debian's own order")
@settings(max_examples=60, deadline=None)
@given(versions=st.tuples(*[st.from_regex(r"([0-3]:)?[0-9][a-c0-9.+~]{0,6}(-[a-c0-9+.~]{1,4})?", fullmatch=True)] * 2))
def test_as_dpkg_says(versions: tuple[str, str]) -> None:
    a, b = (parse_version(text, Ecosystem.DEB) for text in versions)
    for operator, holds in (("lt", a < b), ("eq", a == b)):
        said = subprocess.run(["dpkg", "--compare-versions", versions[0], operator, versions[1]], check=False)
        assert (said.returncode == 0) is holds, (versions, operator)


@given(st.text(max_size=40), st.sampled_from(Ecosystem))
def test_any_text_is_a_version_or_said_to_be_none(text: str, ecosystem: Ecosystem) -> None:
    version = None
    with contextlib.suppress(InvalidVersionError):
        version = parse_version(text, ecosystem)
    if version is None:
        with pytest.raises(InvalidVersionError, match="is not a"):
            parse_version(text, ecosystem)
    else:
        assert version == parse_version(text, ecosystem)
