"""The bookstore's programs and gateway in meshes of tests, under the names and accounts of `proa.demo.bookstore`."""

import sys
from typing import Final

from proa.demo.bookstore import GATEWAY, GATEWAY_PORT, HEALTH_PATH, PAGE_PATH, PROGRAMS, SERVICE_PORT
from tests.mesh.harness import Mesh

ALL_PROGRAMS: Final = frozenset(program.id.name for program in PROGRAMS)


def start_programs(mesh: Mesh, *, only: frozenset[str] = ALL_PROGRAMS) -> None:
    """Starts the programs whose workloads are in `only`; does not wait for them."""
    for program in PROGRAMS:
        if program.id.name in only:
            options = [
                f"--service={program.service}",
                f"--account={program.account}",
                f"--health-http={HEALTH_PATH}",
                *(f"--label={key}={value}" for key, value in program.labels.items()),
            ]
            argv = program.command(sys.executable)
            mesh.run(program.id.name, argv, *options, port=f"{SERVICE_PORT}:auto/http", wait=False)


def start_gateway(mesh: Mesh) -> None:
    """Does not wait for it: it has nothing to serve before a Gateway object selects it."""
    labels = [f"--label={key}={value}" for key, value in GATEWAY.labels.items()]
    mesh.gateway(
        f"--namespace={GATEWAY.id.namespace}",
        f"--account={GATEWAY.account}",
        *labels,
        name=GATEWAY.id.name,
        wait=False,
    )


def page_url(mesh: Mesh, address: str = "127.0.0.1") -> str:
    """Where the gateway shows the page; waits until it does."""
    return f"http://{address}:{mesh.gateway_port(GATEWAY_PORT, GATEWAY.id.name)}{PAGE_PATH}"
