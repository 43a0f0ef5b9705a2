"""`proa up`: starts the very programs an operator runs, and holds them."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proa.cli.programs import mesh_options
from proa.cli.surroundings import Failure, Surroundings

if TYPE_CHECKING:
    from proa.cli.holding_mesh import Mesh
    from proa.home import Home


@click.command("up", short_help="Start a mesh on this machine: control plane and node agent.")
@mesh_options(ports=(0, 0, 0))
@click.option(
    "--node", default="local", show_default=True, metavar="NAME", help="Name of this host in the mesh."
)
@click.option(
    "--address",
    default=None,
    metavar="ADDRESS",
    help="Address at which other hosts reach this one's workloads.  [default: as --advertise, --listen]",
)
@click.pass_obj
def command(
    surroundings: Surroundings,
    listen: str,
    advertise: str | None,
    xds_port: int,
    join_port: int,
    metrics_port: int,
    trust_domain: str,
    outbound_policy: str,
    config_dir: Path | None,
    leaf_ttl: float,
    ca_cert: Path | None,
    ca_key: Path | None,
    ca_chain: Path | None,
    node: str,
    address: str | None,
) -> None:
    """Start a mesh on this machine and keep it until Ctrl-C: a control plane (`proa serve`) and a node agent
    (`proa node`) as two processes, on free ports of 127.0.0.1. No root, no Kubernetes.

    What was applied is kept in the home and in force again at the next `proa up`. When it is killed, control plane,
    node agent, sidecars and programs end in order; whatever a crash leaves, the next `proa up` adopts or ends.

    \b
    Example:
      proa up
      proa run --name hello --port 8080 -- python3 -m http.server 8080 --bind 127.0.0.1
    """
    from proa.cli.holding_mesh import MeshPlan, MeshRunning, hold_mesh
    from proa.home import HomeUnusable
    from proa.runtime.holding import ProgramEnded, ProgramLate

    flags = [
        f"--listen={listen}",
        f"--xds-port={xds_port}",
        f"--join-port={join_port}",
        f"--metrics-port={metrics_port}",
        f"--trust-domain={trust_domain}",
        f"--outbound-traffic-policy={outbound_policy}",
        f"--leaf-ttl={leaf_ttl:.3f}s",
    ]
    flags += [f"--advertise={advertise}"] if advertise else []
    flags += [f"--config-dir={config_dir}"] if config_dir else []
    for name, path in (("cert", ca_cert), ("key", ca_key), ("chain", ca_chain)):
        flags += [f"--ca-{name}={path}"] if path else []
    reached = address or advertise or (listen if listen not in ("0.0.0.0", "::") else "127.0.0.1")
    plan = MeshPlan(serve_flags=tuple(flags), node=node, address=reached)
    try:
        asyncio.run(hold_mesh(surroundings.home, plan, click.echo, lambda mesh: _show(surroundings, mesh)))
    except MeshRunning as other:
        raise Failure(
            f"a mesh is running at {surroundings.home.path} already{f' (pid {other.pid})' if other.pid else ''}",
            "use it as it is, or start another one with `proa --home DIR up`",
        ) from None
    except (ProgramEnded, ProgramLate, HomeUnusable, OSError) as error:
        raise Failure(str(error)) from None


def _sidecars_metrics(home: "Home") -> str:
    """Where the agent is scraped: it has written that before it answered."""
    import msgspec

    facts = msgspec.json.decode((home.path / "node.json").read_bytes(), type=dict[str, str])
    return facts["metrics"]


def _show(surroundings: Surroundings, mesh: "Mesh") -> None:
    home = surroundings.home
    lines = (
        ("home", str(home.path)),
        ("xDS", mesh.addresses.xds),
        ("join", mesh.addresses.join),
        ("metrics", f"http://{mesh.addresses.metrics}/metrics"),
        ("sidecars", f"http://{_sidecars_metrics(home)}/metrics"),
        ("logs", str(home.logs)),
    )
    click.echo(click.style("The mesh is up. Ctrl-C ends it.", fg="green"))
    for name, value in lines:
        click.echo(f"  {name:8} {value}")
    click.echo("Bring a program into it, in another terminal:")
    hello = "run --name hello --port 8080 -- python3 -m http.server 8080 --bind 127.0.0.1"
    click.echo(f"  {surroundings.command(hello)}")
