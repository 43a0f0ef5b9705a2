from proa.core.pilot.translate.routes.faults import build_fault, fraction
from proa.core.pilot.translate.routes.intents import Fault


def test_shares() -> None:
    assert (fraction(100).numerator, fraction(0.0001).numerator, fraction(0).numerator) == (1_000_000, 1, 0)


def test_a_status_of_either_kind() -> None:
    http, grpc, ok = (
        build_fault(fault).abort
        for fault in (Fault(abort_status=503), Fault(abort_grpc=14), Fault(abort_grpc=0))
    )
    assert (http.http_status, grpc.grpc_status) == (503, 14)
    assert ok.WhichOneof("error_type") == "grpc_status"
    assert not build_fault(Fault(delay_ms=1)).HasField("abort")
