"""What shells complete for `p2pdist`: the patches that this PC's daemon knows."""

from collections.abc import Iterable

import click

from p2pdist.local_api.delivery_answers import NotYetPatch, StatusPatch
from p2pdist.shared.completing import Named, completed_by


def _patches(command: click.Context, typed: str) -> Iterable[Named]:
    from p2pdist.commands.options import ask_here
    from p2pdist.local_api.messages import STATUS

    answer = ask_here(command.params["home"], STATUS)
    versions = "@" in typed
    listed: list[StatusPatch | NotYetPatch] = [*answer.patches, *answer.not_yet]
    return {f"{patch.id}@{patch.version}" if versions else patch.id: patch.title for patch in listed}.items()


patch_names = completed_by(_patches)
