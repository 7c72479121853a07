"""Manual pages and completions, generated from the commands themselves.

The usual generator for click knows neither blocks that are not rewrapped (our examples) nor what roff takes for a
command at the beginning of a line.
"""

import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from click.shell_completion import get_completion_class

import bandwidth.commands.main
import p2pdist.commands.main
import seed_server.commands.main

PROGRAMS: dict[str, click.Group] = {
    "p2pdist": p2pdist.commands.main.p2pdist,
    "seed-server": seed_server.commands.main.seed_server,
    "bandwidth": bandwidth.commands.main.bandwidth,
}
COMPLETION_PLACES = {
    "bash": "usr/share/bash-completion/completions/{program}",
    "zsh": "usr/share/zsh/vendor-completions/_{program}",
    "fish": "usr/share/fish/vendor_completions.d/{program}.fish",
}
"""By shell, where Debian's shells look."""

_VERBATIM = "\b"  # click's mark of a block that is not rewrapped


def write_manual_pages(program: str, target: Path, time: int) -> None:
    """Write the page of ``program`` and of each command below it into ``target``, with the date of ``time``."""
    target.mkdir(parents=True, exist_ok=True)
    date = datetime.fromtimestamp(time, UTC).date().isoformat()
    for context in _contexts(PROGRAMS[program], program, None):
        name = context.command_path.replace(" ", "-")
        (target / f"{name}.1").write_text(manual_page(context, date), encoding="utf-8")


def write_completions(program: str, root: Path) -> None:
    """Write what the shells complete ``program`` with below ``root``, in the places of `COMPLETION_PLACES`."""
    variable = f"_{program.replace('-', '_')}_COMPLETE".upper()
    for shell, place in COMPLETION_PLACES.items():
        completion = get_completion_class(shell)
        if completion is None:
            raise ValueError(f"click knows no completion for {shell}")
        # the template alone: `source()` of bash asks the bash of this machine for its version
        made = completion(PROGRAMS[program], {}, program, variable)
        path = root / place.format(program=program)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made.source_template % made.source_vars(), encoding="utf-8")


def manual_page(context: click.Context, date: str) -> str:
    """Return the manual page of a command, in roff."""
    command, name = context.command, context.command_path.replace(" ", "-")
    summary = command.get_short_help_str(limit=200).rstrip(".")
    lines = [f'.TH "{_text(name.upper())}" "1" "{date}" "p2pdist" "User Commands"']
    lines += [".SH NAME", rf"{_text(name)} \- {_text(summary)}"]
    lines += [".SH SYNOPSIS", rf"\fB{_text(context.command_path)}\fR {_text(' '.join(_usage(context)))}"]
    lines += [".SH DESCRIPTION", *_paragraphs(inspect.cleandoc(command.help or summary))]
    # an argument without words of its own is in the synopsis
    options = [found for option in command.params if (found := option.get_help_record(context)) and found[1]]
    if options:
        lines.append(".SH OPTIONS")
        for option, explained in options:
            lines += [".TP", rf"\fB{_text(option)}\fR", _line(explained)]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for below, one in _visible(command):
            lines += [".TP", rf"\fB{_text(name)}\-{_text(below)}\fR(1)", _line(one.get_short_help_str(limit=200))]
    return "\n".join(lines) + "\n"


def _usage(context: click.Context) -> list[str]:
    return context.command.collect_usage_pieces(context)


def _contexts(command: click.Command, name: str, parent: click.Context | None) -> Iterator[click.Context]:
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for below, found in _visible(command):
            yield from _contexts(found, below, context)


def _visible(group: click.Group) -> list[tuple[str, click.Command]]:
    return [(name, command) for name, command in sorted(group.commands.items()) if not command.hidden]


def _paragraphs(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.rstrip() for line in block.splitlines()]
        yield ".PP"
        if lines[0].strip() == _VERBATIM:
            yield ".nf"
            yield from (_line(line) for line in lines[1:])
            yield ".fi"
        else:
            yield _line(" ".join(line.strip() for line in lines))


def _line(text: str) -> str:
    line = _text(text)
    return rf"\&{line}" if line.startswith((".", "'")) else line


def _text(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-")
