"""Takes OTLP by gRPC at 127.0.0.1:$PORT: prints `traces HEX` or `logs HEX`, the message, for each export, and before it
`key VALUE` if it came with the metadatum `x-key`.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import grpc


def taker(what: str) -> "grpc.GenericRpcHandler[bytes, bytes]":
    def export(request: bytes, context: grpc.ServicerContext) -> bytes:
        for name, value in context.invocation_metadata():
            if name == "x-key":
                print("key", value, flush=True)
        print(what, request.hex(), flush=True)
        return b""

    name = {"traces": "trace.v1.TraceService", "logs": "logs.v1.LogsService"}[what]
    service = f"opentelemetry.proto.collector.{name}"
    return grpc.method_handlers_generic_handler(
        service, {"Export": grpc.unary_unary_rpc_method_handler(export)}
    )


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((taker("traces"), taker("logs")))
    assert server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
