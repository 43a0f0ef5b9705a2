"""Requests whose head and body go out as one.

A program that answers the head alone may else be faster than the body, of which a proxy then counts what has come: on a
busy machine, nothing.
"""

import http.client
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit


def send_whole(
    line: socket.socket, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> int:
    """The status, when the answer has been read. The connection stays."""
    said = {**(headers or {}), "host": urlsplit(url).netloc, "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    line.sendall(f"{method} {url} HTTP/1.1\r\n{head}\r\n".encode() + body)
    response = http.client.HTTPResponse(line, method=method)
    response.begin()
    response.read()
    return response.status
