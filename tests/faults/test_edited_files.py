"""Every kind of text file that people write: saved by any editor, it is read, or the error says how to save it."""

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bandwidth.commands.profile_commands import load as load_checked_profile
from bandwidth.profiles.parse import ProfileError
from p2pdist import settings as endpoint_settings
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.options import MAX_PASSPHRASE_FILE_BYTES, read_passphrase
from seed_server.line.site_map_file import load_sites
from seed_server.publishing.recipe_files import lint_recipe, read_recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import load_settings
from seed_server.signing.key_files import MAX_PASSPHRASE_BYTES
from seed_server.signing.profiles import profile_in_file
from seed_server.signing.templates import template_in_file

PROFILE = 'name = "Böblingen"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'


def signed_profile(path: Path) -> str:
    return profile_in_file(path, "leeds").text.replace("\r\n", "\n")


def site_names(path: Path) -> list[str]:
    return [site.name for site in load_sites(ServerHome(path.parent)).sites]


TOML_FILES: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "an endpoint's settings": (
        "config.toml",
        "mdns = false  # Büro",
        lambda path: endpoint_settings.load_settings(EndpointHome(path.parent)),
    ),
    "a PC's own profile": (
        "throttle-profile.toml",
        PROFILE,
        lambda path: endpoint_settings.load_profile(EndpointHome(path.parent)),
    ),
    "a profile to look at": ("office.toml", PROFILE, lambda path: load_checked_profile(str(path))),
    "a profile to sign": ("office.toml", PROFILE, signed_profile),
    "a server's settings": (
        "server.toml",
        'name = "Böblingen"\naddress = "10.0.0.1"\n',
        lambda path: load_settings(ServerHome(path.parent)),
    ),
    "a site map": (
        "sites.toml",
        '[[site]]\nname = "leeds"\nnetworks = ["10.1.0.0/16"]  # Büro\n',
        site_names,
    ),
    "a recipe": ("acme.toml", 'patch_id = "acme"\nversion = "1"\ntitle = "Für alle"\n', read_recipe),
    "a recipe to look over": (
        "acme.toml",
        'patch_id = "acme"\nversion = "1"\ntitle = "Für alle"\n',
        lambda path: lint_recipe(path, 0.0),
    ),
    "a template": (
        "december.toml",
        'title = "Für alle"\n[[item]]\nlabel = "old"\nexpression = "on_mains"\n',
        lambda path: template_in_file(path, "december"),
    ),
}


@pytest.fixture(params=TOML_FILES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str, Callable[[Path], Any]]:
    name, text, read = TOML_FILES[request.param]
    return tmp_path / name, text, read


Case = tuple[Path, str, Callable[[Path], Any]]


def test_a_byte_order_mark_and_line_ends_of_windows_change_nothing(case: Case) -> None:
    path, text, read = case
    path.write_bytes(text.encode())
    plain = read(path)
    path.write_bytes(codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode())
    assert read(path) == plain


def test_a_byte_order_mark_alone_is_an_empty_file(case: Case) -> None:
    path, _, read = case
    results = []
    for data in (b"", codecs.BOM_UTF8):
        path.write_bytes(data)
        try:
            results.append(str(read(path)))
        except (UserError, ProfileError) as error:  # a key is missing
            results.append(str(error))
    assert results[0] == results[1]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_an_encoding_of_other_unicode_is_named_and_what_to_do(case: Case, encoding: str) -> None:
    path, text, read = case
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""  # the two others write their own
    path.write_bytes(mark + text.encode(encoding))
    message = refusal(read, path)
    assert message.startswith(str(path))
    assert encoding.upper()[:6] in message
    assert "UTF-8" in message
    assert "Notepad" in message


def test_other_bytes_are_named_with_their_line_and_what_to_do(case: Case) -> None:
    path, text, read = case
    line = 1 + text[: text.index("ü" if "ü" in text else "ö")].count("\n")
    path.write_bytes(text.encode("cp1252"))
    message = refusal(read, path)
    assert message.startswith((f"{path}, line {line}: ", f"{path}:{line}: "))
    assert "not UTF-8" in message
    assert "Notepad" in message


def refusal(read: Callable[[Path], Any], path: Path) -> str:
    with pytest.raises((UserError, ProfileError)) as caught:
        read(path)
    if isinstance(caught.value, UserError):
        assert caught.value.kind is FaultKind.BAD_INPUT
    return str(caught.value)


class TestPassphrase:
    @pytest.mark.parametrize(
        "secret",
        [
            "Pferd für später".encode(),
            codecs.BOM_UTF8 + b"correct horse",
            "correct horse".encode("utf-16"),
            bytes(range(128, 160)),
        ],
    )
    @pytest.mark.parametrize("after", [b"", b"\n", b"\r\n"])
    def test_every_byte_counts_but_for_the_line_s_end(self, tmp_path: Path, secret: bytes, after: bytes) -> None:
        path = tmp_path / "passphrase.txt"
        path.write_bytes(secret + after)
        assert read_passphrase(path) == secret, "keys have been encrypted with it"

    def test_longer_than_any_passphrase_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "passphrase.txt"
        path.write_bytes(b"x" * MAX_PASSPHRASE_BYTES + b"\r\n")
        assert read_passphrase(path) == b"x" * MAX_PASSPHRASE_BYTES
        path.write_bytes(b"x" * (MAX_PASSPHRASE_FILE_BYTES + 1))
        assert f"more than {MAX_PASSPHRASE_FILE_BYTES} bytes" in refusal(read_passphrase, path)
