"""How the long-running commands are entered: logging, and their failures in the command line's words."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Final, TypeVar

import click

from proa.cli.parameters import Duration

F = TypeVar("F", bound=Callable[..., object])
SHORTEST_LEAF_S: Final = 10.0
"""Below this a renewal that has to be tried again comes too late."""


def program(home: Path, *words: str) -> tuple[str, ...]:
    """The command line of one of our own programs, the same installation as this one."""
    return (sys.executable, "-m", "proa.cli", "--home", str(home), *words)


def run_program(main: Coroutine[object, object, None], *, verbose: bool) -> None:
    """Runs until the program ends by itself. Logs go to stderr; whoever started it decides where that is."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("asyncio", "uvicorn", "uvicorn.error", "grpc"):
        logging.getLogger(noisy).setLevel(logging.INFO if verbose else logging.WARNING)
    asyncio.run(main)


def verbose_option(command: F) -> F:
    return click.option("-v", "--verbose", is_flag=True, help="Log details.")(command)


def _trust_domain(_context: click.Context, _option: click.Parameter, value: str) -> str:
    from proa.core.auth.spiffe import trust_domain_problem

    problem = trust_domain_problem(value)
    if problem:
        raise click.BadParameter(f"{value!r}: {problem}")
    return value


def _leaf_ttl(_context: click.Context, _option: click.Parameter, value: float) -> float:
    if value < SHORTEST_LEAF_S:
        raise click.BadParameter(f"a certificate is valid for {SHORTEST_LEAF_S:g}s at least")
    return value


def mesh_options(ports: Sequence[int]) -> Callable[[F], F]:
    """The flags of `serve`, which `up` hands on. `ports` are the defaults of xDS, join and metrics."""
    described = zip(
        ("xds", "join", "metrics"),
        ports,
        ("xDS and certificates", "hosts that join", "/ready and /metrics"),
        strict=True,
    )
    options = [
        click.option(
            "--listen",
            default="127.0.0.1",
            show_default=True,
            metavar="ADDRESS",
            help="Address to listen on.",
        ),
        click.option(
            "--advertise",
            metavar="ADDRESS",
            help="Address by which other hosts reach this one.  [default: the one listened on]",
        ),
        *(
            click.option(
                f"--{name}-port",
                type=click.IntRange(0, 65535),
                default=port,
                show_default=True,
                help=f"Port for {purpose}; 0 is any free one.",
            )
            for name, port, purpose in described
        ),
        click.option(
            "--trust-domain",
            default="cluster.local",
            show_default=True,
            metavar="NAME",
            callback=_trust_domain,
            help="Under this name the mesh's identities are issued.",
        ),
        click.option(
            "--outbound-traffic-policy",
            "outbound_policy",
            type=click.Choice(["ALLOW_ANY", "REGISTRY_ONLY"]),
            default="ALLOW_ANY",
            show_default=True,
            help="Whether workloads may call hosts the mesh does not know.",
        ),
        click.option(
            "--config-dir",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Also keep the YAML files of this directory in force, watching it.",
        ),
        click.option(
            "--leaf-ttl",
            type=Duration(),
            default="24h",
            show_default=True,
            callback=_leaf_ttl,
            help="How long a workload's certificate is valid; it is renewed at half of that.",
        ),
        *(
            click.option(
                f"--ca-{name}",
                type=click.Path(exists=True, dir_okay=False, path_type=Path),
                help=purpose,
            )
            for name, purpose in (
                ("cert", "Your own CA's certificate, PEM: it signs the mesh's certificates."),
                ("key", "Its private key, PEM."),
                ("chain", "What leads from it to its root, PEM; not needed for a root."),
            )
        ),
    ]

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add
