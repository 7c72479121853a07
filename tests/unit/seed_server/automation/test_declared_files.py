"""A directory of settings is read within its bounds, and nothing outside of it."""

import os
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.template import MAX_TEMPLATE_BYTES
from seed_server.automation.declared_files import (
    MAX_DECLARED_BYTES,
    MAX_DECLARED_FILES,
    MAX_PEOPLE_BYTES,
    files_in_text,
    read_directory,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "fleet"
    (folder / "profiles").mkdir(parents=True)
    return folder


def test_files_are_read_by_their_paths_and_others_are_passed_over(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / "README.md").write_text("x")
    (folder / "sites.toml").write_text("# s")
    (folder / "profiles" / "oslo.toml").write_text("# p")
    found = read_directory(folder)
    assert found.texts == {"sites.toml": "# s", "profiles/oslo.toml": "# p"}
    assert found.below("profiles") == {"profiles/oslo.toml": "# p"}
    assert found.folders == {"profiles"}  # a kind without a folder is not said anything of
    assert found.problems == []


def test_a_name_that_nothing_is_read_from_is_told_with_the_nearest_one(folder: Path) -> None:
    for name in ("site.toml", "secrets.env", "profiles/oslo.yaml"):
        (folder / name).write_text("")
    (folder / "templates").write_text("")
    (folder / "profiles" / "deep.toml").mkdir()
    problems = sorted(read_directory(folder).problems)
    assert [problem.partition(":")[0] for problem in problems] == [
        "profiles/deep.toml", "profiles/oslo.yaml", "secrets.env", "site.toml", "templates",
    ]  # fmt: skip
    assert "Did you mean 'sites.toml'?" in problems[3]


def test_a_link_is_followed_within_the_directory_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "profiles" / "oslo.toml").write_text("# p")
    (folder / "profiles" / "bergen.toml").symlink_to("oslo.toml")
    (folder / "people.toml").symlink_to(tmp_path / "secret")
    (folder / "sites.toml").symlink_to("../secret")
    (folder / "settings.toml").symlink_to("settings.toml")
    (folder / "templates").symlink_to("/etc")
    found = read_directory(folder)
    assert found.texts == dict.fromkeys(("profiles/oslo.toml", "profiles/bergen.toml"), "# p")
    assert len([problem for problem in found.problems if "leads out of the directory" in problem]) == 4
    assert "secret" not in str(found)
    # the directory itself may be reached by one
    (tmp_path / "link").symlink_to(folder)
    assert read_directory(tmp_path / "link").texts == found.texts


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "sites.toml")
    assert read_directory(folder).problems == ["sites.toml: it is no file. Remove it."]


def test_files_have_bounds(folder: Path) -> None:
    (folder / "templates").mkdir()
    for name, most in (("people.toml", MAX_PEOPLE_BYTES), ("templates/a.toml", MAX_TEMPLATE_BYTES)):
        (folder / name).write_text("#" * most)
        assert read_directory(folder).problems == []
        (folder / name).write_text("#" * (most + 1))
        (problem,) = read_directory(folder).problems
        assert f"{name} is over {most} bytes" in problem
        (folder / name).unlink()
    (folder / "people.toml").write_bytes(b"\xff\xfe\xff")
    assert len(read_directory(folder).problems) == 1


def test_all_files_together_have_bounds(folder: Path) -> None:
    full = "#" * (256 << 10)
    for number in range(MAX_DECLARED_BYTES // len(full)):
        (folder / "profiles" / f"s{number}.toml").write_text(full)
    assert len(read_directory(folder).texts) == MAX_DECLARED_BYTES // len(full)
    (folder / "profiles" / "one-more.toml").write_text("#")
    with pytest.raises(UserError, match="more than 67108864 bytes together") as caught:
        read_directory(folder)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_directory_has_a_bounded_number_of_entries(folder: Path) -> None:
    for number in range(MAX_DECLARED_FILES - 1):  # and the folder itself
        (folder / "profiles" / f".{number}").touch()
    read_directory(folder)
    (folder / ".one-more").touch()
    with pytest.raises(UserError, match=f"more than {MAX_DECLARED_FILES} files"):
        read_directory(folder)


def test_what_is_no_such_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read") as caught:
        read_directory(tmp_path / "none")
    assert caught.value.kind is FaultKind.BAD_INPUT
    (tmp_path / "README.md").touch()
    with pytest.raises(UserError, match="has none of the files"):
        read_directory(tmp_path)


def test_one_text_holds_several_files() -> None:
    found = files_in_text("# s\n# file: profiles/oslo.toml\n# p\n# file:  people.toml \n", "sites.toml")
    assert found.texts == {"sites.toml": "# s\n", "profiles/oslo.toml": "# p\n", "people.toml": ""}
    assert (found.folders, found.problems) == ({"profiles"}, [])
    assert files_in_text("\n# file: sites.toml\n[[site]]\n", "").texts == {"sites.toml": "[[site]]\n"}
    assert files_in_text("", "").texts == {}


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        ("x = 1", "", "The text does not say of which file it is."),
        ("", "site.toml", "site.toml: nothing is read from a file of this name. Did you mean 'sites.toml'?"),
        ("", "../sites.toml", "../sites.toml: nothing is read"),
        ("", "/etc/passwd", "/etc/passwd: nothing is read"),
        ("", "profiles/deep/oslo.toml", "profiles/deep/oslo.toml: nothing is read"),
        ("", "profiles/oslo.yaml", "profiles/oslo.yaml: nothing is read"),
        ("", f"{'x' * 4_000}\x1b.toml", f"{'x' * 80}: nothing is read"),
        ("# file: sites.toml\n", "sites.toml", "sites.toml is there twice"),
        (
            "é" * (MAX_TEMPLATE_BYTES // 2) + "#",
            "templates/a.toml",
            f"templates/a.toml is over {MAX_TEMPLATE_BYTES} bytes",
        ),
    ],
)
def test_what_is_wrong_with_a_text_of_files(text: str, name: str, problem: str) -> None:
    [found] = files_in_text(text, name).problems
    assert found.startswith(problem)


def test_the_largest_file_in_a_text(folder: Path) -> None:
    text = "é" * (MAX_TEMPLATE_BYTES // 2)
    assert files_in_text(text, "templates/a.toml").texts == {"templates/a.toml": text}


def test_a_text_with_too_many_files() -> None:
    text = "".join(f"# file: profiles/s{number}.toml\n" for number in range(MAX_DECLARED_FILES))
    assert len(files_in_text(text, "").texts) == MAX_DECLARED_FILES
    with pytest.raises(UserError, match="more than"):
        files_in_text(f"{text}# file: profiles/one-more.toml\n", "")
