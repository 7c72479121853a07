"""`seed_server.publishing.copying`: with `repack`, the stored form is published, signed, repaired and compared."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest

from bench import sample_packages as packages
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.recipe import DebInstall
from seed_server.deltas.prediction import kept_prediction
from seed_server.initialising import initialise
from seed_server.publishing.copying import Repacked
from seed_server.publishing.examination import Publication
from seed_server.publishing.plan import choose_piece_length
from seed_server.publishing.publish import Published, publish
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.publishing.repack import plan_repack
from seed_server.publishing.stored_form import StoredForm
from seed_server.publishing.torrent_builder import build_torrent
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signer.payloads import compare_payloads
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.content_store import ContentStore
from tests.helpers.fake_clock import FakeClock

CLOCK = FakeClock(1_900_000_000.0)
TEXT = b"".join(b"line %d of a long text\n" % n for n in range(40_000))


class Server:
    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, ServerHome(folder / "home")
        initialise(self.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=CLOCK.now())

    def publish(self, *files: Path, version: str = "1.0", repack: bool = True, deb: bool = False) -> Published:
        payload = tuple(
            PayloadFile(file.as_posix(), language="" if n == 0 else f"l{n}") for n, file in enumerate(files)
        )
        recipe = Recipe(
            patch_id="acme", version=version, payload=payload, repack=repack, install=DebInstall() if deb else None
        )
        return publish(self.home, Publication(recipe), OfflineKeys(self.home.offline_keys, None), clock=CLOCK)

    def content(self) -> dict[str, bytes]:
        files = [path for path in self.home.content.iterdir() if path.suffix != ".pieces"]
        return {path.name: path.read_bytes() for path in files}


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def written(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def stored(data: bytes) -> bytes:
    plan = plan_repack(io.BytesIO(data))
    assert isinstance(plan, StoredForm)
    return b"".join(plan.parts(io.BytesIO(data)))


def test_the_stored_form_is_published_and_the_others_are_left_alone_with_the_reason(server: Server) -> None:
    package = packages.deb("acme", "1.0")
    files = [written(server.folder, "acme.deb", package), written(server.folder, "acme.exe", b"MZ" + TEXT)]
    published = server.publish(*files)
    form = packages.deb("acme", "1.0", packed="")
    assert [row.sha256 for row in published.payloads] == [
        hashlib.sha256(form).hexdigest(),
        hashlib.sha256(b"MZ" + TEXT).hexdigest(),
    ]
    assert published.patch.length_bytes == len(form)
    assert server.content()[published.patch.sha256] == form
    assert published.repacked == (
        Repacked("acme.deb", len(package), len(form), ""),
        Repacked("acme.exe", len(TEXT) + 2, len(TEXT) + 2, "a program is not changed"),
    )


def test_without_it_files_are_as_they_are(server: Server) -> None:
    package = packages.deb("acme", "1.0")
    published = server.publish(written(server.folder, "acme.deb", package), repack=False, deb=True)
    assert (published.repacked, server.content()) == ((), {published.patch.sha256: package})


def test_the_same_file_repairs_it(server: Server) -> None:
    file = written(server.folder, "acme.deb", packages.deb("acme", "1.0"))
    sha256 = server.publish(file).patch.sha256
    (server.home.content / sha256).unlink()
    again = server.publish(file)
    assert (again.repaired, again.patch.sha256) == (True, sha256)
    assert sha256 in server.content()


@pytest.mark.parametrize(
    ("name", "data"),
    [("acme.zip", packages.zipped({"a": TEXT})[:-9]), ("acme.deb", packages.deb()[:-2])],
)
def test_a_damaged_file_is_refused_and_nothing_stays(server: Server, name: str, data: bytes) -> None:
    with pytest.raises(UserError, match="cannot be unpacked: it .*without --repack") as caught:
        server.publish(written(server.folder, name, data))
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert server.content() == {}


def test_damage_that_is_seen_while_it_is_unpacked_leaves_nothing(server: Server) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", TEXT)
    data = bytearray(made.getvalue())
    data[archive.start_dir + 16] ^= 1  # its checksum
    with pytest.raises(UserError, match="the member 'a' is damaged"):
        server.publish(written(server.folder, "a.zip", bytes(data)))
    assert list(server.home.content.iterdir()) == []


def test_a_disk_without_room_is_said_before_anything_is_written(server: Server) -> None:
    bomb = server.folder / "zeros.tar.gz"
    bomb.write_bytes(packages.tar({"zeros": bytes(30_000_000)}))
    free = shutil.disk_usage(server.home.content).free
    store = ContentStore(server.home.content, min_free_bytes_after_copy=free - 10_000_000)
    with bomb.open("rb") as file:
        form = plan_repack(file)
    assert isinstance(form, StoredForm)
    with pytest.raises(UserError, match="free") as caught, store.incoming(bomb, lambda *_: None, form=_Unread(form)):
        pass
    assert caught.value.kind is FaultKind.STORAGE


class _Unread:
    """A form of which nothing may be read."""

    def __init__(self, form: StoredForm) -> None:
        self.length_bytes = form.length_bytes

    def parts(self, file: BinaryIO, /) -> Iterator[bytes]:
        raise AssertionError("it was read")


def test_what_it_will_take_of_lines_is_told_and_kept(server: Server) -> None:
    first = server.publish(written(server.folder, "a.tar.gz", packages.tar({"a": TEXT})))
    assert first.predicted[0] is not None
    assert first.predicted[0].bases == ()
    new = packages.tar({"a": TEXT[:400_000] + b"changed" + TEXT[400_000:]})
    second = server.publish(written(server.folder, "a.tar.gz", new), version="1.1")
    (prediction,) = second.predicted
    assert prediction is not None
    (base,) = prediction.bases
    assert (base.patch, base.sha256) == ("acme@1.0", first.patch.sha256)
    assert base.expected.most < prediction.alone.least
    assert kept_prediction(server.home.coded, second.patch.sha256) == prediction


def prepared_elsewhere(folder: Path) -> tuple[Manifest, Path, str]:
    """Return a manifest of a package that was unpacked, the package, and the SHA-256 of the unpacked one, beside it."""
    package = packages.deb("acme", "1.0")
    file, form = written(folder, "acme.deb", package), stored(package)
    sha256 = hashlib.sha256(form).hexdigest()
    built = build_torrent(written(folder, sha256, form), choose_piece_length(len(form)), lambda *_: None)
    payload = Payload(file_name="acme.deb", length_bytes=len(form), sha256=sha256, torrent_hash=built.torrent_hash)
    manifest = Manifest(
        format=1, patch_id="acme", version="1.0", title="", severity="medium", cvss=None, published_at=1,
        payloads=[payload],
    )  # fmt: skip
    return manifest, file, sha256


def test_a_signer_compares_the_file_as_it_was_given(tmp_path: Path) -> None:
    manifest, file, sha256 = prepared_elsewhere(tmp_path)
    assert compare_payloads([manifest], {}, [file], lambda *_: None) == []
    assert compare_payloads([manifest], {}, [tmp_path / sha256], lambda *_: None) == []
    other = written(tmp_path, "other.deb", packages.deb("acme", "1.1"))
    with pytest.raises(UserError, match="is no file of this bundle") as caught:
        compare_payloads([manifest], {}, [other], lambda *_: None)
    assert caught.value.kind is FaultKind.REFUSED


def test_a_signer_without_room_to_unpack_is_told_before_it_is_written(tmp_path: Path) -> None:
    manifest, file, _ = prepared_elsewhere(tmp_path)
    with pytest.raises(UserError, match="TMPDIR") as caught:
        compare_payloads([manifest], {}, [file], lambda *_: None, min_free_bytes=1 << 60)
    assert caught.value.kind is FaultKind.STORAGE
    assert "free" in caught.value.message


def test_a_file_that_was_not_unpacked_needs_no_room_at_a_signer(tmp_path: Path) -> None:
    manifest, _, sha256 = prepared_elsewhere(tmp_path)
    assert compare_payloads([manifest], {}, [tmp_path / sha256], lambda *_: None, min_free_bytes=1 << 60) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is of Linux")
def test_a_signer_whose_disk_gets_full_while_it_unpacks_is_told(tmp_path: Path) -> None:
    manifest, file, _ = prepared_elsewhere(tmp_path)
    (tmp_path / "compare.py").write_text(SIGNER_ON_A_FULL_DISK)
    (tmp_path / "manifest").write_bytes(msgspec.json.encode(manifest))
    command = [sys.executable, "compare.py", file.name]
    environment = os.environ | {"PYTHONPATH": os.fspath(Path(__file__).parents[4])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "storage", done.stderr


SIGNER_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import msgspec
from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest.documents import Manifest
from seed_server.signer.payloads import compare_payloads
manifest = msgspec.json.decode(Path("manifest").read_bytes(), type=Manifest)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that may not grow: writing fails, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    compare_payloads([manifest], {}, [Path(sys.argv[1])], lambda *_: None)
except UserError as error:
    print(error.kind.value)
"""
