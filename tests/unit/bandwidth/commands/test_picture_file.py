from pathlib import Path

import pytest

from bandwidth.commands.console import CommandError
from bandwidth.commands.picture_file import PictureFile, write_picture
from bandwidth.pictures.png import png_of
from bandwidth.pictures.svg import document, text


def picture(words: str) -> str:
    return document(60, "title", [text(10, 30, words, "title")])


def test_the_ending_chooses_the_format(tmp_path: Path) -> None:
    for name in ("a.svg", "a.SVG"):
        write_picture(tmp_path / name, picture("ü"))
        assert (tmp_path / name).read_text(encoding="utf-8") == picture("ü")
    write_picture(tmp_path / "a.PNG", picture("ü"))
    assert (tmp_path / "a.PNG").read_bytes() == png_of(picture("ü"))


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for path, told in ((tmp_path / "none" / "a.png", "there is no folder"), (tmp_path / "folder.png", "is a folder")):
        with pytest.raises(CommandError, match=told):
            PictureFile().convert(str(path), None, None)
    with pytest.raises(CommandError, match="cannot be written"):
        write_picture(tmp_path / "none" / "a.svg", picture("x"))
