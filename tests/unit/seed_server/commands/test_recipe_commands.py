"""`seed-server publish` with a recipe or its options, and `lint`, as a person runs them."""

import json
import re
import sys
from pathlib import Path

import pytest

from bench import sample_packages as packages
from p2pdist.shared.console import ExitCode, run_command_line
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.recipe import (
    CommandCheck,
    DebInstall,
    HealthCheck,
    MsiInstall,
    PackageCheck,
    ScheduleRules,
    ScriptInstall,
    UnitCheck,
)
from seed_server.commands.main import seed_server
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings, load_settings
from seed_server.signing.repository import Repository

CODE = "{90160000-0011-0000-0000-0000000FF1CE}"
RECIPE = """\
patch_id = "acme"
version = "2.1"
title = "Acme"
applies_to = 'os.family == "debian"'
[[payload]]
file = "acme.deb"
[[payload]]
file = "acme-ja.deb"
language = "ja"
[install]
kind = "deb"
package = "acme"
[health]
checks = [{ kind = "unit", unit = "acme.service" }]
[schedule]
windows = ["22:00-05:00"]
deadline = 2130-01-01T00:00:00
"""


class Shell:
    """An initialised home, and a folder with a recipe elsewhere."""

    def __init__(self, directory: Path, capture: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = ServerHome(directory / "home")
        initialise(self.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=1_900_000_000.0)
        self.folder = directory / "recipes"
        self.folder.mkdir()
        for name, packed in (("acme.deb", "gz"), ("acme-ja.deb", "xz")):
            (self.folder / name).write_bytes(packages.deb(arch="all", packed=packed))
        (self.folder / "other.deb").write_bytes(packages.deb(version="2.2"))
        (self.folder / "acme.sh").write_bytes(b"#!/bin/sh\n")
        (self.folder / "acme.msi").write_bytes(packages.msi(code=CODE))
        self.recipe = self.folder / "acme.toml"
        self.recipe.write_text(RECIPE)
        self._capture = capture
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("SEED_SERVER_HOME", str(self.home.root))
        monkeypatch.setattr("seed_server.commands.recipe_commands._warn_of_expiry", lambda _: None)

    def __call__(self, *arguments: object, code: int = 0) -> str:
        """Return what the command printed; where it failed, with standard error."""
        self._monkeypatch.setattr(sys, "argv", ["seed-server", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_command_line(seed_server)
        output, errors = self._capture.readouterr()
        assert (ended.value.code or 0) == code, errors
        return output + errors if code else output

    def pack(self, version: str) -> None:
        """Write the recipe's packages, which differ when they are unpacked as well."""
        for name, control in (("acme.deb", "en"), ("acme-ja.deb", "ja")):
            text = (
                f"Package: acme\nVersion: {version}\nArchitecture: all\nMaintainer: {control} <x@y>\nDescription: x\n"
            )
            (self.folder / name).write_bytes(packages.deb(packed="xz", control=text))

    def manifests(self) -> list[Manifest]:
        return Repository.open(self.home, load_settings(self.home)).manifests()


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, capsys, monkeypatch)


def test_a_recipe_is_published_with_all_its_files(shell: Shell) -> None:
    printed = shell("publish", "--recipe", shell.recipe)
    assert "Published acme 2.1: 2 files" in printed
    assert "any other: acme.deb, " in printed
    assert "ja: acme-ja.deb, " in printed
    (manifest,) = shell.manifests()
    assert [(payload.file_name, payload.language) for payload in manifest.payloads] == [
        ("acme.deb", ""),
        ("acme-ja.deb", "ja"),
    ]
    assert (manifest.title, manifest.install) == ("Acme", DebInstall(package="acme", version="2.1"))
    assert "acme.deb: Debian package acme 2.1 (all)" in printed
    assert manifest.schedule == ScheduleRules(windows=("22:00-05:00",), deadline="2130-01-01T00:00:00")
    (patch,) = json.loads(shell("status", "--json"))["patches"]
    assert [payload["file_name"] for payload in patch["payloads"]] == ["acme.deb", "acme-ja.deb"]


def test_files_are_unpacked_and_it_is_said_what_lines_will_carry(shell: Shell) -> None:
    shell.recipe.write_text(RECIPE.replace("[[payload]]", "repack = true\n[[payload]]", 1))
    shell.pack("2.1")
    linted = shell("lint", shell.recipe)
    told = json.loads(shell("lint", shell.recipe, "--json"))["repacked"]
    printed = shell("publish", "--recipe", shell.recipe)
    unpacked = re.compile(r"acme.deb: .*B, unpacked to .*B: the next version needs a fraction of it over the line")
    assert unpacked.search(printed)
    assert unpacked.search(linted), "before anything is published"
    assert "Expected over each site's line:\n  acme.deb: where none has a former version: " in printed
    shell.pack("2.2")
    found = json.loads(shell("publish", "--recipe", shell.recipe, "--version", "2.2", "--json"))
    assert [one.keys() for one in told] == [one.keys() for one in found["repacked"]]
    assert [(one["file_name"], one["left_alone"]) for one in found["repacked"]] == [
        ("acme.deb", None),
        ("acme-ja.deb", None),
    ]
    assert [(one["file_name"], one["base"]) for one in found["expected"]] == [
        ("acme.deb", "acme@2.1"),
        ("acme.deb", None),
        ("acme-ja.deb", "acme@2.1"),
        ("acme-ja.deb", None),
    ]


def test_what_is_left_alone_is_said_with_the_reason(shell: Shell) -> None:
    printed = shell("publish", shell.folder / "acme.msi", "--patch-id", "acme", "--version", "1", "--repack")
    assert "acme.msi is published as it is: an installer's database is not changed" in printed
    bundle = shell.folder / "b.bundle"
    prepared = shell(
        *("publish", shell.folder / "other.deb", "--patch-id", "other", "--version", "1", "--repack"),
        *("--prepare", bundle),
    )
    assert "other.deb: " in prepared
    assert "unpacked to " in prepared
    assert "Expected over each site's line:\n  where none has a former version: " in prepared


def test_options_say_what_a_recipe_would(shell: Shell) -> None:
    facts = json.loads(
        shell(
            *("publish", shell.folder / "acme.sh", "--patch-id", "acme", "--version", "2.1", "--json"),
            *("--applies-to", 'os.family == "debian"', "--install", "script", "--interpreter", "sh"),
            *("--argument", "-x", "--argument", "a b", "--detect", "package acme >= 2.1"),
            *("--health", "unit acme.service", "--health", "command /usr/bin/acme -V => 2.1"),
            *("--window", "mon-fri 22:00-05:00", "--window", "sun 01:00-02:00", "--deadline", "2130-01-01T18:00"),
            *("--emergency", "--supersedes", "old", "--supersedes", "older@1", "--conflicts", "beta"),
        )
    )
    assert [payload["file_name"] for payload in facts["payloads"]] == ["acme.sh"]
    (manifest,) = shell.manifests()
    assert manifest.applies_to == 'os.family == "debian"'
    assert manifest.install == ScriptInstall(interpreter="sh", arguments=("-x", "a b"))
    assert manifest.detect == (PackageCheck(name="acme", at_least="2.1"),)
    assert manifest.health == HealthCheck(
        checks=(UnitCheck(unit="acme.service"), CommandCheck(command=("/usr/bin/acme", "-V"), output="2.1"))
    )
    assert manifest.schedule == ScheduleRules(
        windows=("mon-fri 22:00-05:00", "sun 01:00-02:00"), deadline="2130-01-01T18:00", emergency=True
    )
    assert (manifest.supersedes, manifest.conflicts) == (("old", "older@1"), ("beta",))


def test_an_option_beside_a_recipe_counts_first(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.recipe.write_text(RECIPE.replace('[[payload]]\nfile = "acme-ja.deb"\nlanguage = "ja"\n', ""))
    monkeypatch.chdir(shell.folder.parent)
    shell(
        *("publish", "recipes/acme.msi", "--recipe", "recipes/acme.toml", "--version", "2.2"),
        *("--install", "msi", "--product-code", CODE, "--detect", "package Acme >= 2.2"),
    )
    (manifest,) = shell.manifests()
    assert (str(manifest.ref), manifest.title) == ("acme@2.2", "Acme")
    assert manifest.payloads[0].file_name == "acme.msi"
    assert manifest.install == MsiInstall(product_code=CODE)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), ExitCode.USAGE, "FILE is missing; give it, or a --recipe"),
        (("acme.deb",), ExitCode.USAGE, "--patch-id is missing"),
        (("other.deb", "--recipe", "acme.toml"), ExitCode.USAGE, "names 2 files"),
        (("--recipe", "acme.toml", "--health", "acme"), ExitCode.USAGE, "is no check"),
        (("--recipe", "acme.toml", "--install", "msu"), ExitCode.USAGE, "--install msu needs --kb"),
        (("acme.deb", "--patch-id", "a"), ExitCode.USAGE, "--version is missing"),
        (("acme.sh", "--patch-id", "a", "--install", "deb"), ExitCode.BAD_INPUT, "acme.sh: it is no Debian package"),
        (("--recipe", "acme.toml", "--window", "never"), ExitCode.BAD_INPUT, "'never' is no window"),
        (("--recipe", "acme.toml", "--requires", "base"), ExitCode.BAD_INPUT, "requires base, which is not published"),
        (("--recipe", "acme.toml", "--applies-to", "arch == 1"), ExitCode.BAD_INPUT, "    arch == 1\n    ^"),
        (("--recipe", "none.toml"), ExitCode.BAD_INPUT, "Cannot read recipe none.toml"),
    ],
)
def test_publish_refuses(
    shell: Shell, arguments: tuple[str, ...], code: ExitCode, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shell.folder)
    assert words in shell("publish", *arguments, code=code)
    assert shell.manifests() == []
    assert not list(shell.home.content.iterdir())


