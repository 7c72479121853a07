"""The option `-o FILE` of every command that draws: SVG or PNG, chosen by the file's ending."""

from pathlib import Path
from typing import Any

import click

from bandwidth.commands.console import CommandError

FORMATS = (".svg", ".png")
MOST_NAMED_SIGNS = 10


class PictureFile(click.ParamType[Path]):
    """A file to write a picture to. What is known to fail is refused before the work begins."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path, or end with an exit code: usage for another format, failed for no such folder."""
        path = Path(value)
        if path.suffix.lower() not in FORMATS:
            self.fail(f"{path} ends in neither .svg nor .png: the ending chooses the format.", param, ctx)
        try:
            folder, taken = path.parent.is_dir(), path.is_dir()
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise CommandError(f"{str(path)!r} cannot be written ({error}). Name another file with -o.") from error
        if not folder or taken:
            reason = "it is a folder" if taken else f"there is no folder {path.parent}"
            message = f"{path} cannot be written ({reason}). Name another file with -o."
            raise CommandError(message)
        return path


picture_option = click.option(
    "-o", "--output", type=PictureFile(), metavar="FILE", help="Write a picture here: .svg or .png."
)


def write_picture(path: Path, svg: str) -> None:
    """Write the picture in the format of the file's ending. Raises `CommandError`."""
    data = svg.encode()
    if path.suffix.lower() == ".png":
        try:
            from bandwidth.pictures.png import NoFontError, png_of  # the renderer is loaded only where it draws
        except ModuleNotFoundError as error:
            raise CommandError(
                f"{path} cannot be drawn: what draws PNG is not installed ({error.name} is missing). "
                "Write an .svg file, or install p2pdist with its extra: pip install 'p2pdist[pictures]'."
            ) from error
        try:
            data = png_of(svg)
        except NoFontError as error:
            shown = error.signs[:MOST_NAMED_SIGNS] + ("…" if len(error.signs) > MOST_NAMED_SIGNS else "")
            raise CommandError(
                f"{path} cannot be drawn: no font here has {shown}. Write an .svg file, which whoever opens it "
                "draws with their fonts, or install a font that has them (Japanese: pip install "
                "'p2pdist[pictures-ja]', or apt install fonts-noto-cjk)."
            ) from error
    try:
        path.write_bytes(data)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}). Name another file with -o."
        raise CommandError(message) from error
