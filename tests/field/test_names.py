"""Names that some PC cannot have: they are refused where somebody can still change them, and named."""

from pathlib import Path

import pytest

from p2pdist.shared import durable_files
from p2pdist.shared.identifiers import (
    FILE_NAME_MAX_BYTES,
    InvalidIdentifierError,
    parse_file_name,
    parse_patch_id,
    parse_patch_version,
)

JAPANESE = "更"  # three bytes in UTF-8


@pytest.mark.parametrize("size", [85, 80, 33, 34, 1])
def test_a_name_of_up_to_255_bytes_in_japanese_can_be_placed(size: int, tmp_path: Path) -> None:
    name = parse_file_name(JAPANESE * size)
    source = tmp_path / "source"
    source.write_bytes(b"payload")
    durable_files.link_file(source, tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"payload"
    durable_files.write_file(tmp_path / name, b"again")
    assert (tmp_path / name).read_bytes() == b"again"


def test_one_byte_more_is_refused_in_words() -> None:
    longest = JAPANESE * 85
    assert len(longest.encode()) == FILE_NAME_MAX_BYTES
    with pytest.raises(InvalidIdentifierError, match="it has 256 bytes in UTF-8"):
        parse_file_name(f"{longest}x")


DEVICES = ["CON", "nul", "aux.msi", "Com1.tar.gz", "lpt9", "prn .exe", "COM²"]


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_of_windows_is_no_file_name(name: str) -> None:
    with pytest.raises(InvalidIdentifierError, match="is a device on Windows"):
        parse_file_name(name)


@pytest.mark.parametrize("name", ["con", "nul", "aux.1", "COM3"])
def test_a_device_of_windows_is_no_id_or_version(name: str) -> None:
    for parse in (parse_patch_id, parse_patch_version):
        with pytest.raises(InvalidIdentifierError, match="is a device on Windows"):
            parse(name)


@pytest.mark.parametrize("name", ["console.msi", "com10", "auxiliary", "nullsoft.exe", "lpt", "comx"])
def test_what_only_begins_like_a_device_passes(name: str) -> None:
    assert parse_file_name(name) == name
    assert parse_patch_id(name) == name


def test_a_dot_or_blank_at_the_end_is_named() -> None:
    for name, words in (("acme.", "it ends with a dot"), ("acme ", "it ends with a blank")):
        with pytest.raises(InvalidIdentifierError, match=words):
            parse_file_name(name)
    for parse in (parse_patch_id, parse_patch_version):
        with pytest.raises(InvalidIdentifierError, match="it ends with a dot"):
            parse("2.1.")


def test_a_name_that_is_no_utf8_is_called_that() -> None:
    with pytest.raises(InvalidIdentifierError, match="it is not UTF-8"):
        parse_file_name("caf\udce9.deb")
