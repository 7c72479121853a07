"""Measures how long pages take in a large company, and how late the server's controllers are meanwhile.

    python -m bench.pages [--only sqlite,postgresql] [--pages EXPRESSION] [--quick | --size name=number …] [--merge]

25,000 PCs × 300 patches; all PCs report once a minute, as frames in the server's own process; three real daemons fetch
a file, each over a line of its own, so that controllers are at work. Twenty people log in by the form and go from page
to page, some ten seconds on each: every row of the table of pages, and some with filters. A finished run is kept in
build/bench/pages; --merge writes those that are kept into bench/results/pages.json and docs/benchmarks.md. It takes
some 20 minutes for each database. Leave the machine alone meanwhile.
"""

import argparse
import logging
import re
import sys
import tempfile
from pathlib import Path

import msgspec
import structlog
import trio

from bench.pages.records import DATABASES, FULL, QUICK, PageSizes
from bench.pages.report import committed, keep, kept, results_of, rows_of, write_results
from bench.pages.scenario import measure


def sizes_of(quick: bool, words: list[str]) -> PageSizes:
    """Return the sizes with each ``name=number`` in its place. Raises `ValueError`."""
    values = msgspec.to_builtins(QUICK if quick else FULL)
    for word in words:
        name, _, number = word.partition("=")
        if name not in values:
            raise ValueError(f"{word!r} is no name=number with one of: {', '.join(values)}")
        values[name] = number.replace("_", "")
    return msgspec.convert(values, PageSizes, strict=False)


def main() -> int:
    """Measure and print; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.pages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(DATABASES), help="of sqlite, postgresql")
    parser.add_argument("--pages", default="", metavar="EXPRESSION", help="only those whose path has it; not kept")
    parser.add_argument("--quick", action="store_true", help="a small company, which says nothing of a large one")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=NUMBER", help="another size than usual")
    parser.add_argument("--merge", action="store_true", help="run nothing: write what is kept into what is committed")
    asked = parser.parse_args()
    if asked.merge:
        write_results(results_of([*committed().runs, *kept()]))
        return 0
    names = [name.strip() for name in asked.only.split(",")]
    if unknown := set(names) - set(DATABASES):
        parser.error(f"there is no {min(unknown)!r}; choose from: {', '.join(DATABASES)}")
    try:
        sizes = sizes_of(asked.quick, asked.size)
    except ValueError as error:
        parser.error(str(error))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # not each publication
    missed = False
    for name in names:
        with tempfile.TemporaryDirectory(prefix="bench-pages-", ignore_cleanup_errors=True) as directory:
            run = trio.run(measure, name, sizes, Path(directory), re.compile(asked.pages))
        for page in run.pages:
            print(f"{page.page}: p50 {page.p50_ms:g} ms, p95 {page.p95_ms:g} ms, {page.looks} looks, {page.weight_bytes:,} bytes")  # fmt: skip  # noqa: E501
        for failure, count in run.failed.items():
            print(f"failed: {failure} ({count} times)")
        for row in rows_of(run):
            print(f"{row.metric}: {row.measured} (target {row.target})")
            missed = missed or row.met is False
        if sizes == FULL and not asked.pages:  # other sizes say nothing of the targets
            keep(run)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
