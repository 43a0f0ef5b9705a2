"""What must hold of a mesh after everything was mended: one configuration, living endpoints, nothing left lying about.

Each `..._problems` looks at a settled arena and answers with sentences, none when all is well; `Watch` follows sizes of
processes during a list. Called by the kill list's tests.
"""

import asyncio
import contextlib
import functools
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from proa.core.config.tree import Json
from proa.core.model.names import WorkloadId
from proa.core.sidecar.table_file import BadTable, decode_table
from proa.node.client import ask_admin
from tests.endurance.arena import WORKLOADS, Arena

SECTIONS: Final = {
    "dynamic_active_clusters": ("CLUSTER", "cluster"),
    "dynamic_listeners": ("LISTENER", "listener"),
    "dynamic_route_configs": ("ROUTE", "route_config"),
    "ecds_filters": ("EXTENSION", "ecds_filter"),
}
"""Of Envoy's config_dump: our name of the type, and the field that holds the resource."""
DISK_S: Final = 10.0
"""Until what an Envoy took is in the table on disk."""
BESIDE_S: Final = 0.5
SAMPLE_S: Final = 2.0
MAY_GROW: Final = 1.10
WARM_S: Final = 30.0
"""After its start a control plane has imported, connected and cached what it needs."""
MORE_DESCRIPTORS: Final = 6
"""Connections that are closing, and those of somebody who asks."""
LAST_FEW: Final = 10
SHARED_MEMORY: Final = re.compile(r"/dev/shm/(envoy_shared_memory_\d+)")

Versions = dict[tuple[str, str], str]
"""By type and name."""


# One configuration


def configuration_problems(arena: Arena) -> list[str]:
    """What every proxy has, by its agent's table and by its Envoy, is what a control plane offers that was started anew
    from the same store; and that one has nothing to send."""
    problems = []
    offered = {name: _offered(arena, name) for name in WORKLOADS}
    for name, wanted in offered.items():
        problems += differences(f"{name}: its table", _table(arena, name, wanted), wanted)
        dump = _dump(arena, name)
        without = {key: version for key, version in wanted.items() if key[0] != "ENDPOINT"}
        problems += differences(f"{name}: its Envoy", envoy_versions(dump), without)
        problems += differences(f"{name}: its Envoy", addresses(dump), _offered_addresses(arena, name))
    arena.replace_control_plane()
    if sent := arena.resources_sent():
        problems.append(f"a new control plane sent {sent:g} resources that were not what the proxies had")
    for name, before in offered.items():
        problems += differences(f"{name}: a new control plane's offer", _offered(arena, name), before)
    return problems


def differences(
    whose: str, has: Mapping[tuple[str, str], str], wanted: Mapping[tuple[str, str], str]
) -> list[str]:
    """A sentence for each key that is missing, too much or of another value."""
    told = [f"{whose} lacks {key}" for key in sorted(wanted.keys() - has.keys())]
    told += [f"{whose} still has {key}" for key in sorted(has.keys() - wanted.keys())]
    both = sorted(key for key in wanted.keys() & has.keys() if wanted[key] != has[key])
    return told + [f"{whose} has {key} as {has[key]}, not {wanted[key]}" for key in both]


def _offered(arena: Arena, name: str) -> Versions:
    """What the proxy asks for: of extensions, those that a listener names. Some are offered to all."""
    config = arena.control.admin.proxy_config(WorkloadId("default", name))
    listeners = b"".join(bytes(each.body) for each in config.resources if each.type == "LISTENER")
    return {
        (each.type, each.name): each.version
        for each in config.resources
        if each.type != "SECRET" and (each.type != "EXTENSION" or f'"{each.name}"'.encode() in listeners)
    }


def _table(arena: Arena, name: str, wanted: Versions) -> Versions:
    """As the agent keeps it on disk; waits a while for what is wanted, because it gets there a little later."""
    file = arena.node_of(name).home.workload_dir(f"default/{name}") / "table"
    deadline = time.monotonic() + DISK_S
    while True:
        try:
            found = {
                (each.type.name, each.name): each.digest for each in decode_table(file.read_bytes()).resources
            }
        except (FileNotFoundError, BadTable) as error:
            found = {("TABLE", str(error)): ""}
        if found == wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _dump(arena: Arena, name: str) -> list[dict[str, Json]]:
    """Every section of Envoy's config_dump."""
    answer = asyncio.run(ask_admin(arena.node_of(name).home, name, "/config_dump?include_eds"))
    return list(json.loads(answer.body)["configs"])


