"""What each Debian package has in it, below the directory that debhelper makes it of."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.release.documents import write_completions, write_manual_pages
from bench.release.environment import make_environment
from bench.release.locked import locked_subset, needed_names
from bench.release.source import ROOT, release_time

MAIN_MODULES = {
    "p2pdist": "p2pdist.commands.main",
    "seed-server": "seed_server.commands.main",
    "bandwidth": "bandwidth.commands.main",
}


# rich shows source code and Markdown with them; nothing of ours does
UNUSED = ("pygments", "markdown-it-py", "mdurl")
# -I: nothing comes from the user's environment or the current directory
_PROGRAM = """#!/bin/sh
exec {place}/bin/python3 -I -c '
import sys
sys.argv[0] = "{program}"
from {module} import main
sys.exit(main())' "$@"
"""


@dataclass(frozen=True)
class Product:
    """One of the things that are installed."""

    extras: tuple[str, ...]
    programs: tuple[str, ...]
    units: tuple[str, ...]
    without: tuple[str, ...] = ()
    """Packages of ours that it does not have."""


PRODUCTS = {
    "endpoint": Product(
        ("agent",),
        ("p2pdist",),
        ("p2pdist.service", "p2pdist-enrol.service", "p2pdist-upgrade.service"),
        ("seed_server",),
    ),
    "server": Product(("server", "pictures", "postgres"), ("seed-server", "bandwidth"), ("seed-server.service",)),
}


def requirements_of(product: Product, root: Path = ROOT) -> str:
    """Return what is installed for ``product`` besides our own wheel, each with its hashes."""
    needed = needed_names(root / "pyproject.toml", product.extras)
    return locked_subset(root / "requirements.lock", needed.difference(UNUSED))


def stage(name: str, staging: Path, wheel: Path, root: Path = ROOT) -> None:
    """Put all files of the package of a product below ``staging``."""
    product = PRODUCTS[name]
    place = f"/opt/p2pdist/{name}"
    staging.mkdir(parents=True, exist_ok=True)
    requirements = staging.parent / f"{name}.requirements"
    requirements.write_text(requirements_of(product, root), encoding="utf-8")
    make_environment(
        staging.absolute(), place, wheel=wheel, requirements=requirements.absolute(), without=product.without
    )
    programs = staging / "usr/bin"
    programs.mkdir(parents=True)
    for program in product.programs:
        text = _PROGRAM.format(place=place, program=program, module=MAIN_MODULES[program])
        (programs / program).write_text(text, encoding="utf-8")
        (programs / program).chmod(0o755)
        write_manual_pages(program, staging / "usr/share/man/man1", release_time(root))
        write_completions(program, staging)
    for unit in product.units:
        _copy(root / "packaging/systemd" / unit, staging / "lib/systemd/system" / unit)
    if name == "endpoint":
        _copy(root / "packaging/when-idle", staging / "usr/lib/p2pdist-endpoint/when-idle", rights=0o755)
        _copy(root / "packaging/config.toml", staging / "etc/p2pdist/config.toml")
        _copy(root / "packaging/polkit/org.p2pdist.policy", staging / "usr/share/polkit-1/actions/org.p2pdist.policy")
        agent = "p2pdist-agent"
        _copy(root / f"packaging/systemd/user/{agent}.service", staging / f"usr/lib/systemd/user/{agent}.service")
        _copy(root / f"packaging/autostart/{agent}.desktop", staging / f"etc/xdg/autostart/{agent}.desktop")
        examples = staging / "usr/share/doc/p2pdist-endpoint/examples"
        _copy(root / "packaging/systemd/sharing-only.conf", examples / "sharing-only.conf")


def _copy(source: Path, target: Path, *, rights: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(rights)
