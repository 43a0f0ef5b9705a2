"""How the tests of the checks ask: objects in short form, analyzed, as codes with name and place."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from immutables import Map

from proa.core.config import Config, Document, Json, examine, path_text
from proa.core.config.analyze.message import Message
from proa.core.config.analyze.world import Known, Worker, World, build_world
from proa.core.config.kinds import find_kind
from proa.core.config.yaml_reader import NO_MARKS

Check = Callable[[World], Iterator[Message]]


def an_object(kind: str, name: str, spec: Json, annotations: Mapping[str, str] | None = None) -> Config:
    """`name` may be `namespace/name`; the kind in any spelling."""
    row = find_kind(kind)
    assert row is not None
    namespace, _, short = name.rpartition("/")
    metadata: dict[str, Json] = {"name": short, "namespace": namespace or "default"}
    if annotations:
        metadata["annotations"] = {**annotations}
    value: dict[str, Json] = {
        "apiVersion": f"{row.group}/{row.versions[0]}",
        "kind": row.kind,
        "metadata": metadata,
        "spec": spec,
    }
    examined = examine(Document(file="f", line=1, value=value, marks=NO_MARKS), only_in_force=False)
    assert examined.config is not None, examined.problems
    return examined.config


def routes(name: str, hosts: list[Json], *rules: Json, **more: Json) -> Config:
    """A VirtualService; without rules it sends all to its first host."""
    http: list[Json] = [*rules] or [{"route": [{"destination": {"host": hosts[0]}}]}]
    return an_object("vs", name, {"hosts": hosts, "http": http, **more})


def to(host: str, **more: Json) -> dict[str, Json]:
    """A rule that sends all to one host."""
    return {"route": [{"destination": {"host": host, **more}}]}


def entry(name: str, host: str, *protocols: str, **more: Json) -> Config:
    """A ServiceEntry; its ports are 80, 81 and so on."""
    ports: list[Json] = [
        {"number": 80 + index, "name": f"p{index}", "protocol": protocol}
        for index, protocol in enumerate(protocols or ("HTTP",))
    ]
    return an_object("se", name, {"hosts": [host], "ports": ports, "resolution": "DNS", **more})


def worker(namespace: str, **labels: str) -> Worker:
    return Worker(namespace=namespace, labels=Map(labels))


def find(
    check: Check,
    configs: Iterable[Config],
    services: Iterable[Known] = (),
    *,
    workers: tuple[Worker, ...] | None = None,
    gateways: int | None = None,
    secrets: frozenset[str] | None = None,
    whole: bool = False,
) -> list[str]:
    """`host-missing a spec.hosts[0]`, in order."""
    world = build_world(configs, services, workers=workers, gateways=gateways, secrets=secrets, whole=whole)
    return sorted(f"{each.code} {each.about.name} {path_text(each.path)}" for each in check(world))
