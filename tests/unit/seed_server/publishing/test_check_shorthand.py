"""`seed_server.publishing.check_shorthand`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.manifest.recipe import Check, CommandCheck, FileCheck, PackageCheck, UnitCheck
from seed_server.publishing.check_shorthand import EXAMPLES, CheckTextError, parse_check


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("package acme >= 2.1", PackageCheck(name="acme", at_least="2.1")),
        ("package acme>=1:2.1-3~deb12u2", PackageCheck(name="acme", at_least="1:2.1-3~deb12u2")),
        ("package Acme Reader (x64) >= 11.2", PackageCheck(name="Acme Reader (x64)", at_least="11.2")),
        ("package 'Acme Reader' >= 11.2", PackageCheck(name="Acme Reader", at_least="11.2")),
        ("file /opt/acme/VERSION", FileCheck(path="/opt/acme/VERSION")),
        ("file /a b sha256=" + "AB" * 32, FileCheck(path="/a b", sha256="ab" * 32)),
        ("file /a sha256=12", FileCheck(path="/a", sha256="12")),  # refused later, as in a recipe
        (r'file "C:\Program Files\a.exe"', FileCheck(path=r"C:\Program Files\a.exe")),
        ("command /bin/true", CommandCheck(command=("/bin/true",))),
        ("command /bin/a -x 'b c' => 2.1 ok", CommandCheck(command=("/bin/a", "-x", "b c"), output="2.1 ok")),
        ('command /bin/a "b => c" #d ; $(e)', CommandCheck(command=("/bin/a", "b => c", "#d", ";", "$(e)"))),
        (r'command "C:\a b\c.exe" \n', CommandCheck(command=(r"C:\a b\c.exe", r"\n"))),
        ("unit acme@1.service", UnitCheck(unit="acme@1.service")),
        ("  unit   acme ", UnitCheck(unit="acme")),
    ],
)
def test_a_text_is_a_check(text: str, check: Check) -> None:
    assert parse_check(text) == check


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write one of: package"),
        ("acme >= 2", "'acme >= 2' is no check"),
        ("package acme", "is not whole; write: package acme-agent >= 2.1"),
        ("package >= 2", "is not whole"),
        ("file", "is not whole; write: file"),
        ("command", "is not whole; write: command"),
        ("command => x", "is not whole"),
        ("command 'a", "close the quotation mark"),
        ("unit", "is not whole; write: unit"),
    ],
)
def test_what_is_no_check_says_what_to_write(text: str, words: str) -> None:
    with pytest.raises(CheckTextError, match=words):
        parse_check(text)


@given(st.sampled_from(list(EXAMPLES)), st.text(max_size=40))
def test_any_text_is_a_check_or_refused(kind: str, rest: str) -> None:
    try:
        check = parse_check(f"{kind} {rest}")
    except CheckTextError:
        return
    assert check.__struct_config__.tag == kind
