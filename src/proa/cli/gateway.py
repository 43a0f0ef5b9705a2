"""`proa gateway`: a sidecar without a program; Gateway objects say what it serves."""

import asyncio

import click

from proa.cli.placing import Teller, pairs
from proa.cli.surroundings import Surroundings


@click.command("gateway", short_help="Open a door into the mesh.")
@click.option("--name", default="ingressgateway", show_default=True, help="Name of the gateway.")
@click.option(
    "-n", "--namespace", default="istio-system", show_default=True, help="Namespace of the gateway."
)
@click.option("--account", default="", help="Account in its identity.  [default: its name]")
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="Label that Gateway objects select by; may be repeated. `istio` and "
    "`gateway.networking.k8s.io/gateway-name` are the name unless given.",
)
@click.option(
    "--locality", default="", metavar="REGION/ZONE/SUBZONE", help="Where it is.  [default: where the host is]"
)
@click.option("--serve-low-ports", is_flag=True, help="Take ports below 1024 where this user may.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings.")
@click.pass_context
def command(
    context: click.Context,
    name: str,
    namespace: str,
    account: str,
    labels: tuple[str, ...],
    locality: str,
    serve_low_ports: bool,
    quiet: bool,
) -> None:
    """Run a gateway until Ctrl-C: a proxy through which clients outside reach services inside, as Gateway
    objects that select its labels say. A port that is taken, or below 1024, is served at a free one; which one
    is printed.

    \b
    Example:
      proa gateway
      proa apply -f gateway.yaml --wait
    """
    from immutables import Map

    from proa.core.config.gateway_api.gateway_schema import GATEWAY_NAME_LABEL
    from proa.core.sidecar.local import WorkloadSpec, spec_problems
    from proa.node.client import serve_gateway

    spec = WorkloadSpec(
        name=name,
        namespace=namespace,
        account=account,
        kind="gateway",
        labels=Map({GATEWAY_NAME_LABEL: name, **pairs(labels, istio=name)}),
        locality=locality,
        serve_low_ports=serve_low_ports,
    )
    problems = spec_problems(spec)
    if problems:
        raise click.UsageError("; ".join(problems), context)
    surroundings = context.ensure_object(Surroundings)
    with surroundings.node_agent():
        context.exit(asyncio.run(serve_gateway(surroundings.home, spec, Teller(spec, quiet=quiet))))
