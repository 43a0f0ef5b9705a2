"""`proa apply`: one transaction, and, when asked, the wait until every proxy has it."""

import click

from proa.cli.output import print_problems
from proa.cli.parameters import Duration, files_options, namespace_option
from proa.cli.surroundings import Surroundings


@click.command("apply", short_help="Put configuration files into force, all or nothing.")
@files_options(required=True)
@namespace_option("Namespace of objects that name none.")
@click.option("--wait", is_flag=True, help="Return when the change is live on every connected proxy.")
@click.option(
    "--timeout", type=Duration(), default="60s", show_default=True, help="How long --wait waits at most."
)
@click.option("--dry-run", is_flag=True, help="Check and compare, change nothing.")
@click.pass_obj
def command(
    surroundings: Surroundings,
    named: tuple[str, ...],
    more: tuple[str, ...],
    namespace: str,
    wait: bool,
    timeout: float,
    dry_run: bool,
) -> None:
    """Put configuration files into force: all their objects, or, when one has an error, none.

    With --wait the command ends when no proxy works by the old configuration any more: exit code 0 when the
    change is live on all connected proxies; 1 when one rejected it (object, proxy and Envoy's reason are
    printed) or when the time is over (those who are late are named).

    \b
    Examples:
      proa apply -f routes.yaml --wait
      proa apply -f config/ --dry-run
      proa get vs reviews -o yaml | sed 's/subset: v1/subset: v2/' | proa apply -f -
    """
    from proa.cli.documents import read_files
    from proa.cli.waiting import print_outcome, wait_until_live
    from proa.servers.admin.operations import ApplyRequest, Problems

    files = read_files(named, more)
    request = ApplyRequest(files=files, author=surroundings.author, namespace=namespace, dry_run=dry_run)
    with surroundings.control_plane() as client:
        answer = client.apply(request)
        if isinstance(answer, Problems):
            print_problems(answer.problems)
            click.echo("nothing was applied", err=True)
            raise SystemExit(1)
        print_outcome(answer, dry_run=dry_run, waits=wait)
        if wait and not dry_run:
            wait_until_live(client, answer.version, timeout)
