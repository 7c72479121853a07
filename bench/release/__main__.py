"""`python -m bench.release debs|all`; `stage` is what ``packaging/debian/rules`` calls."""

import argparse
import shutil
import sys
from pathlib import Path

from bench.release.debs import build_debs, check_debs
from bench.release.running import BuildError
from bench.release.source import ROOT, build_wheel, copy_sources, release_time
from bench.release.staging import stage

BUILD = ROOT / "build" / "release"


def main() -> int:
    """Build what the command line names, and print the paths."""
    parser = argparse.ArgumentParser(description="Build packages of this tree.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("debs", help="two Debian packages")
    commands.add_parser("all", help="a release: wheel, packages, bills of materials, checksums")
    staging = commands.add_parser("stage", help="what a package has in it")
    staging.add_argument("product")
    staging.add_argument("directory", type=Path)
    staging.add_argument("wheel", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.command == "stage":
            stage(arguments.product, arguments.directory, arguments.wheel)
        elif arguments.command == "debs":
            made = debs(BUILD)
            check_debs(made)
            for path in made:
                print(path.relative_to(ROOT))
        else:
            from bench.release.whole import build_release

            for path in build_release(BUILD):
                print(path.relative_to(ROOT))
    except (BuildError, LookupError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def debs(place: Path) -> list[Path]:
    """Build the packages below ``place``, which is emptied."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    time = release_time()
    copy_sources(place / "wheel-source")
    return build_debs(place, build_wheel(place / "wheel-source", place, time), time)


if __name__ == "__main__":
    sys.exit(main())
