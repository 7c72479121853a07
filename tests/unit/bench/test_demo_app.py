import tarfile
from pathlib import Path

import msgspec

from bench.demo_app import APP_ID, build_version, smaller_update, smaller_words
from bench.fleet import NOT_KNOWN, Member, Place
from p2pdist.local_api.delivery_answers import StatusAnswer, StatusPatch


def member_with(*patches: StatusPatch) -> Member:
    """A PC that says so."""
    member = Member("pc", Path("/nowhere"), Place("127.0.0.1"))
    member.latest = StatusAnswer(
        endpoint_id="a" * 26, site="here", server="demo", server_connection="connected", version="1", problems=[],
        patches=list(patches), installs={},
    )  # fmt: skip
    return member


def said(version: str, built_of: str = "", **facts: int) -> StatusPatch:
    known = {"id": APP_ID, "version": version, "length_bytes": 25_000_000, "built_of": built_of}
    return msgspec.structs.replace(NOT_KNOWN, **known, **facts)


def test_what_crossed_the_line_of_a_version_is_of_all_pcs_and_of_no_other_version() -> None:
    former = said("1.0", bytes_from_origin=9_000_000)
    members = [
        member_with(former, said("2.0", bytes_from_origin=700_000, bytes_from_peers=20_000_000, bytes_built=9)),
        member_with(former, said("2.0", "1.0", bytes_from_origin=500_000, bytes_from_peers=22_000_000)),
        member_with(former),
    ]
    found = smaller_update(members, "2.0")
    assert found["patch"] == f"{APP_ID}@2.0"
    assert (found["length_bytes"], found["bytes_over_line"]) == (25_000_000, 1_200_000)
    assert (found["bytes_from_peers"], found["bytes_built"], found["built_of"]) == (42_000_000, 9, "1.0")


def test_the_sentence_says_built_where_something_was() -> None:
    facts = {"patch": f"{APP_ID}@2.0", "length_bytes": 25_000_000, "bytes_over_line": 1_200_000, "built_of": "1.0"}
    assert smaller_words(facts) == (
        "demo-app 2.0: 25.0 MB, of which 1.2 MB crossed the line, the rest was built from demo-app 1.0"
    )
    assert smaller_words(facts | {"built_of": ""}) == "demo-app 2.0: 25.0 MB, of which 1.2 MB crossed the line"


def test_an_archive_has_its_modules_and_is_not_compressed(tmp_path: Path) -> None:
    recipe = build_version(tmp_path, "2.0", modules=[("one", b"content of one")])
    assert f'file = "{APP_ID}-2.0.tar"' in recipe.read_text()
    path = tmp_path / f"{APP_ID}-2.0.tar"
    assert b"content of one" in path.read_bytes()
    with tarfile.open(path, "r:") as archive:
        modes = {member.name: member.mode for member in archive}
    assert modes == {"lib/one": 0o644, "bin/demo-app": 0o755, "bin/health": 0o755}
