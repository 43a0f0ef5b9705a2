"""A gRPC client without a sidecar: `proxyless.py TARGET [USERS]` calls for ever over one channel and prints a line per
answer, or per error. With so many users each call is the next one's: it says so in the header `x-user`, gives back the
cookies that this user was given, and the user's number stands before the line."""

import sys
import time
from itertools import cycle

import grpc

HELLO = "/proa.test.Greeter/Hello"
PAUSE_S = 0.01


def main(target: str, users: int) -> None:
    credentials = grpc.xds_channel_credentials()
    cookies: dict[int, str] = {}
    with grpc.secure_channel(target, credentials) as channel:
        hello = channel.unary_unary(HELLO, bytes, bytes)
        for user in cycle(range(max(users, 1))):
            said: list[tuple[str, str | bytes]] = [("x-user", str(user))] if users else []
            if user in cookies:
                said.append(("cookie", cookies[user]))
            try:
                answer, call = hello.with_call(b"proa", timeout=30.0, metadata=tuple(said))
                line = answer.decode()
                for name, value in call.initial_metadata():
                    if users and name == "set-cookie":
                        cookies[user] = str(value).partition(";")[0]
            except grpc.RpcError as error:
                line = f"{error.code().name}: {error.details()}"
            print(f"{user} {line}" if users else line, flush=True)
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
