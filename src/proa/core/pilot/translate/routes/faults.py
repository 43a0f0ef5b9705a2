"""Faults that a route injects, and shares of requests as Envoy counts them."""

from envoy.extensions.filters.common.fault.v3.fault_pb2 import FaultDelay
from envoy.extensions.filters.http.fault.v3.fault_pb2 import FaultAbort, HTTPFault
from envoy.type.v3.percent_pb2 import FractionalPercent

from proa.core.pilot.translate.encode import millis
from proa.core.pilot.translate.routes.intents import Fault


def fraction(percent: float) -> FractionalPercent:
    """Of a hundred, to a ten-thousandth of a percent."""
    return FractionalPercent(numerator=round(percent * 10_000), denominator=FractionalPercent.MILLION)


def build_fault(fault: Fault) -> HTTPFault:
    message = HTTPFault()
    if fault.delay_ms:
        message.delay.CopyFrom(
            FaultDelay(fixed_delay=millis(fault.delay_ms), percentage=fraction(fault.delay_percent))
        )
    if fault.abort_grpc is not None:
        message.abort.CopyFrom(
            FaultAbort(grpc_status=fault.abort_grpc, percentage=fraction(fault.abort_percent))
        )
    elif fault.abort_status:
        message.abort.CopyFrom(
            FaultAbort(http_status=fault.abort_status, percentage=fraction(fault.abort_percent))
        )
    return message