def envoy_versions(dump: Iterable[Mapping[str, Json]]) -> Versions:
    """What an Envoy serves by: active state only. Endpoints come without a version there."""
    found: Versions = {}
    for section in dump:
        for field, (kind, inner) in SECTIONS.items():
            for entry in _entries(section, field):
                state = entry.get("active_state", entry)
                if isinstance(state, dict) and isinstance(resource := state.get(inner), dict):
                    found[kind, str(resource["name"])] = str(state["version_info"])
    return found


def addresses(dump: Iterable[Mapping[str, Json]]) -> Versions:
    """By cluster of ours that has its endpoints from EDS: the addresses with their health, in order."""
    assignments = [
        each["endpoint_config"] for section in dump for each in _entries(section, "dynamic_endpoint_configs")
    ]
    return {
        ("ENDPOINT", str(each["cluster_name"])): spelled(each)
        for each in assignments
        if isinstance(each, dict) and str(each["cluster_name"]).startswith("outbound|")
    }


def _offered_addresses(arena: Arena, name: str) -> Versions:
    config = arena.control.admin.proxy_config(WorkloadId("default", name))
    return {
        ("ENDPOINT", each.name): spelled(json.loads(bytes(each.body)))
        for each in config.resources
        if each.type == "ENDPOINT"
    }


def spelled(assignment: Mapping[str, Json]) -> str:
    """`address:port HEALTH` of every endpoint, whichever way protobuf's JSON names its fields."""
    text = json.dumps(assignment)
    tree = json.loads(re.sub(r'"([a-z]+)([A-Z][a-z]+)([A-Z][a-z]+)?":', _snake, text))
    found = [
        f"{each['endpoint']['address']['socket_address']['address']}"
        f":{each['endpoint']['address']['socket_address']['port_value']} {each.get('health_status', '')}"
        for group in tree.get("endpoints", ())
        for each in group.get("lb_endpoints", ())
    ]
    return ", ".join(sorted(found))


def _snake(found: re.Match[str]) -> str:
    return '"' + "_".join(word.lower() for word in found.groups() if word) + '":'


def _entries(section: Mapping[str, Json], field: str) -> list[dict[str, Json]]:
    entries = section.get(field, [])
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


# Living endpoints


def endpoint_problems(arena: Arena) -> list[str]:
    """Every endpoint is healthy, of a workload that is there, and takes connections from both nodes."""
    problems = []
    # One without a workload stands in a ServiceEntry: nobody of ours answers for it.
    endpoints = [each for each in arena.control.endpoints() if each.workload]
    expected = {f"default/{name}" for name in WORKLOADS if name.startswith("echo")}
    if {each.workload for each in endpoints} != expected or len(endpoints) != len(expected):
        problems.append(
            f"endpoints of {sorted(each.workload for each in endpoints)}, not of {sorted(expected)}"
        )
    for each in endpoints:
        if each.health != "HEALTHY":
            problems.append(f"{each.workload} is {each.health}")
        for node in arena.nodes:
            try:
                arena.where(node, functools.partial(_connect, each.address, each.port))
            except OSError as error:
                problems.append(f"{each.workload} at {each.address}:{each.port} from {node}: {error}")
    return problems


def _connect(address: str, port: int) -> None:
    """Raises OSError."""
    with socket.create_connection((address, port), 5):
        pass


# Nothing left


def process_problems(arena: Arena) -> list[str]:
    """Nobody lives but those who should."""
    known = {arena.serve.pid}
    for mesh in arena.nodes.values():
        known.add(mesh.parts["node"].pid)
        known |= {program.pid for program in mesh.workloads.values()}
        known |= {
            pid for each in mesh.node().workloads for pid in (each.pid, each.envoy_pid) if pid is not None
        }
    living = {pid: words for mesh in arena.meshes for pid, words in mesh.left_processes().items()}
    return [f"orphan {pid}: {words}" for pid, words in living.items() if pid not in known]


def files(arena: Arena) -> frozenset[str]:
    """Every file and socket of all homes and run directories, by mesh and path, that is there for longer than it takes
    to write a file beside its place."""
    first = _files(arena)
    time.sleep(BESIDE_S)
    return first & _files(arena)


def _files(arena: Arena) -> frozenset[str]:
    found = set()
    for number, mesh in enumerate(arena.meshes):
        for top in (mesh.home.path, mesh.home.run_dir):
            label = "home" if top == mesh.home.path else "run"
            found |= {f"{number} {label}/{each.relative_to(top)}" for each in top.rglob("*")}
    return frozenset(found)


