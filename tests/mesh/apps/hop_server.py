"""A server that takes whatever arrives and tells what it was: `hop_server.py GRPC_PORT`. On $PORT HTTP, in plaintext
or in TLS of its own; on GRPC_PORT `/proa.test.Hops/Tell` in plaintext.

The answer is JSON: `tls`, whether TLS ended here, and `caller`, what the sidecar says of the caller's certificate.
"""

import http.server
import json
import os
import socket
import ssl
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from secure import self_signed  # type: ignore[import-not-found]  # the file beside this one

XFCC = "x-forwarded-client-cert"
TLS_HANDSHAKE = b"\x16"
PATIENCE_S = 30


def told(*, tls: bool, caller: str) -> bytes:
    return json.dumps({"tls": tls, "caller": caller}).encode()


class Teller(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S
    context: ssl.SSLContext

    def setup(self) -> None:
        self.request.settimeout(PATIENCE_S)
        self.is_tls = self.request.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE
        if self.is_tls:
            self.request = self.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_GET(self) -> None:
        print("seen", self.path, flush=True)
        answer = told(tls=self.is_tls, caller=self.headers.get(XFCC, ""))
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who hangs up in a handshake is no news."""


def tell(_: bytes, context: grpc.ServicerContext) -> bytes:
    said = dict(context.invocation_metadata())
    return told(tls=False, caller=str(said.get(XFCC, "")))


def main() -> None:
    Teller.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        Teller.context.load_cert_chain(self_signed(Path(folder)))
    calls = grpc.server(ThreadPoolExecutor(4))
    handlers = {"Tell": grpc.unary_unary_rpc_method_handler(tell)}
    calls.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("proa.test.Hops", handlers),))
    calls.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    calls.start()
    Server(("127.0.0.1", int(os.environ["PORT"])), Teller).serve_forever()


if __name__ == "__main__":
    main()
