"""What a real Envoy refuses by itself, and Mixer's own answer to the same request: rules, callers and requests at
random, and those that the tasks of 2018 are about."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from immutables import Map

from proa.core.attributes.value_types import Value, ValueType
from proa.core.config.config import Config
from proa.core.config.mixer.annotations import FAILURE_POLICY
from proa.core.config.mixer.parameters import Adapter, Denier, ListChecker
from proa.core.mixer.asked import Party, Place, RequestBag
from proa.core.mixer.denier import denial_of
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.dispatch import checks
from proa.core.mixer.plan.values import Call, DispatchPlan
from proa.core.mixer.plan.verdict import Answered, CheckAnswer, Failure, Verdict, combine
from proa.core.mixer.pushdown.callers import Callers, terms_of
from proa.core.mixer.pushdown.deciding import Decided, decide_checks
from proa.core.mixer.pushdown.forms import value_answer
from proa.core.mixer.refusals import http_status, refusal_text
from proa.core.mixer.templates import Instance
from proa.core.mixer.verdict.script import NAMESPACE
from proa.core.pilot.translate.encode import pack
from proa.core.pilot.translate.filters.mixer.denials import denial_filters
from proa.testing.authorization.arena import CALLERS
from proa.testing.mixer import all_run, mixer_config, rule
from tests.mesh.expression_scene import Answer, Proxy, Sent, proxy_of
from tests.mesh.programs import why_no_envoy
from tests.mesh.test_expression_law import REQUESTS, WORDS
from tests.properties.expression.drawn import cel_texts_of, texts_of

pytestmark = [pytest.mark.mesh, pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy())]

OWN = "cluster.local"
LABELS: tuple[dict[str, str], ...] = ({"k": "a", "10s": "b"}, {"k": "b"}, {"k": "a"}, {"k": "b"}, {})
# The last one is not known to the world, and the partner's workload is called like one of ours.
PARTIES = {
    f"{workload.name}.{workload.namespace}": Party(
        name=workload.name, namespace=workload.namespace, labels=Map(labels), account=account
    )
    for (domain, workload, account), labels in zip(CALLERS[:4], LABELS, strict=False)
    if domain == OWN
}
FACTS: Mapping[str, Value] = {
    "destination.namespace": "default",
    "destination.labels": Map({"k": "a"}),
    "destination.port": 2,
    "context.reporter.kind": "inbound",
}
PLACE = Place(attributes=Map(FACTS))
NAMES = {
    ValueType.STRING: (
        *("request.path", "request.host", "request.referer", "request.useragent", "source.principal"),
        *("source.namespace", "source.name", "source.uid", "request.auth.presenter", "response.grpc_status"),
        "destination.namespace",
    ),
    ValueType.STRING_MAP: ("request.headers", "source.labels", "destination.labels", "request.auth.claims"),
    ValueType.BOOL: ("connection.mtls",),
    ValueType.INT64: ("destination.port", "response.code"),
    ValueType.TIMESTAMP: ("request.time",),
}
STATUSES = st.fixed_dictionaries(
    {
        "code": st.sampled_from((0, 5, 7, 8, 13, 16)),
        "message": st.sampled_from(("", "no", "100% é\n", "a, b")),
    }
)
ENTRIES = st.lists(st.sampled_from(("", "a", "b", "ab", "/a", "k", "a*", "10s")), min_size=1, max_size=3)
HANDLERS: st.SearchStrategy[tuple[str, object]] = st.one_of(
    st.tuples(st.just("denier"), st.fixed_dictionaries({}, optional={"status": STATUSES})),
    st.tuples(
        st.just("listchecker"),
        st.fixed_dictionaries(
            {
                "overrides": ENTRIES,
                "blacklist": st.booleans(),
                "entryType": st.sampled_from(("STRINGS", "STRINGS", "CASE_INSENSITIVE_STRINGS")),
            }
        ),
    ),
    st.tuples(
        st.just("listchecker"),
        st.fixed_dictionaries(
            {
                "overrides": st.lists(st.sampled_from(("^a", "b$", "[k/]", ".*")), min_size=1, max_size=2),
                "blacklist": st.booleans(),
                "entryType": st.just("REGEX"),
            }
        ),
    ),
    st.tuples(st.just("noop"), st.just({})),
)
VALUES = st.one_of(
    texts_of(ValueType.STRING, 1, NAMES),
    st.sampled_from(('source.labels["k"]', 'request.headers["k"]', "source.principal", 'source.uid | ""')),
)
POLICIES = st.sampled_from(("", "", "closed", "open"))


@st.composite
def objects(draw: st.DrawFn) -> tuple[Config, ...]:
    """Rules of two namespaces, with handlers and instances that they share."""
    found: list[Config] = []
    kinds: list[str] = []
    for number in range(draw(st.integers(1, 3))):
        kind, spec = draw(HANDLERS)
        kinds.append(kind)
        found.append(mixer_config(kind, f"h{number}", spec, "istio-system"))
    found.append(mixer_config("checknothing", "any", {}, "istio-system"))
    for number in range(2):
        found.append(mixer_config("listentry", f"v{number}", {"value": draw(VALUES)}, "istio-system"))
    for number in range(draw(st.integers(1, 4))):
        handler = draw(st.integers(0, len(kinds) - 1))
        entry = f"v{draw(st.integers(0, 1))}.listentry.istio-system"
        nothing = kinds[handler] != "listchecker" and draw(st.booleans())
        policy = draw(POLICIES)
        in_cel = draw(st.integers(0, 3)) == 0
        texts = cel_texts_of(ValueType.BOOL, 2, NAMES) if in_cel else texts_of(ValueType.BOOL, 2, NAMES)
        found.append(
            rule(
                f"r{number}",
                f"h{handler}.{kinds[handler]}.istio-system",
                "any.checknothing.istio-system" if nothing else entry,
                match=draw(texts if in_cel else st.one_of(st.just(""), texts)),
                namespace=draw(st.sampled_from(("istio-system", "default"))),
                annotations={FAILURE_POLICY: policy} if policy else None,
                kind="MixerRule" if in_cel else "rule",
            )
        )
    return tuple(found)


def answer_of(parameters: Adapter, instance: Instance) -> CheckAnswer:
    match parameters:
        case Denier():
            return denial_of(parameters)
        case ListChecker():
            return value_answer(parameters, str(instance.fields["value"]))
        case _:
            return CheckAnswer()


def answered(plan: DispatchPlan, request: Sent) -> list[Answered]:
    """What Mixer hears from all handlers."""
    return [
        Answered(
            call=each.call,
            answer=each.failure or Failure(reason="?")
            if each.instance is None
            else answer_of(plan.handlers[each.call.action.handler].parameters, each.instance),
        )
        for each in checks(plan, RequestBag(request.asked, PLACE, party_of(request.caller))).calls
    ]


def party_of(caller: int | None) -> Party | None:
    if caller is None or caller < 0 or CALLERS[caller][0] != OWN:
        return None
    _, workload, _ = CALLERS[caller]
    known = PARTIES.get(f"{workload.name}.{workload.namespace}")
    return known or Party(name=workload.name, namespace=workload.namespace)


class Case(msgspec.Struct, frozen=True):
    plan: DispatchPlan
    decided: Decided

    def verdicts(self, request: Sent) -> tuple[Verdict, Verdict]:
        """Of all calls, and of those that the proxy answers."""
        found = answered(self.plan, request)
        own = {(each.rule, each.action) for each in self.decided.ran if each.where == "proxy"}
        return combine(found), combine([each for each in found if _key(each.call) in own])


def _key(call: Call) -> tuple[object, object]:
    return call.rule, call.action


def case_of(configs: Sequence[Config]) -> Case:
    compiled = compile_plan(configs, all_run())
    return Case(compiled.plan, decide_checks(compiled.plan, PLACE, Callers(Map(PARTIES))))


NEWCOMER = 4


def reads_names(plan: DispatchPlan) -> bool:
    """A workload of which nothing is known but its name is a stranger to rules that read that, and wears no label."""
    formulas = [rule.match for rules in plan.rules.values() for rule in rules.rules if rule.match]
    formulas += [formula for each in plan.instances.values() for _, formula in each.fields]
    roots = [formula.program.checked.root for formula in formulas]
    return any(name != "source.labels" for name, _ in terms_of(roots))


def agree(proxy: Proxy, number: int, case: Case, request: Sent) -> bool:
    """Whether it is refused, by both."""
    if request.caller == NEWCOMER and reads_names(case.plan):
        return False
    everybody, own = case.verdicts(request)
    found = proxy.passed(number, request)
    told = (request, everybody, own, case.decided)
    if own.code == 0:
        assert (found.status, found.body) == (200, ""), told
        return False
    assert everybody.code == own.code, told
    assert everybody.rule == own.rule, told
    assert everybody.message.startswith(own.message), told
    assert said(found) == (own.code, http_status(own.code), refusal_text(own.code, own.message)), told
    return True


def said(answer: Answer) -> tuple[int, int, str]:
    """Status of gRPC, of HTTP, and text; of a caller that speaks one of them, the other is what follows from it."""
    if answer.headers["content-type"] == "application/grpc":
        code = int(answer.headers["grpc-status"])
        return code, http_status(code), unquote(answer.headers["grpc-message"] or "")
    code = next((number for number in range(17) if answer.body.startswith(refusal_text(number, ""))), -1)
    return code, answer.status, answer.body


@settings(
    max_examples=3,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.data())
def test_proxy_and_mixer_refuse_alike(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    cases = [case_of(data.draw(objects())) for _ in range(25)]
    requests = data.draw(st.lists(REQUESTS, min_size=5, max_size=5))
    requests += [Sent(caller=who, path="/a", headers={"k": data.draw(WORDS)}) for who in (-1, 0, 1, 2, 3, 4)]
    chains = [denial_filters(case.decided.denials, OWN) for case in cases]
    with proxy_of([], tmp_path_factory.mktemp("pushed"), chains=chains) as proxy:
        for number, case in enumerate(cases):
            for request in requests:
                agree(proxy, number, case, request)


DENY = mixer_config("denier", "no", {"status": {"code": 7, "message": "Not allowed"}})
ANY = mixer_config("checknothing", "any", {})
METADATA = [f"%DYNAMIC_METADATA({NAMESPACE}:{key})%" for key in ("rule", "grpc", "body")]
BAD = Sent(path="/bad", headers={"user-agent": "curl"})


def cases_of_2018() -> tuple[Case, ...]:
    """A deny by label, a white list of labels, a black list of accounts, one rule behind another."""
    version = mixer_config("listentry", "version", {"value": 'source.labels["k"]'})
    white = mixer_config("listchecker", "white", {"overrides": ["a"]})
    account = mixer_config("listentry", "account", {"value": "source.principal"})
    black = mixer_config("listchecker", "black", {"overrides": [f"{OWN}/ns/shop/sa/web"], "blacklist": True})
    return (
        case_of((DENY, ANY, rule("a", "no.denier", "any.checknothing", match='source.labels["k"] == "b"'))),
        case_of((white, version, rule("a", "white.listchecker", "version.listentry"))),
        case_of((black, account, rule("a", "black.listchecker", "account.listentry"))),
        case_of(
            (
                *(DENY, ANY, mixer_config("denier", "busy", {"status": {"code": 14, "message": "later"}})),
                rule("a", "busy.denier", "any.checknothing", match='request.useragent == "curl"'),
                rule("b", "no.denier", "any.checknothing", match='request.path == "/bad"'),
            )
        ),
    )


def test_the_tasks_of_2018_are_decided_by_the_proxy(tmp_path: Path) -> None:
    cases = cases_of_2018()
    assert {each.where for case in cases for each in case.decided.ran} == {"proxy"}
    chains = [denial_filters(case.decided.denials, OWN) for case in cases]
    grpc = msgspec.structs.replace(BAD, headers={**BAD.headers, "content-type": "application/grpc"})
    callers = [Sent(caller=who) for who in (None, -1, 0, 1, 2, 3, 4)]
    with proxy_of([], tmp_path, METADATA, chains) as proxy:
        refused = [
            [agree(proxy, number, case, each) for each in callers] for number, case in enumerate(cases)
        ]
        both = said(proxy.passed(3, BAD))
        assert proxy.told_last() == ["default/a", "14", both[2]], "who decided is told to whoever logs"
        assert both == said(proxy.passed(3, grpc))
    assert refused == [
        [False, False, False, True, False, False, False],
        [True, True, False, True, False, True, True],
        [True, True, True, False, False, False, False],
        [False] * len(callers),
    ]
    assert both == (14, 503, "UNAVAILABLE:busy.denier.default:later, no.denier.default:Not allowed")


@pytest.mark.parametrize("script", ["local x = 1", "function envoy_on_request(handle) error('broken') end"])
def test_whatever_is_wrong_with_the_script_the_same_are_refused(tmp_path: Path, script: str) -> None:
    case = cases_of_2018()[3]
    state, lua, rules = denial_filters(case.decided.denials, OWN)
    broken = Lua(default_source_code=DataSource(inline_string=script))
    lua = TypedExtensionConfig(name=lua.name, typed_config=pack(broken))
    # Without the state nobody can be told from those that are refused.
    with proxy_of([], tmp_path, chains=[(state, lua, rules), (lua, rules)]) as proxy:
        assert [proxy.passed(0, each).status for each in (BAD, Sent())] == [403, 200]
        assert [proxy.passed(1, each).status for each in (BAD, Sent())] == [403, 403]
