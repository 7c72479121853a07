"""The server's own page: parts, signatures, backup, disk; each with its state, also where it cannot be read."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from seed_server.store.last_backup import LastBackup, write_last_backup
from tests.helpers.certificates import Authority
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import BEGIN, Company

pytestmark = pytest.mark.trio
DAY = 86_400.0


async def test_all_of_it_is_told_to_who_may_look(company: Company) -> None:
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/server")
    assert answer.status == 200
    for words in ("hq", "SQLite", "timestamp", "patches", "by hand: seed-server renew", "1 of 1", "There is no backup",
                  "files of patches", "no: PCs are served nothing new"):  # fmt: skip
        assert words in answer.words, words
    assert "/server/disk" in answer.links
    assert len(answer.body) < 30_000


async def test_a_backup_is_told_by_its_age(company: Company) -> None:
    home = company.context.home
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        write_last_backup(home, LastBackup(BEGIN, '/b"><script>alert(1)</script>', files=7, bytes=1_000_000))
        young = await browser.get("/server")
        assert "recent enough" in young.words
        assert "<script>alert" not in young.text
        write_last_backup(home, LastBackup(BEGIN - 4 * DAY, "/backup", files=7))
        assert "too old: it is to be made every 3 d" in (await browser.get("/server")).words
        write_last_backup(home, LastBackup(BEGIN, "/backup", faults=1))
        assert "lacks files" in (await browser.get("/server")).words


async def test_what_is_about_to_end_is_no_good_state(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        assert "has ended" not in (await browser.get("/server")).words
        company.clock.wall += 100 * DAY
        answer = await browser.get("/server")
    assert "has ended" in answer.words
    assert "seed-server renew" in answer.words
    assert "harms already" in answer.words


async def test_the_certificate_that_browsers_are_shown_is_told_with_its_end(company: Company, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = Authority("Example").leaf(key.public_key(), "hq.example", life=timedelta(days=90))
    certificate, key_file = tmp_path / "hq.pem", tmp_path / "hq.key"
    certificate.write_text(leaf)
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key_file.chmod(0o600)
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        assert "certificate of pages and API" in (await browser.get("/server")).words
        written = company.context.home.settings.read_text()
        named = f'api_certificate = "{certificate}"\napi_key = "{key_file}"\n'
        company.context.home.settings.write_text(named + written)
        assert f"by whoever renews {certificate}" in (await browser.get("/server")).words
        certificate.write_text("<script>alert(1)</script>")
        wrong = await browser.get("/server")
    assert (wrong.status, "cannot be used" in wrong.words) == (200, True)
    assert "has no certificate that can be read" in wrong.words
    assert "<script>alert" not in wrong.text


async def test_signed_files_that_cannot_be_read_take_nothing_else_away(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        (company.context.home.tuf_metadata / "timestamp.json").write_text("{")
        answer = await browser.get("/server")
    assert answer.status == 200
    assert "The signed files cannot be read" in answer.words
    assert "SQLite" in answer.words


async def test_files_of_patches_are_told_with_what_they_are_for(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        answer = await browser.get("/server/disk")
        assert answer.status == 200
        assert "/patches/office@1" in answer.links
        assert "needed" in answer.words
        assert (await browser.get("/server/disk?after=50")).status == 200
        assert (await browser.get("/server/disk?after=x")).status == 422
