"""What is there now as files that `seed-server apply` reads back to the same."""

from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.template import Template
from seed_server.automation.apply_people import keys_of
from seed_server.automation.declared_layout import (
    FOLDERS,
    PEOPLE_FILE,
    SETTINGS_FILE,
    SITES_FILE,
    file_of_site,
    file_of_template,
    known_keys,
)
from seed_server.automation.declared_present import Present, read_present
from seed_server.automation.declared_toml import plain, toml_text
from seed_server.fleet.context import Context
from seed_server.settings.server_toml import ServerSettings

FILE_MODE = 0o640  # no secret is in them; who may what here is nobody else's matter all the same
_PEOPLE_HEAD = (
    "Who may what. Passwords and codes are never here: 'seed-server people password NAME'. Accounts that come by the\n"
    "identity provider are not here either: its groups in server.toml say what they may."
)
_SETTINGS_HEAD = (
    "Keys of server.toml that are about the fleet. What is not written here is as in server.toml.\n"
    "A running server uses a change after a restart."
)


def write_export(context: Context, directory: Path) -> list[str]:
    """Write what is there now into ``directory``, which is made where it is missing; return the files' paths in it.

    Raises `UserError`: REFUSED where any of these files is there already; NOT_SET_UP, STORAGE, BUSY.
    """
    files = export_files(read_present(context))
    there = [name for name in (SITES_FILE, PEOPLE_FILE, SETTINGS_FILE, *FOLDERS) if (directory / name).exists()]
    if there:
        raise UserError(
            f"{directory / there[0]} is there already, and is not overwritten. Name a new directory, and compare.",
            FaultKind.REFUSED,
        )
    try:
        for folder in ("", *FOLDERS):
            durable_files.make_directory(directory / folder)
        for path, text in files.items():
            durable_files.write_file(directory / path, text.encode(), mode=FILE_MODE)
    except OSError as error:
        raise UserError(
            f"Cannot write into {directory}: {error.strerror}. Check permissions and the disk's space.",
            FaultKind.STORAGE,
        ) from error
    return list(files)


def export_files(present: Present) -> dict[str, str]:
    """Return the text of each file, by its path."""
    people = [{"name": one.name, **keys_of(one)} for one in present.people if not one.subject]
    keys = known_keys(ServerSettings.__struct_fields__)
    settings = {key: present.written[key] for key in keys if key in present.written}
    files = {
        SITES_FILE: present.sites_text or toml_text({}, "The site map: no site yet."),
        PEOPLE_FILE: toml_text({"person": people} if people else {}, _PEOPLE_HEAD),
        SETTINGS_FILE: toml_text(settings, _SETTINGS_HEAD),
    }
    files |= {file_of_site(site): one.text for site, one in sorted(present.profiles.items())}
    return files | {file_of_template(name): template_text(one) for name, one in sorted(present.templates.items())}


def template_text(template: Template) -> str:
    """Return a diagnosis template as people write it, in TOML."""
    return toml_text({"title": template.title, "item": [plain(one) for one in template.items]})
