"""Identifiers: what comes through them can be a file name, a log line, a database key."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared import identifiers
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import InvalidIdentifierError, PatchRef

PARSERS: list[Callable[[str], str]] = [
    identifiers.parse_patch_id,
    identifiers.parse_patch_version,
    identifiers.parse_site_name,
    identifiers.parse_endpoint_id,
    identifiers.parse_sha256,
    identifiers.parse_torrent_hash,
    identifiers.parse_file_name,
    identifiers.parse_ip_address,
]


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (identifiers.parse_patch_id, "KB5034441"),
        (identifiers.parse_patch_id, "a" * 64),
        (identifiers.parse_patch_version, "1.2.3~rc1+build-4"),
        (identifiers.parse_site_name, "10.0.0.0/24"),
        (identifiers.parse_site_name, "2001:db8::/64"),
        (identifiers.parse_endpoint_id, "a2" * 13),
        (identifiers.parse_sha256, "0f" * 32),
        (identifiers.parse_file_name, "Büro Update (2).msi"),
        (identifiers.parse_file_name, "é" * 127 + "x"),
        (identifiers.parse_ip_address, "127.0.0.1"),
    ],
)
def test_valid_names_pass_unchanged(parse: Callable[[str], str], text: str) -> None:
    assert parse(text) == text


def test_addresses_get_their_normal_form() -> None:
    assert identifiers.parse_ip_address("2001:DB8:0:0::1") == "2001:db8::1"


HOSTILE = ["", "../x", "a/../b", "a\n", "a\0", " a", "-", ".", "..", "a" * 256, "\u202egpj.exe", "\udcff.deb"]
HARMLESS = {
    (identifiers.parse_site_name, "a/../b"),  # a site name is never a path
    (identifiers.parse_file_name, " a"),
    (identifiers.parse_file_name, "-"),
}


@pytest.mark.parametrize(
    ("parse", "text"), [(parse, text) for parse in PARSERS for text in HOSTILE if (parse, text) not in HARMLESS]
)
def test_no_parser_lets_these_pass(parse: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidIdentifierError):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (identifiers.parse_patch_id, "a" * 65),
        (identifiers.parse_site_name, "a" * 65),
        (identifiers.parse_endpoint_id, "a2" * 13 + "a"),
        (identifiers.parse_endpoint_id, "A2" * 13),
        (identifiers.parse_sha256, "0F" * 32),
        (identifiers.parse_sha256, "0f" * 32 + "\n"),
        (identifiers.parse_file_name, "é" * 128),
        (identifiers.parse_file_name, "con:stream"),
        (identifiers.parse_file_name, "trailing."),
        (identifiers.parse_ip_address, "127.0.0.1/8"),
        (identifiers.parse_ip_address, "127.1"),
    ],
)
def test_one_over_the_limit_or_beside_the_form_fails(parse: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidIdentifierError):
        parse(text)


@given(st.text(max_size=300))
def test_any_text_passes_or_raises_with_a_short_message(text: str) -> None:
    for parse in PARSERS:
        message = ""
        try:
            result = parse(text)
        except InvalidIdentifierError as error:
            message = str(error)
        else:
            assert result.isprintable()
            assert parse(result) == result
        assert len(message) < 1_000


@given(st.binary(min_size=1, max_size=200), st.binary(min_size=1, max_size=200))
def test_an_endpoint_id_is_a_valid_name_of_its_key_alone(first: bytes, second: bytes) -> None:
    names = {identifiers.endpoint_id_of_public_key(key) for key in (first, second)}
    assert len(names) == len({first, second})
    assert all(identifiers.parse_endpoint_id(name) == name for name in names)


@pytest.mark.parametrize(("text", "version"), [("acme", ""), ("acme@2.1", "2.1")])
def test_a_person_names_a_patch_with_or_without_its_version(text: str, version: str) -> None:
    assert identifiers.given_name(PatchRef.named, text) == PatchRef("acme", version)


@pytest.mark.parametrize("text", ["", "a/b", "acme@", "acme@1/2"])
def test_a_wrong_name_is_the_fault_of_who_gave_it(text: str) -> None:
    with pytest.raises(UserError) as caught:
        identifiers.given_name(PatchRef.named, text)
    assert caught.value.kind is FaultKind.BAD_INPUT
