"""Whether the locked dependencies have known weaknesses: `make audit`, which needs the internet.

pip-audit asks on the internet about each package of requirements.lock. Where it gets no answer it says "no known
vulnerabilities" and exits 0, so this reads its report and counts what was not looked up. It uses the standard library
alone, for it runs in an environment that holds pip-audit and nothing of ours.

Exit codes: 0 none is known, 1 some are, 6 not all packages could be looked up.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
NAMED = 5  # packages that were not looked up; the others are counted
AUDIT_SECONDS = 600.0  # 69 questions, each with retries
FOUND, NOT_LOOKED_UP = 1, 6


@dataclass(frozen=True)
class Findings:
    """What pip-audit reports on a lock."""

    packages: int
    weaknesses: tuple[str, ...]
    """One line each: package, version, name of the weakness, versions that mend it."""
    not_looked_up: tuple[str, ...]
    """Names of packages of which nothing is known."""

    @property
    def exit_code(self) -> int:
        """The exit code of `make audit`."""
        if self.weaknesses:
            return FOUND
        return NOT_LOOKED_UP if self.not_looked_up or not self.packages else 0


def findings_in(report: dict[str, Any]) -> Findings:
    """Return the findings in pip-audit's JSON report."""
    packages = report["dependencies"]
    return Findings(
        packages=len(packages),
        weaknesses=tuple(
            f"{package['name']} {package['version']}: {known['id']}, "
            + (f"mended in {', '.join(known['fix_versions'])}" if known["fix_versions"] else "not mended yet")
            for package in packages
            for known in package.get("vulns", ())
        ),
        not_looked_up=tuple(package["name"] for package in packages if "skip_reason" in package),
    )


def words_on(findings: Findings) -> str:
    """Return the findings for people."""
    lines = list(findings.weaknesses)
    missing = len(findings.not_looked_up)
    if missing or not findings.packages:
        names = ", ".join(findings.not_looked_up[:NAMED]) + (", …" if missing > NAMED else "")
        lines.append(
            f"error: {missing} of {findings.packages} packages could not be looked up ({names}), so nothing is known "
            "of them. pip-audit asks on the internet: run 'make audit' where that can be reached."
        )
    elif not findings.weaknesses:
        lines.append(f"No weakness is known of the {findings.packages} locked packages.")
    return "\n".join(lines)


def main() -> int:
    """Run pip-audit on the lock, print what it found, and return the exit code."""
    options = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=AUDIT_SECONDS)
    try:
        findings = findings_in(json.loads(ran.stdout))
    except (ValueError, KeyError, TypeError):
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"error: pip-audit did not work, so nothing is known of the lock: {last}", file=sys.stderr)
        return NOT_LOOKED_UP
    print(words_on(findings), file=sys.stderr if findings.exit_code else sys.stdout)
    return findings.exit_code


if __name__ == "__main__":
    sys.exit(main())
