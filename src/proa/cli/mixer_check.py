"""`proa mixer check`: what Mixer's rules say of one request, against a mesh that runs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import click

from proa.cli.output import Format, count, output_option, print_value, span
from proa.cli.parameters import WorkloadWord, read_headers, read_pairs
from proa.cli.surroundings import Failure, Surroundings

if TYPE_CHECKING:
    from proa.core.model.names import ObjectRef, WorkloadId
    from proa.servers.admin.client import AdminClient
    from proa.servers.admin.mixer import CallMade, CheckTried, CheckTry, PolicyVerdict

NOBODY = "nobody"


F = TypeVar("F", bound=Callable[..., object])


def try_options(command: F) -> F:
    """The request that is asked about: who sends what to whom."""
    for option in reversed(
        (
            click.argument("method", metavar="METHOD"),
            click.argument("url", metavar="URL"),
            click.option(
                "--from",
                "caller",
                type=WorkloadWord(),
                required=True,
                metavar="WORKLOAD",
                help="Who calls; nobody: a caller without a certificate of the mesh.",
            ),
            click.option(
                "--to",
                "server",
                type=WorkloadWord(),
                required=True,
                metavar="WORKLOAD[:PORT]",
                help="Who serves, and at which port of its service.",
            ),
            click.option(
                "-H",
                "--header",
                "headers",
                multiple=True,
                callback=read_headers,
                help="NAME:VALUE, more than once.",
            ),
            click.option(
                "--claim",
                "claims",
                multiple=True,
                callback=read_pairs,
                help="NAME=VALUE of a token that was verified.",
            ),
        )
    ):
        command = option(command)
    return command


def asked_try(
    client: "AdminClient",
    method: str,
    url: str,
    caller: str,
    server: str,
    headers: tuple[tuple[str, str], ...],
    claims: dict[str, str],
) -> "CheckTry":
    """With the workloads that were meant. Raises Failure for one that is not there."""
    from immutables import Map

    from proa.servers.admin.mixer import CheckTry

    parts = urlsplit(url if "://" in url else f"http://{url}")
    word, _, number = server.partition(":")
    if number and not (number.isdecimal() and 0 < int(number) < 65536):
        raise click.UsageError(f"{number!r} is no port; write --to WORKLOAD:PORT")
    known = [each.id for each in client.proxies().proxies]
    return CheckTry(
        server=_known(word, known),
        port=int(number or 0),
        caller=None if caller == NOBODY else _known(caller, known),
        method=method,
        scheme=parts.scheme,
        authority=parts.netloc,
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        headers=headers,
        claims=Map(claims),
    )


@click.command("check", short_help="Ask what rules say of a request that nobody sends.")
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
    """Ask Mixer about one request as the server's sidecar would, without sending it: handlers are really asked. Tells
    the verdict and the rule that decided, how long and how often it holds, what it depends on, what of a request
    a sidecar would recognise it by, and what each handler said. Quotas are not charged.

    A sidecar asks for rules that fail closed first, then for those that fail open; each has a verdict of its own.
    The exit code is 1 when the request is refused.

    \b
    Examples:
      proa mixer check GET http://ratings:9080/ratings/1 --from reviews-v3 --to ratings
      proa mixer check GET http://cart:8080/ --from nobody --to cart:8080 -H 'x-team: red' -o json
    """
    with context.ensure_object(Surroundings).control_plane() as client:
        tried = client.check(asked_try(client, method, url, caller, server, headers, claims))
    if output == "table":
        _print(tried)
    else:
        print_value(tried, output)
    context.exit(1 if tried.outcome == "refused" else 0)


def _known(word: str, ids: "list[WorkloadId]") -> "WorkloadId":
    from proa.cli.workloads import one_workload
    from proa.core.config.near_names import suggestion

    try:
        return one_workload(word, ids)
    except Failure as failure:
        near = suggestion(word, [*(each.name for each in ids), *map(str, ids)])
        if not near:
            raise
        raise Failure(f"there is no workload {word}{near}", failure.todo) from None


def _print(tried: "CheckTried") -> None:
    colour = "green" if tried.outcome == "allowed" else "red"
    click.echo(click.style(tried.outcome, fg=colour) + f" at {tried.server}:{tried.port}")
    for verdict in tried.verdicts:
        click.echo()
        _print_verdict(verdict)
    for remark in tried.remarks:
        click.echo(remark)


def _print_verdict(verdict: "PolicyVerdict") -> None:
    rows = [("verdict", _outcome(verdict.status, verdict.http_status, verdict.message))]
    if verdict.rule is not None:
        rows.append(("decided by", _name(verdict.rule)))
    rows.append(("holds", _validity(verdict.valid_ms, verdict.valid_uses)))
    rows.append(("kept", f"not: {verdict.unkept}" if verdict.unkept else _kept(verdict)))
    rows.append(("depends on", _references(verdict.references)))
    rows += [("asked", _call(each)) for each in verdict.calls]
    rows += [("no match", f"{_name(rule)}: {why}") for rule, why in verdict.unmatched]
    click.echo(f"rules that fail {verdict.policy}")
    before = ""
    for name, text in rows:
        click.echo(f"  {name if name != before else '':<11} {text}")
        before = name


def _outcome(status: str, code: int, message: str) -> str:
    return f"{status} ({code}){f': {message}' if message else ''}"


def _validity(valid_ms: int, uses: int) -> str:
    if valid_ms <= 0 or uses == 0:
        return "for this request"
    often = "any number of requests" if uses < 0 else count(uses, "request")
    return f"{span(valid_ms / 1000)}, {often}"


def _references(names: tuple[str, ...]) -> str:
    """What is the same for all requests at a port comes last."""
    of_server = [name for name in names if name.startswith(("destination.", "context.reporter."))]
    others = ", ".join(name for name in names if name not in of_server)
    told = f"of the server: {', '.join(of_server)}" if of_server else ""
    return "; ".join(each for each in (others, told) if each) or "nothing"


def _kept(verdict: "PolicyVerdict") -> str:
    if not verdict.kept_by:
        return "for all requests at this port"
    return f"for requests with the same: {', '.join(verdict.kept_by)}"


def _call(call: "CallMade") -> str:
    said = f"no answer: {call.message}" if call.failed else call.status
    if call.message and not call.failed:
        said += f": {call.message}"
    validity = "" if call.failed else f"; holds {_validity(call.valid_ms, call.valid_uses)}"
    return f"{call.handler} about {call.instance}, for {_name(call.rule)}: {said}{validity}"


def _name(rule: "ObjectRef") -> str:
    return f"{rule.namespace}/{rule.name}"
