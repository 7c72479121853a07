"""The list of approvers: checked, signed by the offline key alone, and shown to who signs it."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.actor import Actor
from seed_server.fleet.approver_list import read_approvers, set_approvers
from seed_server.fleet.context import Context
from seed_server.fleet.preparing import finish, prepare_approvers
from seed_server.fleet.roles import PersonScope, rights_of
from seed_server.settings.home import ServerHome
from seed_server.signer.new_key import make_key
from seed_server.signer.review import open_review
from seed_server.signing.key_files import OfflineKeys, raw_public_key, read_public_key
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import ROOT, copied, new_home

TWO = 'required = 1\n[keys]\nalice = "alice.pub"\nbob = "bob.pub"\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("approvers")
    for name in ("alice", "bob", "carol"):
        make_key(folder / name, "approver", None).public.rename(folder / f"{name}.pub")
    return folder


@pytest.fixture
def server(home: ServerHome, tmp_path: Path) -> tuple[Context, FakeClock]:
    return copied(home, tmp_path)


def written(folder: Path, text: str) -> Path:
    file = folder / "approvers.toml"
    file.write_text(text)
    return file


def test_the_list_is_signed_by_the_offline_key_and_goes_again(
    server: tuple[Context, FakeClock], folder: Path, tmp_path: Path
) -> None:
    context, clock = server
    keys = OfflineKeys(context.home.offline_keys)
    assert read_approvers(context) is None
    file = written(folder, TWO)
    with pytest.raises(UserError, match="patches key is not at"):
        set_approvers(context, ROOT, file, OfflineKeys(tmp_path / "none"))
    assert read_approvers(context) is None
    set_approvers(context, ROOT, file, keys)
    found = read_approvers(context)
    assert found is not None
    assert (found.required, found.required_in_emergency, found.since) == (1, 1, int(clock.wall))
    assert found.keys == {name: raw_public_key(read_public_key(folder / f"{name}.pub")) for name in ("alice", "bob")}
    first = clock.wall
    clock.wall += 1_000
    set_approvers(context, ROOT, written(folder, TWO + 'carol = "carol.pub"\n'), keys)
    again = read_approvers(context)
    assert again is not None
    assert again.since == int(first)  # what needed approvals until now still does
    set_approvers(context, ROOT, None, keys)
    assert read_approvers(context) is None
    with pytest.raises(UserError, match="No approvers are set"):
        set_approvers(context, ROOT, None, keys)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "required"),
        ('required = 0\n[keys]\na = "alice.pub"', "required"),
        (TWO.replace("= 1", "= 2"), "need 3 people"),  # one of them may be the author
        ('required = 1\n[keys]\nalice = "alice.pub"\n', "need 2 people"),
        (TWO.replace("bob.pub", "alice.pub"), "the same key"),
        ('required = 1\n[keys]\nalice = "alice.pub"\nAlice = "bob.pub"\n', "the same name"),
        (TWO.replace("bob =", '"b b" ='), "no name of an account"),
        (TWO.replace("bob.pub", "nobody.pub"), "nobody.pub"),
        (TWO.replace("bob.pub", "approvers.toml"), "no public Ed25519 key"),
        ("more = 1\n" + TWO, "more"),
    ],
)
def test_what_nobody_could_keep_is_not_signed(
    server: tuple[Context, FakeClock], folder: Path, text: str, words: str
) -> None:
    context, _ = server
    with pytest.raises(UserError, match=words) as caught:
        set_approvers(context, ROOT, written(folder, text), OfflineKeys(context.home.offline_keys))
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert read_approvers(context) is None


def test_whoever_signs_it_elsewhere_is_shown_every_key(
    server: tuple[Context, FakeClock], folder: Path, tmp_path: Path
) -> None:
    context, clock = server
    keys, bundle = OfflineKeys(context.home.offline_keys), tmp_path / "approvers.bundle"

    def signed(file: Path | None) -> list[str]:
        prepare_approvers(context, ROOT, file, bundle)
        review = open_review(bundle, keys.folder, root=None, files=(), now=clock.wall, on_bytes=lambda *_: None)
        review.sign(keys)
        operator = Actor("ola", "password", rights_of(frozenset({"operator"}), PersonScope()))
        with pytest.raises(UserError, match="'keys' is missing"):
            finish(context, operator, bundle)
        finish(context, ROOT, bundle)
        return list(review.lines)

    lines = "\n".join(signed(written(folder, TWO)))
    assert "PCs take of a rollout what 1 of these have approved" in lines
    for name in ("alice", "bob"):
        key = raw_public_key(read_public_key(folder / f"{name}.pub")).hex()
        assert f"{key} {name}" in lines
    assert read_approvers(context) is not None
    changed = "\n".join(signed(written(folder, TWO + 'carol = "carol.pub"\n')))
    assert "!! " in changed  # it is not as it was signed before
    assert " carol" in changed
    assert "!! " in "\n".join(signed(None))
    assert read_approvers(context) is None
