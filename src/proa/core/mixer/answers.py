"""A verdict as Envoy's filter `ext_authz` hears it, with what the proxy's script needs to keep it."""

from typing import cast

from envoy.service.auth.v3.external_auth_pb2 import CheckResponse
from envoy.type.v3.http_status_pb2 import StatusCode

from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.mixer.asked import Asked
from proa.core.mixer.plan.verdict import OK, Verdict
from proa.core.mixer.refusals import http_status, refusal_text
from proa.core.mixer.verdict.keys import key_of
from proa.core.mixer.verdict.script import Told
from proa.core.mixer.verdict.shapes import Unkept, shape_of


def decided_by(verdict: Verdict) -> str:
    """The rule, `namespace/name`; "" of what nobody refused."""
    return f"{verdict.rule.namespace}/{verdict.rule.name}" if verdict.rule else ""


def answer(verdict: Verdict, asked: Asked, policy: FailurePolicy = "closed") -> CheckResponse:
    """`policy` is that of the rules which were asked."""
    response = CheckResponse()
    message = _told_text(verdict)
    response.status.code = verdict.code
    response.status.message = message
    if verdict.code == OK:
        response.ok_response.SetInParent()
    else:
        status = cast("StatusCode.ValueType", http_status(verdict.code))
        response.denied_response.status.code = status
        response.denied_response.body = message
    told = kept(verdict, asked)
    if isinstance(told, Told):
        response.dynamic_metadata.update(told.metadata(policy, verdict.rules))
    elif verdict.code != OK:
        # For the access log.
        refused: dict[str, str | float] = {
            "rule": decided_by(verdict),
            "grpc": float(verdict.code),
            "body": message,
        }
        response.dynamic_metadata.update({policy: refused})
    return response


def _told_text(verdict: Verdict) -> str:
    return "" if verdict.code == OK else refusal_text(verdict.code, verdict.message)


def kept(verdict: Verdict, asked: Asked) -> Told | Unkept:
    """What a proxy keeps of the verdict about `asked`, or why it serves this one request alone."""
    if verdict.valid_ms <= 0 or verdict.valid_uses == 0:
        return Unkept("", "it holds for one request" if not verdict.failed else "a call failed")
    shape = shape_of(verdict.references)
    if isinstance(shape, Unkept):
        return shape
    key = key_of(shape, asked.facts)
    if key is None:
        return Unkept("", "what it depends on is too long in this request")
    return Told(
        shape=shape,
        key=key,
        ttl_ms=verdict.valid_ms,
        uses=verdict.valid_uses,
        code=http_status(verdict.code),
        grpc=verdict.code,
        body=_told_text(verdict),
        rule=decided_by(verdict),
    )
