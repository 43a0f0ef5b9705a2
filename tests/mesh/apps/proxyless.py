"""A gRPC client without a sidecar: `proxyless.py TARGET` calls for ever over one channel and prints a line per answer,
or per error."""

import sys
import time

import grpc

HELLO = "/proa.test.Greeter/Hello"
PAUSE_S = 0.01


def main(target: str) -> None:
    credentials = grpc.xds_channel_credentials()  # plaintext where the mesh says so
    with grpc.secure_channel(target, credentials) as channel:
        hello = channel.unary_unary(HELLO, bytes, bytes)
        while True:
            try:
                print(hello(b"proa", timeout=10.0).decode(), flush=True)
            except grpc.RpcError as error:
                print(f"{error.code().name}: {error.details()}", flush=True)
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1])
