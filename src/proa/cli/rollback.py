"""`proa rollback`: the configuration of an earlier version, as a new one."""

import click

from proa.cli.output import print_problems
from proa.cli.parameters import Duration
from proa.cli.surroundings import Failure, Surroundings


@click.command("rollback", short_help="Make the configuration what it was at a version.")
@click.argument("version", type=click.IntRange(min=0))
@click.option("--wait", is_flag=True, help="Return when the change is live on every connected proxy.")
@click.option(
    "--timeout", type=Duration(), default="60s", show_default=True, help="How long --wait waits at most."
)
@click.option("--dry-run", is_flag=True, help="Check and compare, change nothing.")
@click.pass_obj
def command(surroundings: Surroundings, version: int, wait: bool, timeout: float, dry_run: bool) -> None:
    """Make all applied configuration what it was at VERSION, in one step: objects that came later go, those
    that went come back. It is a new version itself, so a rollback can be rolled back. 0 is the beginning,
    with nothing in it. Files of a watched directory are not part of it.

    An object that this program refuses, though an older one accepted it, is printed as a problem, and nothing
    changes.

    \b
    Examples:
      proa history
      proa rollback 41 --dry-run
      proa rollback 41 --wait
    """
    from proa.cli.waiting import print_outcome, wait_until_live
    from proa.servers.admin.history import RollbackRequest
    from proa.servers.admin.operations import Problems

    request = RollbackRequest(version=version, author=surroundings.author, dry_run=dry_run)
    with surroundings.control_plane() as client:
        answer = client.rollback(request)
        if isinstance(answer, Problems):
            print_problems(answer.problems)
            raise Failure(
                "nothing was rolled back",
                "apply what you need of that version in a form that is accepted now",
            )
        print_outcome(answer, dry_run=dry_run, waits=wait)
        if not answer.results:
            click.echo(f"the configuration is as it was at version {version}; nothing to change")
        elif not dry_run:
            click.echo(f"rolled back to version {version}, as version {answer.version}")
        if wait and not dry_run:
            wait_until_live(client, answer.version, timeout)
