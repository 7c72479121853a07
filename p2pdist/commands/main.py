"""The `p2pdist` command line."""

import click

from p2pdist import __version__
from p2pdist.shared.console import run_command_line, with_language
from p2pdist.shared.lazy_group import LazyCommand, LazyGroup
from p2pdist.shared.wanted_log import want_log

_COMMANDS = {
    "enrol": LazyCommand("daemon_commands:enrol_command", "Enrol this PC with a token."),
    "run": LazyCommand("daemon_commands:run_command", "Run the daemon, in the foreground."),
    "status": LazyCommand("look_commands:status_command", "Show each patch: state, progress, bytes by source."),
    "peers": LazyCommand("look_commands:peers_command", "Show each neighbour: connected, or why not."),
    "limiter": LazyCommand("look_commands:limiter_command", "Show how fast it shares, and what binds it."),
    "why": LazyCommand("look_commands:why_command", "Say why a patch is not here, or not installed."),
    "plan": LazyCommand("patch_commands:plan_command", "Show what is to be installed, in which order, and when."),
    "history": LazyCommand("patch_commands:history_command", "Show each step that was taken."),
    "posture": LazyCommand("patch_commands:posture_command", "Say whether this PC is compliant, signed."),
    "defer": LazyCommand("patch_commands:defer_command", "Put a patch off, where that is allowed."),
    "rollback": LazyCommand("patch_commands:rollback_command", "Take an installed patch back."),
    "retry": LazyCommand("patch_commands:retry_command", "Try a failed or rolled back patch again now."),
    "agent": LazyCommand(
        "agent_command:agent_command", "Show notifications before something disturbs; a desktop's session starts it."
    ),
    "server": LazyCommand("server_commands:server_group", "Show where the server is looked for, or set it."),
    "metrics": LazyCommand("metrics_command:metrics_command", "Print figures for a monitoring system."),
    "doctor": LazyCommand("doctor_command:doctor_command", "Find what is wrong here, and who can mend it."),
}


@click.group(
    cls=LazyGroup,
    package="p2pdist.commands",
    commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="p2pdist")
def p2pdist() -> None:
    """Get signed patches to this PC and share them with its neighbours.

    \b
    Examples:
      p2pdist enrol                 once; it asks for the token from your operator
      p2pdist run                   the daemon, in the foreground
      p2pdist status --watch        how far each patch is
      p2pdist peers                 which neighbours it swaps with, or why not
      p2pdist why KB5031455         why a patch is not here yet
      p2pdist limiter --watch       how fast it may share, and what binds it
      p2pdist plan                  what is to be installed, when, and what it waits for
      p2pdist posture               whether this PC is compliant
      p2pdist server                where its server is looked for
      p2pdist doctor                what is wrong here, and who can mend it

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not enrolled, 4 daemon not running, 5 refused,
    6 server unreachable, 7 bad input, 8 storage, 9 in use.
    """
    want_log("warning")  # commands print what they did; `run` sets its own level


with_language(p2pdist)


def main() -> None:
    """Entry point of the console script."""
    run_command_line(p2pdist)


if __name__ == "__main__":
    main()