def file_problems(arena: Arena, before: frozenset[str]) -> list[str]:
    """The same files as before; `lost+found` and the like are in both."""
    now = files(arena)
    return [
        *(f"left behind: {each}" for each in sorted(now - before)),
        *(f"vanished: {each}" for each in sorted(before - now)),
    ]


# Sizes


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """`moment` on the clock of time.monotonic; `memory` is resident, in kB."""

    moment: float
    who: str
    pid: int
    memory: int
    descriptors: int


class Watch:
    """Samples the control plane and the agents, from a thread of its own, as long as its block lasts."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self.samples: list[Sample] = []
        self.shared_memory: set[str] = set()

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.look()

    def look(self) -> dict[str, Sample]:
        """Now, by program; for a program that has just ended there is none."""
        now: dict[str, Sample] = {}
        programs = {"serve": self._arena.serve}
        programs |= {f"node {name}": mesh.parts["node"] for name, mesh in self._arena.nodes.items()}
        for who, program in programs.items():
            with contextlib.suppress(OSError, AttributeError):  # it has ended, or ends just now
                now[who] = sample(who, program.pid)
        self.samples.extend(now.values())
        for mesh in self._arena.nodes.values():
            for pid, words in mesh.left_processes().items():
                if "/envoy " in words:
                    self.shared_memory |= _shared_memory(pid)
        return now

    def told(self, start: Mapping[str, Sample], end: Mapping[str, Sample]) -> list[str]:
        """Sizes at both ends, and of every control plane that lived for long."""
        lines = [
            f"  {who}: {start[who].memory} kB and {start[who].descriptors} descriptors at the start,"
            f" {end[who].memory} kB and {end[who].descriptors} at the end"
            for who in start
        ]
        lives = " ".join(f"{first.memory}>{last.memory}" for first, last in self.sizes("serve"))
        return [*lines, f"  long lives of the control plane, kB when warm and at their end: {lives}"]

    def sizes(self, who: str) -> list[tuple[Sample, Sample]]:
        """The first warm sample and the last of each process that lived long enough to have both. The last one's
        descriptors are the fewest of the last few: what comes and goes (health checks under way, calls that wait
        for a disk) is no leak, and at some moment gone; what leaked never is."""
        found: dict[int, list[Sample]] = {}
        for each in self.samples:
            if each.who == who:
                found.setdefault(each.pid, []).append(each)
        lives = [
            (next((each for each in life if each.moment - life[0].moment >= WARM_S), None), life)
            for life in found.values()
        ]
        return [
            (first, msgspec.structs.replace(life[-1], descriptors=_fewest(life[-LAST_FEW:])))
            for first, life in lives
            if first is not None and life[-1] is not first
        ]

    def shared_memory_problems(self) -> list[str]:
        """Blocks that an Envoy of ours made and that outlived it."""
        in_use = {
            name
            for mesh in self._arena.nodes.values()
            for pid in mesh.left_processes()
            for name in _shared_memory(pid)
        }
        left = [each for each in sorted(self.shared_memory - in_use) if (Path("/dev/shm") / each).exists()]
        return [f"left behind: {len(left)} blocks of shared memory, as /dev/shm/{left[0]}"] if left else []


def _fewest(samples: Sequence[Sample]) -> int:
    return min(each.descriptors for each in samples)


def sample(who: str, pid: int) -> Sample:
    """Raises OSError, AttributeError for a process that has ended."""
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    memory = int(found.group(1))  # type: ignore[union-attr]  # a zombie has none
    return Sample(
        moment=time.monotonic(),
        who=who,
        pid=pid,
        memory=memory,
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
    )


def _shared_memory(pid: int) -> set[str]:
    with contextlib.suppress(OSError):
        return set(SHARED_MEMORY.findall(Path(f"/proc/{pid}/maps").read_text()))
    return set()


def size_problems(start: Mapping[str, Sample], end: Mapping[str, Sample], watch: Watch) -> list[str]:
    """Memory of the control plane and descriptors of all: at the end against the start, and within each long life."""
    pairs = [(who, start[who], end[who]) for who in start]
    pairs += [(who, first, last) for who in start for first, last in watch.sizes(who)]
    problems = []
    for who, first, last in pairs:
        if who == "serve" and last.memory > first.memory * MAY_GROW:
            problems.append(f"{who} ({last.pid}) grew from {first.memory} to {last.memory} kB")
        if last.descriptors > first.descriptors + MORE_DESCRIPTORS:
            problems.append(
                f"{who} ({last.pid}) had {first.descriptors} descriptors and has {last.descriptors}"
            )
    return problems
