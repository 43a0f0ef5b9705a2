"""Reports that nobody causes, in a world of two workloads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from immutables import Map

from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.mixer import Mixer
from proa.control_plane.mixer.reports import Reports
from proa.control_plane.mixer.trying import CannotBeTried
from proa.control_plane.mixer.trying_reports import try_report
from proa.core.config.config import Config
from proa.core.config.mixer.catalogue import BUILT_IN
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Instance
from proa.core.model.names import WorkloadId
from proa.core.model.snapshot import Change
from proa.ports.policy_adapter import PolicyHandler
from proa.servers.admin.mixer import CheckTry, ReportTried, ReportTry
from proa.testing.builders import Mesh, simple
from proa.testing.mixer import all_run, mixer_config, rule

WEB, API = WorkloadId("default", "web-v1"), WorkloadId("shop", "api-v1")
OBJECTS = (
    mixer_config("stdio", "out", {}, "istio-system"),
    mixer_config(
        "logentry",
        "line",
        {
            "severity": '"info"',
            "variables": {
                "from": 'source.name | "nobody"',
                "to": 'destination.name | "nobody"',
                "code": "response.code",
                "kind": 'response.headers["content-type"] | "none"',
                "latency": "response.duration",
            },
        },
        "istio-system",
    ),
    rule("log", "out.stdio", "line.logentry", namespace="istio-system"),
)


class Keeping:
    """An adapter whose handlers remember what they are told."""

    kind = msgspec.structs.replace(BUILT_IN.adapters["stdio"], missing="")

    def __init__(self) -> None:
        self.taken: list[Instance] = []

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        taken = self.taken

        class Handler(PolicyHandler):
            async def report(self, instances: tuple[Instance, ...]) -> None:
                taken.extend(instances)

        yield Handler()


def tried(wanted: ReportTry, *configs: Config, sends: bool = False) -> tuple[ReportTried, int]:
    """With how many instances the handler was told."""
    mesh = Mesh(simple("web", "v1"), simple("shop/api", "v1"), catalogue=all_run())
    mesh.world.fold_in([Change(configs=configs)])
    kept = Keeping()

    async def body() -> ReportTried:
        mixer = Mixer(mesh.world, Handlers({"stdio": kept}))
        async with mixer.handlers, Reports(mesh.world, mixer.handlers, "cluster.local") as reports:
            await mixer.handlers.swap(mesh.world.mixer.plan)
            found = await try_report(mesh.world, mixer, wanted, lambda: 1.5, reports if sends else None)
            await reports.emptied()
            return found

    return asyncio.run(body()), len(kept.taken)


REQUEST = ReportTry(
    request=CheckTry(server=WEB, caller=API, authority="web:9080"),
    code=503,
    headers=(("Content-Type", "text/html"),),
    duration_ms=1200,
)


def test_both_sidecars_tell_what_they_saw() -> None:
    found, taken = tried(REQUEST, *OBJECTS)
    assert taken == 0
    assert [(each.side, each.handler, each.rule.name) for each in found.told] == [
        ("client", "out.stdio.istio-system", "log"),
        ("server", "out.stdio.istio-system", "log"),
    ]
    for each in found.told:
        assert each.fields == Map(
            {
                "severity": "info",
                "variables.from": "api-v1",
                "variables.to": "web-v1",
                "variables.code": "503",
                "variables.kind": "text/html",
                "variables.latency": "1.2s",
            }
        )
    assert not found.sent


def test_who_has_no_sidecar_tells_nothing() -> None:
    stranger = msgspec.structs.replace(REQUEST, request=CheckTry(server=WEB, authority="web:9080"))
    found, _ = tried(stranger, *OBJECTS)
    assert [(each.side, each.fields["variables.from"]) for each in found.told] == [("server", "nobody")]


def test_what_cannot_be_made_is_said() -> None:
    bad = mixer_config("logentry", "bad", {"severity": "request.auth.principal"}, "istio-system")
    found, _ = tried(
        REQUEST, OBJECTS[0], bad, rule("log", "out.stdio", "bad.logentry", namespace="istio-system")
    )
    assert all("request.auth.principal" in each.failure for each in found.told)
    assert found.told


def test_handlers_are_told_when_that_is_wanted() -> None:
    found, taken = tried(REQUEST, *OBJECTS, sends=True)
    assert (found.sent, taken) == (True, 2)


def test_where_nobody_is_told_that_is_said() -> None:
    found, _ = tried(REQUEST)
    assert (found.told, found.remarks) == (
        (),
        ("no rule tells anybody of this request at default/web-v1:9080",),
    )


def test_servers_that_are_not_there() -> None:
    unknown = ReportTry(request=CheckTry(server=WorkloadId("a", "b")))
    with pytest.raises(ExceptionGroup) as refused:  # out of the block in which handlers run
        tried(unknown, *OBJECTS)
    assert isinstance(refused.value.exceptions[0], CannotBeTried)
