"""`proa exec`."""

import asyncio

import click

from proa.cli.parameters import WorkloadWord
from proa.cli.surroundings import Surroundings


@click.command(
    "exec",
    short_help="Run a command as a workload: by its proxy, with its identity.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("workload", type=WorkloadWord())
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_context
def command(context: click.Context, workload: str, argv: tuple[str, ...]) -> None:
    """Run a command with the environment of a workload of this host: its calls go through the workload's
    sidecar and carry the workload's identity. WORKLOAD may be the start of a name, or a service. The exit
    code is the command's.

    \b
    Example:
      proa exec productpage -- curl http://reviews:9080/reviews/0
    """
    from proa.node.client import exec_in_workload

    # Options end at WORKLOAD, so click leaves the separator behind it to us.
    argv = argv[1:] if argv[0] == "--" else argv
    if not argv:
        raise click.UsageError("which command? write it behind --", context)
    surroundings = context.ensure_object(Surroundings)
    with surroundings.node_agent():
        context.exit(asyncio.run(exec_in_workload(surroundings.home, workload, argv)))