def test_lint_of_a_good_recipe(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEED_SERVER_HOME")  # it needs none
    assert shell("lint", shell.recipe).splitlines() == [
        "acme.deb: Debian package acme 2.1 (all)",
        "acme-ja.deb: Debian package acme 2.1 (all)",
        f"{shell.recipe} can be published.",
    ]
    shell.recipe.write_text(RECIPE.replace("2130", "2020"))
    printed = shell("lint", shell.recipe)
    assert f"{shell.recipe}, line 17, column 12: warning: schedule, deadline: 2020-01-01T00:00:00 is over" in printed
    assert "can be published, with 1 warning." in printed
    facts = json.loads(shell("lint", shell.recipe, "--json"))
    assert facts["valid"] is True
    assert [(one["level"], one["line"], one["where"]) for one in facts["findings"]] == [
        ("warning", 17, "schedule, deadline")
    ]


def test_lint_with_a_home_counts_what_is_published(shell: Shell) -> None:
    assert "can be published" in shell("lint", shell.recipe)
    shell("publish", "--recipe", shell.recipe)
    published = shell("publish", "--recipe", shell.recipe, code=ExitCode.BAD_INPUT)
    said = shell("lint", shell.recipe, code=ExitCode.BAD_INPUT)
    words = "acme 2.1 is published already, just like this."
    assert words in published
    assert f"{shell.recipe}, line 2, column 11: error: {words}" in said


def test_lint_of_a_wrong_recipe(shell: Shell) -> None:
    shell.recipe.write_text(RECIPE.replace("os.family", "os.famly").replace("acme-ja", "none"))
    printed = shell("lint", shell.recipe, code=ExitCode.BAD_INPUT)
    assert f"{shell.recipe}, line 4, column 15: error: applies_to: column 1: there is no fact 'os.famly'" in printed
    assert '    os.famly == "debian"\n    ^' in printed
    assert "line 8, column 8: error: payload 2, file: There is no file" in printed
    assert "cannot be published: 2 errors." in printed
    printed = shell("lint", shell.recipe, "--json", code=ExitCode.BAD_INPUT)
    facts, end = json.JSONDecoder().raw_decode(printed)
    assert printed[end:] == f"\nerror: {shell.recipe} cannot be published: 2 errors.\n", "no second document"
    assert (facts["valid"], len(facts["findings"]), facts["findings"][0]["column"]) == (False, 2, 15)


def test_going_back_is_asked_for(shell: Shell) -> None:
    def publish(name: str, version: str, *options: str, code: int = 0) -> str:
        return shell("publish", shell.folder / name, "--patch-id", "acme", "--version", version, *options, code=code)

    publish("acme.deb", "2.0")
    publish("other.deb", "2.1")
    assert "add --downgrade" in publish("acme.deb", "2.0", code=ExitCode.BAD_INPUT)
    publish("acme.deb", "2.0", "--downgrade")
    assert {str(one.ref): (one.number, one.downgrade) for one in shell.manifests()} == {
        "acme@2.0": (3, True),
        "acme@2.1": (2, False),
    }
