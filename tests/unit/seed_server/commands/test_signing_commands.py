"""`seed-server sign`, `finish`, `prepared` and `keys` as people run them, and `--prepare` of the other commands."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.main import seed_server
from seed_server.signing.bundle import read_bundle
from seed_server.signing.templates import template_names
from seed_server.store.database import Database
from tests.helpers.signing_desk import Company

PROFILE = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'
TEMPLATE = 'title = "OpenSSL"\n[[item]]\nlabel = "old"\nexpression = \'package("openssl") < version("3.0.17")\'\n'


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def write(company: Company, name: str, text: str) -> Path:
    path = company.directory / name
    path.write_text(text)
    return path


def test_publish_in_three_steps_says_what_comes_next(company: Company) -> None:
    file = company.file()
    named = ("publish", file, "--patch-id", "office", "--version", "1.0")
    said = company.on_server(*named, "--prepare", company.bundle)
    assert "publish office 1.0. Nothing is announced yet." in said
    assert "seed-server sign stick.bundle --keys DIR --payload FILE" in said
    listed = company.on_server("prepared")
    assert listed.startswith(read_bundle(company.bundle).bundle_id)
    assert "publish office 1.0, by " in listed
    assert "waits for signatures" in listed
    signed = company.sign(company.alice, "--payload", file)
    assert "patches: 1 of 1 signatures" in signed
    assert "Next: on the server: seed-server finish stick.bundle" in signed
    assert "Done: publish office 1.0\n  office.msi, SHA-256 " in company.on_server(
        "publish", "--finish", company.bundle
    )
    assert company.on_server("prepared") == "Nothing waits for signatures.\n"


def test_finish_takes_nothing_else(company: Company) -> None:
    with pytest.raises(click.UsageError, match="give nothing else"):
        company.on_server("publish", company.file(), "--finish", company.bundle)


def test_a_bundle_that_cannot_be_written_leaves_nothing_waiting(company: Company) -> None:
    with pytest.raises(UserError, match="Cannot write the bundle"):
        company.on_server("renew", "--prepare", company.directory / "none" / "b")
    file, named = company.file(), ("--patch-id", "office", "--version", "1")
    with pytest.raises(UserError, match="Cannot write the bundle"):
        company.on_server("publish", file, *named, "--prepare", company.directory / "none" / "b")
    assert company.on_server("prepared") == "Nothing waits for signatures.\n"
    assert not list(company.home.content.iterdir())


def test_nobody_is_asked_where_nobody_can_answer(company: Company) -> None:
    company.on_server("renew", "--prepare", company.bundle)
    with pytest.raises(UserError, match="sign with --yes") as caught:
        company.elsewhere("sign", company.bundle, "--keys", company.alice)
    assert caught.value.kind is FaultKind.USAGE


@pytest.mark.parametrize(("answer", "signed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked(company: Company, monkeypatch: pytest.MonkeyPatch, answer: str, signed: bool) -> None:
    company.on_server("renew", "--prepare", company.bundle)
    monkeypatch.setattr("seed_server.commands.signing_commands._somebody_answers", lambda: True)
    command = ["sign", str(company.bundle), "--keys", str(company.alice)]
    result = CliRunner().invoke(seed_server, command, input=answer, standalone_mode=False)
    assert "the content stays as it is" in result.output
    assert (result.exception is None) is signed
    assert bool(read_bundle(company.bundle).signatures) is signed


def test_renew_profile_and_template_are_signed_elsewhere_too(company: Company) -> None:
    company.on_server("renew", "--prepare", company.bundle)
    signed = company.sign(company.alice)
    assert all(f"{role}: 1 of 1 signatures" in signed for role in ("root", "targets", "patches", "profiles"))
    company.finish()
    profile = write(company, "office.toml", PROFILE)
    company.on_server("profile", "set", "oslo", profile, "--new-site", "--prepare", company.bundle)
    assert "cap = " in company.sign(company.alice)
    assert company.finish() == "Done: set the profile of oslo\n"
    assert company.on_server("profile", "show", "oslo") == PROFILE
    company.on_server("profile", "clear", "oslo", "--prepare", company.bundle)
    with pytest.raises(UserError, match="does more than add"):
        company.sign(company.alice)
    company.sign(company.alice, "--allow-changes")
    company.finish()
    assert "No site has a profile" in company.on_server("profile", "show")
    with pytest.raises(UserError, match="oslo"):
        company.on_server("profile", "clear", "oslo", "--prepare", company.bundle)


def test_answers_to_a_template_that_is_signed_elsewhere_are_forgotten(company: Company) -> None:
    template = write(company, "openssl.toml", TEMPLATE)
    forgotten = []

    def finish(*options: object) -> None:
        company.sign(company.alice, *options)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Database, "forget_diagnoses", lambda _self, name, _: forgotten.append(name))
            company.finish()

    company.on_server("template", "set", "december", template, "--prepare", company.bundle)
    finish()
    assert template_names(company.repository()) == {"december"}
    company.on_server("template", "remove", "december", "--prepare", company.bundle)
    finish("--allow-changes")
    assert template_names(company.repository()) == set()
    assert forgotten == ["december"]
    with pytest.raises(UserError, match="december"):
        company.on_server("template", "remove", "december", "--prepare", company.bundle)


def publish(company: Company, version: str, *options: object) -> str:
    file = company.file(f"office-{version}.msi", seed=int(version))
    named = ("--patch-id", "office", "--version", version)
    company.on_server("publish", file, *named, "--prepare", company.bundle, *options)
    signed = company.sign(company.alice, "--payload", file, *(("--allow-changes",) if options else ()))
    company.finish()
    return signed


async def test_a_withdrawal_is_signed_elsewhere_too(company: Company) -> None:
    publish(company, "1")
    company.on_server("withdraw", "office", "--reason", "crashes")
    assert await company.seen_by() == []
    assert "not announced" not in company.on_server("status")
    company.on_server("withdraw", "office", "--reason", "late", "--prepare", company.bundle)
    with pytest.raises(UserError, match="does more than add"):
        company.sign(company.alice)
    assert "!!   order of office: " in company.sign(company.alice, "--allow-changes")
    assert company.finish() == "Done: withdraw office\n"
    assert company.repository().publication_order().refusal("office", 1)
    with pytest.raises(UserError, match="office is withdrawn for good already"):
        company.on_server("withdraw", "office", "--reason", "late", "--prepare", company.bundle)
    publish(company, "2")
    assert await company.seen_by() == ["office@2"]
    company.on_server("withdraw", "office", "--reason", "late", "--prepare", company.bundle)
    company.sign(company.alice, "--allow-changes")
    company.finish()
    assert await company.seen_by() == []


async def test_new_versions_are_signed_quietly_and_going_back_is_not(company: Company) -> None:
    for version in ("1", "2", "3"):
        assert "!!" not in publish(company, version)
    assert await company.seen_by() == ["office@3"]
    assert "!!   PCs go back to office@2 from later ones" in publish(company, "2", "--downgrade")
    assert await company.seen_by() == ["office@2"]
    assert "!!" not in publish(company, "4")
    assert await company.seen_by() == ["office@4"]


class TestKeys:
    def test_they_are_listed(self, company: Company) -> None:
        company.two_signers()
        listed = company.on_server("keys", "list").splitlines()
        assert [line.partition(" keys")[0] for line in listed] == [
            "root: 1 of 1", "targets: 1 of 1", "patches: 2 of 2", "profiles: 1 of 1",
        ]  # fmt: skip

    def test_a_new_one_replaces_none(self, company: Company) -> None:
        said = company.elsewhere("keys", "new", "patches", "--keys", company.bob)
        assert "is NOT encrypted" in said
        key = (company.bob / "patches.pem").read_bytes()
        with pytest.raises(UserError, match="is there already"):
            company.elsewhere("keys", "new", "patches", "--keys", company.bob)
        assert (company.bob / "patches.pem").read_bytes() == key

    def test_an_encrypted_one_is_opened_by_its_passphrase(self, company: Company) -> None:
        passphrase = write(company, "passphrase", "correct horse battery\n")
        said = company.elsewhere("keys", "new", "patches", "--keys", company.bob, "--passphrase-file", passphrase)
        assert "it is encrypted" in said
        public = company.bob / "patches.pub"
        company.on_server("keys", "set", "patches", "--add", public, "--prepare", company.bundle)
        options = ("--allow-changes", "--root", company.trusted)
        with pytest.raises(UserError, match="is encrypted"):
            company.sign(company.bob, *options)
        company.sign(company.bob, *options, "--passphrase-file", passphrase)

    def test_a_file_that_is_no_public_key(self, company: Company) -> None:
        for file in (company.alice / "patches.pem", write(company, "x.pub", "x"), company.directory / "none"):
            with pytest.raises(UserError) as caught:
                company.on_server("keys", "set", "patches", "--add", file, "--prepare", company.bundle)
            assert caught.value.kind is FaultKind.BAD_INPUT

    def test_keys_that_may_not_sign_it(self, company: Company) -> None:
        company.elsewhere("keys", "new", "patches", "--keys", company.bob)
        company.on_server("renew", "--prepare", company.bundle)
        with pytest.raises(UserError, match="None of these keys may sign"):
            company.sign(company.bob, "--root", company.trusted)
