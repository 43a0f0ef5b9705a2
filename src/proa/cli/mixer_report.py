"""`proa mixer report`: whom one request would be told, and what of it, against a mesh that runs."""

from typing import TYPE_CHECKING

import click

from proa.cli.mixer_check import asked_try, try_options
from proa.cli.output import Format, output_option, print_value
from proa.cli.parameters import read_headers
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from proa.servers.admin.mixer import ReportTried, Told


@click.command("report", short_help="See whom a request would be told, and what of it.")
@try_options
@click.option("--code", type=click.IntRange(0, 599), default=200, help="How it was answered; 0: not at all.")
@click.option("--duration", type=click.IntRange(0), default=0, metavar="MS", help="How long it took.")
@click.option("--request-size", type=click.IntRange(0), default=0, metavar="BYTES", help="Of its body.")
@click.option("--response-size", type=click.IntRange(0), default=0, metavar="BYTES", help="Of the answer's.")
@click.option(
    "--response-header",
    "response_headers",
    multiple=True,
    callback=read_headers,
    help="NAME:VALUE of the answer, more than once.",
)
@click.option("--send", is_flag=True, help="Tell the handlers, as if it had been.")
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
    code: int,
    duration: int,
    request_size: int,
    response_size: int,
    response_headers: tuple[tuple[str, str], ...],
    send: bool,
    output: Format,
) -> None:
    """See which handlers a request would be told, and what of it, by the caller's sidecar and by the server's. Nothing
    is sent, and nobody is told without --send.

    \b
    Examples:
      proa mixer report GET http://ratings:9080/ratings/1 --from reviews-v3 --to ratings
      proa mixer report GET http://cart:8080/ --from nobody --to cart:8080 --code 503 --duration 1200 -o json
    """
    from proa.servers.admin.mixer import ReportTry

    with context.ensure_object(Surroundings).control_plane() as client:
        wanted = ReportTry(
            request=asked_try(client, method, url, caller, server, headers, claims),
            code=code,
            headers=response_headers,
            duration_ms=duration,
            request_size=request_size,
            response_size=response_size,
        )
        tried = client.reports(wanted, sends=send)
    if output == "table":
        _print(tried)
    else:
        print_value(tried, output)


def _print(tried: "ReportTried") -> None:
    for each in tried.told:
        _print_told(each)
    for rule, why in tried.unmatched:
        click.echo(f"no match of {rule.namespace}/{rule.name}: {why}")
    for remark in tried.remarks:
        click.echo(remark)
    if tried.sent:
        click.echo("the handlers were told")


def _print_told(told: "Told") -> None:
    click.echo(
        f"{told.handler} about {told.instance}, by the {told.side}'s sidecar, "
        f"for {told.rule.namespace}/{told.rule.name}"
    )
    if told.failure:
        click.echo(click.style(f"  cannot be made: {told.failure}", fg="red"))
    width = max(map(len, told.fields), default=0)
    for name, text in sorted(told.fields.items()):
        click.echo(f"  {name:<{width}}  {text}")
