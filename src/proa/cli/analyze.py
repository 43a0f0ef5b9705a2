"""`proa analyze`: what does not go together, in files or in the mesh. Files alone need no mesh."""

from typing import TYPE_CHECKING

import click

from proa.cli.output import (
    Format,
    as_json,
    count,
    output_option,
    print_problems,
    print_value,
    tell_faults,
)
from proa.cli.parameters import files_options, namespace_option
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from proa.core.config import Problem, Written
    from proa.core.config.analyze.analysis import Told
    from proa.core.config.analyze.world import Known, Worker
    from proa.core.config.mixer.catalogue import Catalogue
    from proa.servers.admin.operations import ServiceStatus

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.command("analyze", short_help="Find what does not go together, in files or in the mesh.")
@files_options(required=False)
@namespace_option("Namespace of objects that name none.")
@click.option("--mesh", is_flag=True, help="Take the files together with what is in force.")
@output_option
@click.pass_context
def command(
    context: click.Context,
    named: tuple[str, ...],
    more: tuple[str, ...],
    namespace: str,
    mesh: bool,
    output: Format,
) -> None:
    """Look for faults between objects: hosts, subsets and gateways that nobody has, rules that never act, two
    objects for one thing. Without files it looks at the mesh: at the objects in force and at what really runs.
    Files alone are looked at by themselves; then nothing is said of hosts and workloads that a program may bring.

    Each message has a code, and Istio's code where Istio has the same; the page docs/messages.md tells of each. An
    object with the annotation galley.istio.io/analyze-suppress is not told of. The exit code is 1 when something is
    an error.

    \b
    Examples:
      proa analyze
      proa analyze -f config/
      proa analyze --mesh -f new-routes.yaml
    """
    from proa.adapters.policy_catalog import installed
    from proa.cli.documents import read_files
    from proa.core.config import read_batch
    from proa.core.config.analyze.analysis import analyze, subjects_of, told_of
    from proa.core.config.analyze.world import build_world
    from proa.core.mixer.analysis.findings import mixer_check

    files = read_files(named, more)
    adapters = installed()
    tell_faults(adapters.faults)
    batch = read_batch(
        [(file.name, file.text) for file in files],
        namespace,
        only_in_force=False,
        catalogue=adapters.catalogue,
    )
    written, problems = list(batch.objects), list(batch.problems)
    is_live = mesh or not files
    services: list[Known] = []
    workers: tuple[Worker, ...] | None = None
    gateways: int | None = None
    secrets: frozenset[str] | None = None
    if is_live:
        surroundings = context.ensure_object(Surroundings)
        others, services, workers, gateways, secrets = _of_mesh(surroundings, adapters.catalogue)
        ours = {each.config.ref for each in written}
        written += [each for each in others if each.config.ref not in ours]
    subjects = subjects_of(written)
    world = build_world(
        subjects.configs, services, workers=workers, gateways=gateways, secrets=secrets, whole=is_live
    )
    told = told_of(analyze(world, [mixer_check(adapters.catalogue)]), subjects)
    errors = sum(each.severity == "error" for each in problems) + sum(each.level == "error" for each in told)
    if output == "table":
        _print(problems, told, len(written))
    else:
        print_value(
            {"objects": len(written), "errors": errors, "problems": problems, "messages": told}, output
        )
    context.exit(1 if errors else 0)


def _print(problems: "list[Problem]", told: "tuple[Told, ...]", objects: int) -> None:
    print_problems(problems)
    for each in told:
        click.echo(click.style(str(each), fg=_COLOURS[each.level]), err=True)
    if not problems and not told:
        click.echo(f"{count(objects, 'object')}: fine")


def _of_mesh(
    surroundings: Surroundings, catalogue: "Catalogue"
) -> "tuple[list[Written], list[Known], tuple[Worker, ...], int, frozenset[str]]":
    """Objects in force, services, workloads with sidecars, how many gateways run, and the secrets of this host."""
    from proa.core.config import Document, Written, examine
    from proa.core.config.yaml_reader import NO_MARKS
    from proa.node.operator_secrets import list_secrets
    from proa.servers.admin.operations import ObjectQuery

    with surroundings.control_plane() as client:
        stored = client.objects(ObjectQuery()).objects
        statuses = client.services().services
        proxies = client.proxies().proxies
    written: list[Written] = []
    for each in stored:
        manifest = as_json(each.manifest)
        assert isinstance(manifest, dict)
        document = Document(file=each.file, line=each.line, value=manifest, marks=NO_MARKS)
        config = examine(document, catalogue=catalogue).config
        if config is not None:
            written.append(Written(config=config, document=document))
    gateways = sum(proxy.kind == "gateway" for proxy in proxies)
    secrets = frozenset(summary.name for summary in list_secrets(surroundings.home))
    return written, [_known(status) for status in statuses], _workers(statuses), gateways, secrets


def _known(status: "ServiceStatus") -> "Known":
    from proa.core.config.analyze.world import Known

    service = status.service
    return Known(
        host=service.hostname,
        namespace=service.namespace,
        ports={port.number: port.protocol for port in service.ports},
        visible_in=service.visible_in,
        instances=tuple(endpoint.labels for endpoint in status.endpoints),
        is_external=service.mesh_external,
        takes_mtls=bool(status.endpoints) and all(each.tls == "mutual" for each in status.endpoints),
    )


def _workers(statuses: "tuple[ServiceStatus, ...]") -> "tuple[Worker, ...]":
    """Each workload once, by the endpoints that it is."""
    from proa.core.config.analyze.world import Worker
    from proa.core.model.names import parse_workload_id

    found = {
        endpoint.workload: Worker(
            namespace=parse_workload_id(endpoint.workload).namespace, labels=endpoint.labels
        )
        for status in statuses
        for endpoint in status.endpoints
        if endpoint.workload
    }
    return tuple(found.values())
