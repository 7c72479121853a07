"""How the checks say what they have found. Pure."""

from p2pdist.local_api.doctor_answers import CheckCode, CheckFinding, Mender


def fine(code: CheckCode, observed: str) -> CheckFinding:
    """Return that all is well."""
    return CheckFinding(code, "fine", observed, None, "")


def unknown(code: CheckCode, why: str) -> CheckFinding:
    """Return that it could not be seen, and why."""
    return CheckFinding(code, "unknown", why, None, "")


def wrong(code: CheckCode, observed: str, mender: Mender, remedy: str) -> CheckFinding:
    """Return what is wrong, who mends it, and how."""
    return CheckFinding(code, "wrong", observed, mender, remedy)
