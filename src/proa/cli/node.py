"""`proa node`: flags to NodeOptions."""

from pathlib import Path

import click

from proa.cli.parameters import Duration
from proa.cli.programs import run_program, verbose_option
from proa.cli.surroundings import Failure, Surroundings


class PortRange(click.ParamType[tuple[int, int]]):
    """`20000-29999`."""

    name = "low-high"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        low, dash, high = str(value).partition("-")
        if not (dash and low.isdigit() and high.isdigit() and 0 < int(low) <= int(high) < 65536):
            self.fail(f"{value!r} is no range of ports; write LOW-HIGH", param, ctx)
        return int(low), int(high)


@click.group("node", short_help="Run the agent of a host.", invoke_without_command=True)
@click.option("--token", metavar="TOKEN", envvar="PROA_JOIN_TOKEN", help="Join token, for the first start.")
@click.option(
    "--token-file", type=click.Path(exists=True, dir_okay=False), help="The same, read from a file."
)
@click.option("--name", default="", metavar="NODE", help="Name of this host.  [default: the token's]")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="Address at which other hosts reach this one's workloads.",
)
@click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="HOST:PORT",
    help="Control plane, when it is not where the token says; may be repeated.",
)
@click.option("--locality", default="", metavar="REGION/ZONE/SUBZONE", help="Where this host is.")
@click.option("--network", default="", help="Network of this host, when the mesh has several.")
@click.option(
    "--metrics",
    default="127.0.0.1:15090",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to serve the sidecars' metrics; port 0 is any free one, an empty text means nowhere.",
)
@click.option(
    "--sidecar-ports",
    type=PortRange(),
    default="20000-29999",
    show_default=True,
    help="Ports of the sidecars.",
)
@click.option(
    "--envoy", type=click.Path(exists=True, path_type=Path), help="Another Envoy than the installed one."
)
@click.option(
    "--concurrency", type=click.IntRange(1), default=1, show_default=True, help="Threads of each Envoy."
)
@click.option(
    "--drain",
    type=Duration(),
    default="5s",
    show_default=True,
    help="How long open requests may take at the end.",
)
@verbose_option
@click.pass_context
def command(
    context: click.Context,
    token: str | None,
    token_file: str | None,
    name: str,
    address: str,
    servers: tuple[str, ...],
    locality: str,
    network: str,
    metrics: str,
    sidecar_ports: tuple[int, int],
    envoy: Path | None,
    concurrency: int,
    drain: float,
    verbose: bool,
) -> None:
    """Run the agent of a host until SIGTERM or Ctrl-C: it holds keys and certificates, and starts a sidecar
    for each program of `proa run`. Its first start needs a join token; later ones do not.

    `proa up` runs one together with a control plane.

    \b
    Example, on another host than the control plane's:
      proa node --token-file token --address 10.0.0.6
    """
    if context.invoked_subcommand is not None:
        return
    from proa.home import HomeUnusable
    from proa.node.options import NodeOptions, NodeUnusable, TokenNeeded, read_token
    from proa.node.run import run

    surroundings = context.ensure_object(Surroundings)
    given = token_file or token
    try:
        options = NodeOptions(
            home=surroundings.home,
            node=name,
            address=address,
            token=read_token(given) if given else "",
            servers=servers,
            locality=locality,
            network=network,
            metrics=metrics,
            sidecar_ports=sidecar_ports,
            envoy=envoy,
            envoy_concurrency=concurrency,
            drain_s=round(drain),
        )
        run_program(run(options), verbose=verbose)
    except TokenNeeded as error:
        todo = "`proa token create --node NAME` where the control plane runs prints one; then give --token"
        raise Failure(str(error), todo) from None
    except NodeUnusable as error:
        raise Failure(str(error)) from None
    except (HomeUnusable, OSError) as error:
        raise Failure(str(error)) from None


@command.command("drain")
@click.argument("workload", default="")
@click.option(
    "--deadline",
    type=Duration(),
    help="How long open requests may take.  [default: as at the end of a workload]",
)
@click.pass_obj
def drain(surroundings: Surroundings, workload: str, deadline: float | None) -> None:
    """Send no new requests to the workloads of this host, wait for the open ones, and take no new workloads; with
    WORKLOAD, to that one only. Programs go on, and may still call others. Returns when it is done.

    \b
    Example, before a host is worked on:
      proa node drain --deadline 30s
    """
    import asyncio

    from proa.core.sidecar.local import WorkloadDrained
    from proa.node import client

    def tell(done: WorkloadDrained) -> None:
        left = f"; {done.open_requests} requests are still open" if done.open_requests else ""
        click.echo(f"{done.id} is drained{left}")

    with surroundings.node_agent():
        done = asyncio.run(client.drain(surroundings.home, workload, deadline, tell))
    if not workload:
        click.echo(f"node {done.node} is drained and takes no workloads")


@command.command("undrain")
@click.argument("workload", default="")
@click.pass_obj
def undrain(surroundings: Surroundings, workload: str) -> None:
    """Take a drain back: the host takes workloads again, and those that were drained get requests again.

    \b
    Example:
      proa node undrain
    """
    import asyncio

    from proa.node import client

    with surroundings.node_agent():
        done = asyncio.run(client.undrain(surroundings.home, workload))
    for each in done.workloads:
        click.echo(f"{each} takes requests again")
    for each in done.stay:
        click.echo(f"{each} stays drained: start its program again")
    if not workload:
        click.echo("this node takes workloads")
