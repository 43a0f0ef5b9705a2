"""Whether an injected fault makes sense. Called by this kind's validator."""

from collections.abc import Iterator

from proa.core.config.kinds.virtual_service.schema import Abort, Delay, Fault
from proa.core.config.kinds.virtual_service.status_names import GRPC_STATUSES
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

_NEVER = "was never in force in any mesh and is not here"


def check_fault(fault: Fault, at: Path) -> Iterator[Finding]:
    if fault.delay is None and fault.abort is None:
        yield Finding(at, "required", "a fault needs delay or abort; add one")
    for name, part in {"delay": fault.delay, "abort": fault.abort}.items():
        if part is not None and part.percentage is not None and part.percent:
            message = "percentage wins over the old percent; remove percent"
            yield warning((*at, name, "percent"), "no-effect", message)
    if fault.delay is not None:
        yield from _check_delay(fault.delay, (*at, "delay"))
    if fault.abort is not None:
        yield from _check_abort(fault.abort, (*at, "abort"))


def _check_delay(delay: Delay, at: Path) -> Iterator[Finding]:
    if delay.fixed_delay is None:
        yield Finding((*at, "fixedDelay"), "required", 'the field "fixedDelay" is required; add it')
    if delay.exponential_delay is not None:
        place = (*at, "exponentialDelay")
        yield warning(place, "no-effect", f"exponentialDelay {_NEVER}; write fixedDelay")


def _check_abort(abort: Abort, at: Path) -> Iterator[Finding]:
    if abort.http_status is None and not abort.grpc_status:
        yield Finding(at, "required", "an abort needs httpStatus or grpcStatus; add one")
    elif abort.http_status is not None and abort.grpc_status:
        yield Finding(at, "conflict", "httpStatus and grpcStatus exclude each other; keep one")
    if abort.grpc_status and abort.grpc_status not in GRPC_STATUSES:
        hint = suggestion(abort.grpc_status, GRPC_STATUSES) or f"; write one of {', '.join(GRPC_STATUSES)}"
        message = f'"{shorten(abort.grpc_status)}" is no status of gRPC{hint}'
        yield Finding((*at, "grpcStatus"), "bad-value", message)
    if abort.http2_error:
        yield warning((*at, "http2Error"), "no-effect", f"http2Error {_NEVER}; write httpStatus")
