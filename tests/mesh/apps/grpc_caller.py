"""A gRPC client without a sidecar that calls when it is asked to: `grpc_caller.py SOCKET TARGET` answers each
connection to the Unix socket with what one call of `/proa.test.Hops/Tell` gave, or with `!` and the error."""

import socket
import sys

import grpc
import grpc.experimental

CALL_S = 20.0
OFTEN = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))
"""Who was refused before tries again soon."""


def main(path: str, target: str) -> None:
    # Where the mesh says plaintext gRPC takes what it falls back to, which is TLS unless one says otherwise.
    plaintext = grpc.experimental.insecure_channel_credentials()  # type: ignore[no-untyped-call]
    credentials = grpc.xds_channel_credentials(plaintext)
    with socket.socket(socket.AF_UNIX) as server, grpc.secure_channel(target, credentials, OFTEN) as channel:
        tell = channel.unary_unary("/proa.test.Hops/Tell", bytes, bytes)
        server.bind(path)
        server.listen()
        while True:
            asker, _ = server.accept()
            with asker:
                try:
                    asker.sendall(tell(b"", timeout=CALL_S))
                except grpc.RpcError as error:
                    asker.sendall(f"!{error.code().name}: {error.details()}".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
