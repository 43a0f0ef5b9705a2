"""A decision as Envoy's filter `ext_authz` hears it, with what the proxy's script needs to keep it."""

from typing import Final, cast

from envoy.service.auth.v3.external_auth_pb2 import CheckResponse
from envoy.type.v3.http_status_pb2 import StatusCode

from proa.core.mixer.asked import Asked
from proa.core.mixer.decision import OK, Decision
from proa.core.mixer.verdict.keys import key_of
from proa.core.mixer.verdict.script import Told
from proa.core.mixer.verdict.shapes import Unkept, shape_of

LONGEST_MESSAGE: Final = 1024


def answer(decision: Decision, asked: Asked) -> CheckResponse:
    response = CheckResponse()
    message = decision.message[:LONGEST_MESSAGE]
    response.status.code = decision.status
    response.status.message = message
    if decision.status == OK:
        response.ok_response.SetInParent()
    else:
        response.denied_response.status.code = cast("StatusCode.ValueType", decision.http_status)
        response.denied_response.body = message
    told = _told(decision, asked, message)
    if told is not None:
        response.dynamic_metadata.update(told.metadata())
    if decision.status != OK:
        # For the access log, also of a refusal that nobody may keep.
        response.dynamic_metadata.update(
            {"rule": decision.rule, "grpc": float(decision.status), "body": message}
        )
    return response


def _told(decision: Decision, asked: Asked, message: str) -> Told | None:
    """None: to be used once."""
    if decision.valid_ms <= 0 or decision.uses == 0:
        return None
    shape = shape_of(decision.references)
    key = None if isinstance(shape, Unkept) else key_of(shape, asked.facts)
    if isinstance(shape, Unkept) or key is None:
        return None
    return Told(
        shape=shape,
        key=key,
        ttl_ms=decision.valid_ms,
        uses=decision.uses,
        code=decision.http_status,
        grpc=decision.status,
        body=message,
        rule=decision.rule,
    )
