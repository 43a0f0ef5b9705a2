"""`proa proxy`: how far each proxy is, what it is offered, what it really has, what it logs."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from proa.cli.output import (
    Format,
    as_json,
    output_option,
    print_columns,
    print_value,
    rejection_line,
    span,
    to_text,
)
from proa.cli.parameters import Duration, WorkloadWord
from proa.cli.surroundings import Failure, Surroundings

if TYPE_CHECKING:
    from proa.core.model.names import WorkloadId
    from proa.servers.admin.operations import ProxyStatus, TypeStatus

# What istioctl calls them, so that its users find their way.
SHORT = {
    "CLUSTER": "CDS",
    "ENDPOINT": "EDS",
    "SECRET": "SDS",
    "LISTENER": "LDS",
    "EXTENSION": "ECDS",
    "ROUTE": "RDS",
    "VIRTUAL_HOST": "VHDS",
}
TYPES = {"cluster": "CLUSTER", "listener": "LISTENER", "route": "ROUTE", "endpoint": "ENDPOINT"} | {
    "secret": "SECRET",
    "extension": "EXTENSION",
    "virtual-host": "VIRTUAL_HOST",
}


@click.group("proxy", short_help="Look into sidecars and gateways.")
def command() -> None:
    """Sidecars and gateways: the Envoys of the mesh."""


@command.command("status")
@output_option
@click.pass_context
def status(context: click.Context, output: Format) -> None:
    """List the proxies and how many resources of each type they have taken.

    `3 (1 pending)` are three resources in sync and one on its way. Rejected resources are listed with
    Envoy's reason and the objects they come from, and the exit code is 1.

    \b
    Example:
      proa proxy status
    """
    import time

    with context.ensure_object(Surroundings).control_plane() as client:
        found = client.proxies()
    if output != "table":
        print_value(found, output)
    elif not found.proxies:
        click.echo("no proxies; `proa run` brings a program into the mesh", err=True)
    else:
        _print_statuses(found.proxies, time.time())
        _print_remarks(context.ensure_object(Surroundings))
    context.exit(1 if any(proxy.rejections for proxy in found.proxies) else 0)


def _print_statuses(proxies: "Sequence[ProxyStatus]", now: float) -> None:
    rows = []
    for proxy in proxies:
        since = f" {span(now - proxy.since)}" if proxy.since else ""
        cells = {each.type: _cell(each) for each in proxy.types}
        rows.append(
            (
                str(proxy.id),
                proxy.kind,
                proxy.node,
                ("yes" if proxy.connected else "no") + since,
                *(cells.get(kind, "") for kind in SHORT),
                str(proxy.version),
            )
        )
    print_columns(("PROXY", "KIND", "NODE", "CONNECTED", *SHORT.values(), "VERSION"), rows)
    for proxy in proxies:
        for each in proxy.rejections:
            click.echo(click.style(rejection_line(str(proxy.id), each), fg="red"), err=True)


def _print_remarks(surroundings: Surroundings) -> None:
    """What the agent of this host, where there is one, knows better than the control plane."""
    from proa.node.client import AgentUnreachable, list_workloads

    with contextlib.suppress(AgentUnreachable):
        for each in asyncio.run(list_workloads(surroundings.home)).workloads:
            if each.remark:
                click.echo(f"{each.id}: {each.remark}", err=True)


def _cell(status: "TypeStatus") -> str:
    behind = [
        f"{number} {word}"
        for number, word in ((status.pending, "pending"), (status.rejected, "rejected"))
        if number
    ]
    return f"{status.synced} ({', '.join(behind)})" if behind else str(status.synced)


@command.command("restart")
@click.argument("workload", type=WorkloadWord())
@click.option(
    "--timeout", type=Duration(), default="90s", show_default=True, help="How long to wait for the new one."
)
@click.pass_obj
def restart(surroundings: Surroundings, workload: str, timeout: float) -> None:
    """Replace the Envoy of a workload on this host by one that is started now; no request is lost.

    The new one takes the listening sockets of the one before, which ends its open requests (as long as a drain of
    the workload may take) and then itself. Where that cannot be, as between Envoys that do not know each other's hot
    restart, the workload is drained first, and the answer says so.

    \b
    Example, after another Envoy was installed under a running agent:
      proa proxy restart reviews-v1
    """
    from proa.node import client

    with surroundings.node_agent():
        done = asyncio.run(client.restart_sidecar(surroundings.home, workload, timeout))
    how = f"epoch {done.epoch}" if done.hot else f"not hot, {done.why}"
    click.echo(f"{done.id} has a new Envoy (pid {done.envoy_pid}, {how})")


@command.command("config")
@click.argument("workload", type=WorkloadWord())
@click.option("--type", "kind", type=click.Choice(list(TYPES)), help="Only resources of this type.")
@click.option("--name", help="Only resources whose name contains this.")
@click.option("--live", is_flag=True, help="Ask the Envoy itself what it has (on this host; JSON or YAML).")
@output_option
@click.pass_obj
def config(
    surroundings: Surroundings, workload: str, kind: str | None, name: str | None, live: bool, output: Format
) -> None:
    """Show a proxy's configuration: what the control plane offers it, or with --live what its Envoy has.

    The table tells which objects a resource was made from; -o yaml shows the resources themselves.
    Private keys are never shown.

    \b
    Examples:
      proa proxy config productpage
      proa proxy config productpage --type route --name 9080 -o yaml
      proa proxy config productpage --live --type secret
    """
    if live:
        _print_live(surroundings, workload, kind, name or "", output)
        return
    from proa.cli.workloads import one_workload
    from proa.servers.admin import wire

    with surroundings.control_plane() as client:
        known = [each.id for each in client.proxies().proxies]
        found = client.proxy_config(one_workload(workload, known))
    chosen = [
        each
        for each in found.resources
        if (kind is None or each.type == TYPES[kind]) and (name or "") in each.name
    ]
    if output != "table":
        click.echo(to_text({"id": str(found.id), "resources": wire.plain(chosen)}, output), nl=False)
        return
    rows = [
        (
            SHORT.get(each.type, each.type),
            each.name,
            each.version[:12],
            each.state,
            ", ".join(map(str, each.objects)),
        )
        for each in chosen
    ]
    print_columns(("TYPE", "NAME", "VERSION", "STATE", "FROM"), rows)


def _print_live(
    surroundings: Surroundings, workload: str, kind: str | None, name: str, output: Format
) -> None:
    from proa.cli.config_dump import choose, redact
    from proa.node.client import ask_admin

    with surroundings.node_agent():
        answer = asyncio.run(ask_admin(surroundings.home, workload, "/config_dump?include_eds"))
    if answer.status != 200:
        raise Failure(f"the Envoy of {workload} answered {answer.status}: {answer.body[:200]}")
    dump = redact(choose(as_json(answer.body), kind, name))
    click.echo(to_text(dump, "json" if output == "table" else output), nl=False)


@command.command("logs")
@click.argument("workload", type=WorkloadWord())
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option(
    "--envoy", "kind", flag_value="envoy", default=True, help="What the proxy says itself.  [default]"
)
@click.option("--access", "kind", flag_value="access", help="A line for each request or connection.")
@click.option("--app", "kind", flag_value="app", help="What the program printed (demo and `run --log`).")
@click.option(
    "--tail", type=click.IntRange(min=0), default=200, show_default=True, help="Lines to begin with."
)
@click.pass_obj
def logs(surroundings: Surroundings, workload: str, follow: bool, kind: str, tail: int) -> None:
    """Print the logs of a workload on this host.

    \b
    Example:
      proa proxy logs reviews-v1 --access -f
    """
    from proa.cli.log_files import follow_file, last_lines

    path = surroundings.home.workload_log(str(_logged(surroundings, workload, kind)), kind)
    end, place = last_lines(path, tail)
    click.echo(end, nl=False)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):  # the asked-for end
            for text in follow_file(path, place):
                click.echo(text, nl=False)


def _logged(surroundings: Surroundings, word: str, kind: str) -> "WorkloadId":
    """Logs outlive their workloads, so the files say who is known, not the agent."""
    from proa.cli.workloads import one_workload
    from proa.core.model.names import WorkloadId

    suffix = f".{kind}.log"
    stems = [path.name.removesuffix(suffix) for path in surroundings.home.logs.glob(f"*{suffix}")]
    known = [WorkloadId(*stem.split("_", 1)) for stem in stems if "_" in stem]
    if not known:
        raise Failure(f"there is no {kind} log in {surroundings.home.logs}")
    return one_workload(word, known)
