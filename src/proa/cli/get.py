"""`proa get`: objects in force, as a table or as manifests that can be applied again; and services."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from proa.cli.output import (
    Format,
    as_json,
    output_option,
    print_columns,
    print_problems,
    print_value,
    span,
    to_text,
)
from proa.cli.parameters import KindWord, complete_objects, namespace_option
from proa.cli.surroundings import Failure, Surroundings

if TYPE_CHECKING:
    from proa.core.model.endpoint import Endpoint
    from proa.ports.config_store import StoredObject
    from proa.servers.admin.operations import ServiceStatus

SERVICES = ("services", "service", "svc")
ALL = "all"


@click.command("get", short_help="Show configuration in force, or services.")
@click.argument("kind", type=KindWord(ALL, *SERVICES))
@click.argument("name", required=False, shell_complete=complete_objects)
@namespace_option("Namespace to look in.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in every namespace.")
@output_option
@click.pass_obj
def command(
    surroundings: Surroundings,
    kind: str,
    name: str | None,
    namespace: str,
    all_namespaces: bool,
    output: Format,
) -> None:
    """Show the configuration in force. KIND is a kind in any spelling (virtualservice, vs), `all`, or
    `services` for what the mesh can call, one that is named with its endpoints. YAML and JSON can be applied again.

    \b
    Examples:
      proa get all -A
      proa get vs reviews -o yaml
      proa get services
    """
    from proa.servers.admin.operations import ObjectQuery

    word, slash, behind = kind.partition("/")
    name = behind if slash else name
    where = None if all_namespaces else namespace
    if word in SERVICES:
        _print_services(surroundings, name, where, output)
        return
    query = ObjectQuery(kind=None if word == ALL else word, namespace=where, name=name)
    with surroundings.control_plane() as client:
        found = client.objects(query)
    print_problems(found.problems)
    if not found.objects:
        _nothing(word, name, where, output)
        return
    match output:
        case "table":
            _print_table(found.objects, all_namespaces, with_kind=word == ALL)
        case _:
            _print_manifests(found.objects, one=name is not None and len(found.objects) == 1, output=output)


def _nothing(word: str, name: str | None, where: str | None, output: Format) -> None:
    place = f"in namespace {where}" if where else "in any namespace"
    if name is not None:
        raise Failure(
            f"{word} {name} is not in force {place}", f"`proa get {word.lower()} -A` lists those that are"
        )
    if output == "json":
        click.echo(to_text({"apiVersion": "v1", "kind": "List", "items": []}, output), nl=False)
    what = "nothing" if word == ALL else f"no {word}"
    click.echo(f"{what} {place}{' (-A looks in all)' if where else ''}", err=True)


def _print_manifests(objects: "Sequence[StoredObject]", *, one: bool, output: Format) -> None:
    manifests = [as_json(each.manifest) for each in objects]
    if output == "yaml":
        from proa.core.config import to_yaml

        click.echo(to_yaml(*manifests), nl=False)
    else:
        value = manifests[0] if one else {"apiVersion": "v1", "kind": "List", "items": manifests}
        click.echo(to_text(value, output), nl=False)


def _print_table(objects: "Sequence[StoredObject]", all_namespaces: bool, *, with_kind: bool) -> None:
    now = time.time()
    head = ("NAMESPACE", "KIND", "NAME", "ABOUT", "VERSION", "BY", "AGE", "FROM")
    rows = [
        (
            each.ref.namespace if all_namespaces else "",
            each.ref.kind if with_kind else "",
            each.ref.name,
            _about(each),
            str(each.version),
            each.author,
            span(now - each.created) if each.created else "",
            f"{each.file}:{each.line}" if each.file else "",
        )
        for each in objects
    ]
    print_columns(head, rows)


def _about(stored: "StoredObject") -> str:
    """The one thing one looks for in a list of this kind."""
    manifest = as_json(stored.manifest)
    spec = manifest.get("spec") if isinstance(manifest, dict) else None
    tell = _ABOUT.get(stored.ref.kind)
    return tell(spec) if tell and isinstance(spec, dict) else ""


def _words(value: object) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list) else ""


def _about_routes(spec: dict[str, Any]) -> str:
    gateways = _words(spec.get("gateways"))
    return _words(spec.get("hosts")) + (f" at {gateways}" if gateways else "")


def _about_subsets(spec: dict[str, Any]) -> str:
    subsets = _words([each.get("name") for each in spec.get("subsets", [])])
    return str(spec.get("host", "")) + (f" ({subsets})" if subsets else "")


def _about_servers(spec: dict[str, Any]) -> str:
    ports = [each.get("port", {}) for each in spec.get("servers", [])]
    return _words([f"{port.get('number')}/{port.get('protocol')}" for port in ports])


def _about_mtls(spec: dict[str, Any]) -> str:
    return str(spec.get("mtls", {}).get("mode", ""))


def _about_route(spec: dict[str, Any]) -> str:
    parents = _words([each.get("name") for each in spec.get("parentRefs", [])])
    hosts = _words(spec.get("hostnames"))
    return f"{hosts} at {parents}" if hosts else f"at {parents}"


def _about_listeners(spec: dict[str, Any]) -> str:
    return _words([f"{each.get('port')}/{each.get('protocol')}" for each in spec.get("listeners", [])])


_ABOUT: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "VirtualService": _about_routes,
    "DestinationRule": _about_subsets,
    "Gateway": _about_servers,
    "Gateway.gateway.networking.k8s.io": _about_listeners,
    "HTTPRoute": _about_route,
    "GRPCRoute": _about_route,
    "TLSRoute": _about_route,
    "TCPRoute": _about_route,
    "ServiceEntry": lambda spec: _words(spec.get("hosts")),
    "WorkloadEntry": lambda spec: str(spec.get("address", "")),
    "PeerAuthentication": _about_mtls,
}


def _print_services(surroundings: Surroundings, name: str | None, where: str | None, output: Format) -> None:
    with surroundings.control_plane() as client:
        everything = client.services().services
    found = [
        each
        for each in everything
        if where in (None, each.service.namespace) and name in (None, *_names(each))
    ]
    if name is not None and not found:
        raise Failure(f"there is no service {name}", "`proa get services -A` lists those that are")
    if output != "table":
        print_value({"services": found}, output)
    elif not found:
        click.echo("no services; `proa run` brings a program into the mesh", err=True)
    else:
        rows = [_service_row(each) for each in found]
        print_columns(("HOST", "PORTS", "HEALTHY", "IDENTITIES"), rows)
        if name is not None:
            click.echo()
            heads = ("ENDPOINT", "WORKLOAD", "PORT", "HEALTH", "MESH TLS")
            print_columns(heads, [_endpoint_row(each) for status in found for each in status.endpoints])


def _endpoint_row(endpoint: "Endpoint") -> tuple[str, str, str, str, str]:
    """Where clients connect: at a workload with a sidecar, that one's port."""
    host = (
        f"[{endpoint.address}]"
        if ":" in endpoint.address and "/" not in endpoint.address
        else endpoint.address
    )
    return (
        host if "/" in host else f"{host}:{endpoint.port}",
        endpoint.workload or "-",
        str(endpoint.service_port),
        endpoint.health,
        "yes" if endpoint.tls == "mutual" else "no",
    )


def _names(status: "ServiceStatus") -> tuple[str, ...]:
    hostname = status.service.hostname
    return (hostname, hostname.partition(".")[0])


def _service_row(status: "ServiceStatus") -> tuple[str, str, str, str]:
    service = status.service
    healthy = sum(each.health == "HEALTHY" for each in status.endpoints)
    return (
        service.hostname,
        ", ".join(f"{port.number}/{port.protocol}" for port in service.ports),
        f"{healthy} of {len(status.endpoints)}",
        ", ".join(service.accounts),
    )
