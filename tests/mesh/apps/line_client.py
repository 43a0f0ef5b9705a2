"""`line_client.py HOST:PORT [LINE...]`: waits for what the server says first, then says lines; prints all answers.

With `--connect` it asks the HTTP proxy of its environment for the way, as programs with a generic proxy setting do.
"""

import os
import socket
import sys
from urllib.parse import urlsplit


def open_directly(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def open_by_proxy(address: str) -> socket.socket:
    proxy = urlsplit(os.environ["HTTP_PROXY"])
    connection = open_directly(proxy.netloc)
    connection.sendall(f"CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, f"the proxy hung up: {head!r}"
        head += byte
    status = head.split(b" ", 2)[1]
    assert status == b"200", head
    return connection


def main() -> None:
    words = sys.argv[1:]
    opened = open_by_proxy if "--connect" in words else open_directly
    address, *lines = [word for word in words if not word.startswith("--")]
    with opened(address) as connection, connection.makefile("rb") as answers:
        print(answers.readline().decode().strip())
        for line in lines:
            connection.sendall(line.encode() + b"\r\n")
            print(answers.readline().decode().strip())


if __name__ == "__main__":
    main()
