"""`proa run`: flags to a WorkloadSpec, and the program's life in the node agent's hands."""

import asyncio
import shlex

import click

from proa.cli.placing import Teller, pairs
from proa.cli.surroundings import Surroundings
from proa.core.sidecar.local import (
    HealthCheck,
    InvalidSpec,
    PortSpec,
    WorkloadSpec,
    parse_port,
    parse_upstream,
)


@click.command(
    "run", short_help="Run a program in the mesh.", context_settings={"allow_interspersed_args": False}
)
@click.option("--name", required=True, help="Name of the workload, unique in its namespace.")
@click.option(
    "-n", "--namespace", default="default", show_default=True, help="Namespace of workload and service."
)
@click.option(
    "--group",
    default="",
    help="WorkloadGroup of the namespace to join: labels, ports, account, place, weight and probe are as it says, where"
    " nothing else is said here.",
)
@click.option("--service", help="Service that the ports belong to.  [default: the workload's name]")
@click.option("--account", default="", help="Account in its identity.  [default: the service's name]")
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="Label that rules select by; may be repeated. `app` is the service unless given.",
)
@click.option(
    "-p",
    "--port",
    "ports",
    multiple=True,
    metavar="PORT[:APP][/PROTOCOL]",
    help="Served port. The program listens on it at 127.0.0.1, or on APP, or, with `auto`, on $PORT. PROTOCOL is"
    " http, http2, grpc, tcp or tls; without it the first bytes tell. May be repeated.",
)
@click.option("--protocol", default="", help="PROTOCOL of the ports that name none.")
@click.option(
    "-u",
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="HOST:PORT[@LOCAL]",
    help="TCP service the program shall reach at 127.0.0.1:LOCAL; $PROA_UPSTREAM_HOST has the address.",
)
@click.option(
    "--locality", default="", metavar="REGION/ZONE/SUBZONE", help="Where it is.  [default: where the host is]"
)
@click.option("--health-http", metavar="PATH", help="Healthy while GET PATH is answered by 2xx or 3xx.")
@click.option("--health-tcp", is_flag=True, help="Healthy while its ports accept connections. (the default)")
@click.option("--health-grpc", is_flag=True, help="Healthy while grpc.health.v1 says SERVING.")
@click.option("--health-exec", metavar="COMMAND", help="Healthy while COMMAND ends with exit code 0.")
@click.option(
    "--proxyless",
    is_flag=True,
    help="No sidecar: gRPC in the program balances and encrypts by itself (targets xds:///SERVICE:PORT).",
)
@click.option(
    "--workload-api",
    is_flag=True,
    help="The program gets its own certificate and key by SPIFFE's Workload API, at $SPIFFE_ENDPOINT_SOCKET.",
)
@click.option(
    "--no-wait",
    is_flag=True,
    help="Start the program at once, not when its sidecar has certificate and configuration.",
)
@click.option("--log", is_flag=True, help="Program's output to `proa proxy logs --app`, not here.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings.")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_context
def command(
    context: click.Context,
    name: str,
    namespace: str,
    group: str,
    service: str | None,
    account: str,
    labels: tuple[str, ...],
    ports: tuple[str, ...],
    protocol: str,
    upstreams: tuple[str, ...],
    locality: str,
    health_http: str | None,
    health_tcp: bool,
    health_grpc: bool,
    health_exec: str | None,
    proxyless: bool,
    workload_api: bool,
    no_wait: bool,
    log: bool,
    quiet: bool,
    argv: tuple[str, ...],
) -> None:
    """Run a program in the mesh, unchanged: beside it stands a sidecar that takes the calls to its ports, and
    through which (HTTP_PROXY and so on) it calls others by service name. When the program ends, both are gone;
    the exit code is the program's. Ctrl-C lets open requests end first.

    \b
    Examples:
      proa run --name hello --port 8080 -- python3 -m http.server 8080 --bind 127.0.0.1
      proa run --name reviews-v2 --service reviews -l version=v2 --port 9080:auto -- ./reviews
      proa run --name shop --port 80:8000/http --upstream redis:6379 --health-http /ok -- ./shop
    """
    surroundings = context.ensure_object(Surroundings)
    chosen = service or name
    try:
        served = tuple(_served_port(text, chosen, protocol) for text in ports)
        spec = WorkloadSpec(
            name=name,
            namespace=namespace,
            account=account,
            kind="proxyless" if proxyless else "sidecar",
            labels=pairs(labels) if group else pairs(labels, app=chosen),
            group=group,
            service=service or "",
            ports=served,
            upstreams=tuple(parse_upstream(text) for text in upstreams),
            locality=locality,
            waits_for_sidecar=not no_wait,
            workload_api=workload_api,
            health=_health(health_http, health_tcp, health_grpc, health_exec)
            if (served and not group) or health_http or health_tcp or health_grpc or health_exec
            else (),
        )
    except InvalidSpec as error:
        raise click.UsageError(str(error), context) from None
    context.exit(_run(surroundings, spec, argv, log=log, teller=Teller(spec, quiet=quiet)))


def _run(
    surroundings: Surroundings, spec: WorkloadSpec, argv: tuple[str, ...], *, log: bool, teller: Teller
) -> int:
    from proa.core.sidecar.local import spec_problems
    from proa.node.client import run_workload

    problems = spec_problems(spec)
    if problems:
        raise click.UsageError("; ".join(problems))
    path = surroundings.home.workload_log(str(spec.id), "app") if log else None
    with surroundings.node_agent():
        return asyncio.run(run_workload(surroundings.home, spec, argv, teller, log=path))


def _served_port(text: str, service: str, protocol: str) -> PortSpec:
    return parse_port(text if "/" in text or not protocol else f"{text}/{protocol}", service)


def _health(http: str | None, tcp: bool, grpc: bool, command: str | None) -> tuple[HealthCheck, ...]:
    """Without a choice a port is well when it accepts connections: a program that is still starting is not."""
    checks = [HealthCheck(kind="http", path=http)] if http is not None else []
    checks += [HealthCheck(kind="grpc")] if grpc else []
    checks += [HealthCheck(kind="exec", command=tuple(shlex.split(command)))] if command else []
    checks += [HealthCheck(kind="tcp")] if tcp or not checks else []
    return tuple(checks)
