"""A gRPC service without generated code, server and client: `greeter.py serve [NAME]` and `greeter.py call TARGET`.

The client makes a plain channel: how it gets to its target is the business of the proxy variables around it.
It prints one line per answer. The server answers with errors from SIGUSR1 on, and well again after SIGUSR2.
"""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

import grpc

SERVICE = "proa.test.Greeter"
HELLO = f"/{SERVICE}/Hello"
COUNT = f"/{SERVICE}/Count"
CALL_S = 20.0
WHO = b"".join(b" from " + word.encode() for word in sys.argv[2:] if sys.argv[1] == "serve")
ILL = Event()


def hello(request: bytes, context: grpc.ServicerContext) -> bytes:
    if ILL.is_set():
        context.abort(grpc.StatusCode.INTERNAL, "not well")
    return b"hello " + request + WHO


def count(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    """Answers each message as it comes, so a proxy that buffers would stop the conversation."""
    for number, request in enumerate(requests, start=1):
        yield f"{number} {request.decode()}".encode()


def serve() -> None:
    server = grpc.server(ThreadPoolExecutor(4))
    handlers = {
        "Hello": grpc.unary_unary_rpc_method_handler(hello),
        "Count": grpc.stream_stream_rpc_method_handler(count),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    signal.signal(signal.SIGUSR1, lambda *_: ILL.set())
    signal.signal(signal.SIGUSR2, lambda *_: ILL.clear())
    server.start()
    server.wait_for_termination()


def call(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        print(channel.unary_unary(HELLO, bytes, bytes)(b"proa", timeout=CALL_S).decode())
        answered = Semaphore(0)

        def questions() -> Iterator[bytes]:
            """The next one only after the answer to the last."""
            for word in ("a", "b", "c"):
                yield word.encode()
                answered.acquire(timeout=CALL_S)

        for answer in channel.stream_stream(COUNT, bytes, bytes)(questions(), timeout=CALL_S):
            print(answer.decode())
            answered.release()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        call(sys.argv[2])
