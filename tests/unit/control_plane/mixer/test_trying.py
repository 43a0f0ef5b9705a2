"""Requests that nobody sends, in a world of two workloads."""

import asyncio

import pytest

from proa.adapters.policy.denier.adapter import DenierAdapter
from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.mixer import Mixer
from proa.control_plane.mixer.trying import CannotBeTried, try_check
from proa.core.config.config import Config
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.snapshot import Change
from proa.ports.failures import HandlerTemporary
from proa.runtime.supervise import Supervisor
from proa.servers.admin.mixer import CheckTried, CheckTry
from proa.testing.builders import Mesh, registration, simple
from proa.testing.mixer import all_run, mixer_config, rule
from tests.unit.control_plane.mixer.adapters import Scripted

WEB, API = WorkloadId("default", "web-v1"), WorkloadId("shop", "api-v1")
IDLE = WorkloadId("default", "idle")
OPEN = {"proa.dev/failure-policy": "open"}
OBJECTS = (
    mixer_config("denier", "no", {"status": {"code": 7, "message": "not today"}, "validDuration": "7s"}),
    mixer_config("noop", "away", {}),
    mixer_config("checknothing", "any", {}),
)


def tried(wanted: CheckTry, *rules: Config, fails: bool = False) -> CheckTried:
    mesh = Mesh(simple("web", "v1"), simple("shop/api", "v1"), registration("idle"), catalogue=all_run())
    mesh.world.fold_in([Change(configs=(*OBJECTS, *rules))])

    def away() -> object:
        raise HandlerTemporary("it is away")

    async def body() -> CheckTried:
        scripted = Scripted()
        scripted.says = away if fails else lambda: None
        mixer = Mixer(mesh.world, Handlers({"noop": scripted, "denier": DenierAdapter()}))
        async with Supervisor() as tasks:
            tasks.keep("mixer", mixer.run())
            await mixer.settled()
            try:
                return await try_check(mesh.world, mixer, wanted, lambda: 1.5)
            finally:
                tasks.stop()

    return asyncio.run(body())


def test_a_refusal_is_told_with_all_that_led_to_it() -> None:
    deny = rule("deny", "no", "any", match='source.labels["version"] == "v1" && request.method == "GET"')
    odd = rule("odd", "no", "any", match='request.auth.claims["a"] == "b"', annotations=OPEN)
    found = tried(CheckTry(server=WEB, caller=API, path="/a"), deny, odd)
    (verdict,) = found.verdicts
    assert (found.outcome, found.port, verdict.policy) == ("refused", 9080, "closed")
    assert (verdict.code, verdict.status, verdict.http_status) == (7, "PERMISSION_DENIED", 403)
    assert (verdict.message, verdict.rule) == (
        "no.denier.default:not today",
        ObjectRef("rule", "default", "deny"),
    )
    assert verdict.valid_ms == 7000
    assert {"request.method", "source.labels[version]"} <= set(verdict.references)
    assert verdict.kept_by == (
        "the header :method",
        "the header content-type",
        "the caller's SPIFFE id",
        "the caller's workload",
    )
    (call,) = verdict.calls
    assert (call.handler, call.instance, call.status) == (
        "no.denier.default",
        "any.checknothing.default",
        "PERMISSION_DENIED",
    )


def test_a_stranger_is_asked_about_as_one_and_rules_that_fail_open_come_second() -> None:
    deny = rule("deny", "no", "any", match='source.labels["version"] == "v1"')
    odd = rule("odd", "no", "any", match='request.auth.claims["a"] == "b"', annotations=OPEN)
    found = tried(CheckTry(server=WEB, port=9080), deny, odd)
    assert found.outcome == "allowed"
    assert [each.policy for each in found.verdicts] == ["closed", "open"]
    assert [rule.name for rule, _ in found.verdicts[0].unmatched] == ["deny"]
    assert tried(CheckTry(server=WEB), odd).verdicts[0].unmatched[0][1].startswith("lookup failed")


def test_a_call_that_fails_is_told_and_nothing_is_kept() -> None:
    found = tried(CheckTry(server=WEB, caller=API), rule("r", "away", "any", annotations=OPEN), fails=True)
    (verdict,) = found.verdicts
    assert (found.outcome, verdict.code, verdict.unkept) == ("allowed", 0, "a call failed")
    assert [(each.failed, each.message, each.status) for each in verdict.calls] == [
        (True, "it is away", "UNAVAILABLE")
    ]


def test_why_nothing_is_kept_names_the_attribute() -> None:
    found = tried(CheckTry(server=WEB, caller=API), rule("r", "no", "any", match='request.id != "1"'))
    assert found.verdicts[0].unkept == "request.id: no two requests share it"


def test_where_no_rule_can_match_nobody_is_asked() -> None:
    found = tried(CheckTry(server=WEB, caller=API), rule("r", "no", "any", namespace="elsewhere"))
    assert (found.outcome, found.verdicts) == ("allowed", ())
    assert found.remarks == ("no rule that checks can match at default/web-v1:9080",)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (CheckTry(server=WorkloadId("x", "y")), "x/y is no workload of the mesh"),
        (CheckTry(server=WEB, caller=WorkloadId("x", "y")), "x/y is no workload of the mesh"),
        (CheckTry(server=IDLE), "default/idle takes no requests: none of its ports is one for HTTP"),
        (CheckTry(server=WEB, port=1), "default/web-v1 takes no requests at port 1; it does at: 9080"),
    ],
)
def test_what_cannot_be_tried_is_told(wanted: CheckTry, said: str) -> None:
    with pytest.raises(CannotBeTried, match=said):
        tried(wanted)
