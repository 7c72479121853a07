"""Names that some PC cannot have: they are refused where somebody can still change them, and named."""

from pathlib import Path

import click
import pytest

from p2pdist.commands.main import p2pdist as p2pdist_command
from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import (
    FILE_NAME_MAX_BYTES,
    InvalidIdentifierError,
    PatchRef,
    parse_file_name,
    parse_patch_id,
    parse_patch_version,
)
from p2pdist.shared.manifest.documents import Rollouts
from p2pdist.shared.manifest.publication_order import NOTHING_PUBLISHED
from p2pdist.shared.private_directory import check_home_name
from seed_server.commands.main import seed_server
from seed_server.publishing.plan import check_new_name
from seed_server.publishing.recipe import Recipe, recipe_problems
from tests.helpers.patch_views import manifest, payload

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


def test_a_title_that_is_no_utf8_is_called_that() -> None:
    (problem,) = recipe_problems(Recipe(title="caf\udce9"))
    assert (problem.where, problem.text) == ("title", "title: it is not UTF-8; write one line of text in UTF-8")


def test_a_home_that_is_no_utf8_is_refused_in_one_sentence(tmp_path: Path) -> None:
    check_home_name(tmp_path / "日本")
    with pytest.raises(UserError, match=r"has a name that is not UTF-8\. Rename it") as caught:
        check_home_name(tmp_path / "caf\udce9")
    assert caught.value.kind is FaultKind.BAD_INPUT
    caught.value.message.encode()


@pytest.mark.parametrize("command", [p2pdist_command, seed_server])
def test_every_command_refuses_such_a_home(command: click.Group) -> None:
    names = {"enrol", "run", "status"} if command is p2pdist_command else {"publish", "serve", "status"}
    for name in names:
        (option,) = (one for one in command.commands[name].params if "--home" in one.opts)
        assert option.callback is not None
        with pytest.raises(UserError, match="not UTF-8"):
            option.callback(click.Context(command), option, Path("/home/caf\udce9"))


@pytest.mark.parametrize(("patch_id", "version"), [("Acme", "2"), ("acme", "1.0B")])
def test_names_that_differ_by_case_alone_are_one_folder_on_some_pcs(patch_id: str, version: str) -> None:
    published = [manifest(PatchRef("acme", "1.0b"), payload())]
    with pytest.raises(UserError, match="differs by capitals alone from"):
        check_new_name(Recipe(patch_id=patch_id, version=version), published, Rollouts(1, []), NOTHING_PUBLISHED)
