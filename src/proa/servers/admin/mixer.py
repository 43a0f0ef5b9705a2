"""What an operator may ask of Mixer through the admin API: shapes only, as `servers.admin.operations`."""

from typing import Literal

import msgspec
from immutables import Map

from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.model.names import ObjectRef, WorkloadId


class CheckTry(msgspec.Struct, frozen=True, kw_only=True):
    """A request that nobody sends. `caller` None: somebody without a certificate of the mesh. `port` of the server's
    service; 0: the only one it has. `claims` are those of a token that was verified."""

    server: WorkloadId
    port: int = 0
    caller: WorkloadId | None = None
    method: str = "GET"
    scheme: str = "http"
    authority: str = ""
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    claims: Map[str, str] = Map()


class ReportTry(msgspec.Struct, frozen=True, kw_only=True):
    """How a request that nobody sends ended. Sizes in bytes, of bodies."""

    request: CheckTry
    code: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    duration_ms: int = 0
    request_size: int = 0
    response_size: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One instance for one handler, as the proxy of one side causes it. `fields` by their dotted names, as texts.
    `failure`: it cannot be made, and why."""

    side: Literal["client", "server"]
    rule: ObjectRef
    handler: str
    instance: str
    fields: Map[str, str] = Map()
    failure: str = ""


class ReportTried(msgspec.Struct, frozen=True, kw_only=True):
    """`unmatched`: rules whose match could not be evaluated, and why. `sent`: the handlers were told."""

    server: WorkloadId
    port: int
    told: tuple[Told, ...] = ()
    unmatched: tuple[tuple[ObjectRef, str], ...] = ()
    sent: bool = False
    remarks: tuple[str, ...] = ()


class RulesQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rule runs, by `name` or `namespace/name`; "": all of them."""

    rule: str = ""


class QuotaTried(msgspec.Struct, frozen=True, kw_only=True):
    """What one quota has for a request that would be charged `charge` of it. `maximum` in `window_ms`, of which `left`
    is left; None where nobody tells. There is room again after `wait_ms`, None: not by waiting. `is_dry`: a refusal is
    only told. `by_proxy`: the server's proxy counts by itself, and only it knows what is left."""

    quota: str
    charge: int
    outcome: Literal["granted", "refused", "would-refuse"] = "granted"
    maximum: int | None = None
    window_ms: int = 0
    left: int | None = None
    wait_ms: int | None = 0
    is_dry: bool = False
    by_proxy: bool = False


class QuotasTried(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was charged. A `remark` is about the answer as a whole."""

    server: WorkloadId
    port: int
    outcome: Literal["granted", "refused"] = "granted"
    quotas: tuple[QuotaTried, ...] = ()
    remarks: tuple[str, ...] = ()


class CallMade(msgspec.Struct, frozen=True, kw_only=True):
    """One handler asked about one instance. `code` is of google.rpc.Code, `status` its name. A call that `failed` has
    no answer, and counts by the rule's policy."""

    rule: ObjectRef
    handler: str
    instance: str
    code: int = 0
    status: str = "OK"
    message: str = ""
    valid_ms: int = 0
    valid_uses: int = 0
    failed: bool = False


class PolicyVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules of one failure policy say, as a proxy asks for it. `rule`: who refused. `references`: all that it
    depends on. `kept_by`: what of a request tells a proxy that this is the same question; `unkept`: why it keeps
    nothing. `unmatched`: rules whose match could not be evaluated, and why."""

    policy: FailurePolicy
    code: int
    status: str
    http_status: int
    message: str = ""
    rule: ObjectRef | None = None
    valid_ms: int = 0
    valid_uses: int = 0
    references: tuple[str, ...] = ()
    kept_by: tuple[str, ...] = ()
    unkept: str = ""
    calls: tuple[CallMade, ...] = ()
    unmatched: tuple[tuple[ObjectRef, str], ...] = ()


class CheckTried(msgspec.Struct, frozen=True, kw_only=True):
    """`verdicts` in the order in which a proxy asks, up to the first that refuses; none where no rule can match. A
    `remark` is about the answer as a whole."""

    server: WorkloadId
    port: int
    outcome: Literal["allowed", "refused"] = "allowed"
    verdicts: tuple[PolicyVerdict, ...] = ()
    remarks: tuple[str, ...] = ()
