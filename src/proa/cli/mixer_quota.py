"""`proa mixer quota`: what one request would be charged and what is left, against a mesh that runs."""

from typing import TYPE_CHECKING

import click

from proa.cli.mixer_check import asked_try, try_options
from proa.cli.output import Format, count, output_option, print_value, span
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from proa.servers.admin.mixer import QuotasTried, QuotaTried


@click.command("quota", short_help="See what a request would be charged, and what is left.")
@try_options
@output_option
@click.pass_context
def command(
    context: click.Context,
    method: str,
    url: str,
    caller: str,
    server: str,
    headers: tuple[tuple[str, str], ...],
    claims: dict[str, str],
    output: Format,
) -> None:
    """See which quotas a request to a server would be charged, how much, and what is left of each limit. Nothing is
    sent and nothing is charged. What a server's sidecar counts by itself is named; only the sidecar knows what is left.

    The exit code is 1 when the request would be refused now.

    \b
    Examples:
      proa mixer quota GET http://productpage:9080/productpage --from ingressgateway --to productpage-v1
      proa mixer quota GET http://cart:8080/ --from nobody --to cart:8080 -H 'x-forwarded-for: 10.0.0.1' -o json
    """
    with context.ensure_object(Surroundings).control_plane() as client:
        tried = client.quotas(asked_try(client, method, url, caller, server, headers, claims))
    if output == "table":
        _print(tried)
    else:
        print_value(tried, output)
    context.exit(1 if tried.outcome == "refused" else 0)


def _print(tried: "QuotasTried") -> None:
    colour = "green" if tried.outcome == "granted" else "red"
    click.echo(click.style(tried.outcome, fg=colour) + f" at {tried.server}:{tried.port}")
    for each in tried.quotas:
        click.echo(f"  {each.quota}: charged {each.charge}{_limit(each)}{_left(each)}")
    for remark in tried.remarks:
        click.echo(remark)


def _limit(quota: "QuotaTried") -> str:
    if quota.maximum is None:
        return ""
    return f" of {quota.maximum}" + (f" in {span(quota.window_ms / 1000)}" if quota.window_ms else " in all")


def _left(quota: "QuotaTried") -> str:
    if quota.by_proxy:
        return "; counted by the server's sidecar"
    left = "" if quota.left is None else f"; {count(quota.left, 'unit')} left"
    if quota.outcome == "granted":
        return left
    verdict = "exhausted" if quota.outcome == "refused" else "exhausted, and refuses nobody: it only tries"
    wait = f", room in {span(quota.wait_ms / 1000)}" if quota.wait_ms else ""
    return f"{left}; {verdict}{wait}"
