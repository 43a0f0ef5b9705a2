"""`requests_in_a_row.py URL`: GETs and POSTs over one kept connection to the HTTP proxy; prints a line per answer."""

import http.client
import json
import os
import sys
from urllib.parse import urlsplit


def main() -> None:
    url = sys.argv[1]
    connection = http.client.HTTPConnection(urlsplit(os.environ["HTTP_PROXY"]).netloc, timeout=20)
    connection.connect()
    local = connection.sock.getsockname()
    pieces = (b"piece " * 1000 for _ in range(10))
    for method, body, headers in (
        ("GET", None, {}),
        ("POST", b"x" * (1 << 20), {}),
        ("POST", pieces, {"transfer-encoding": "chunked"}),
        ("GET", None, {}),
    ):
        connection.request(method, url, body=body, headers=headers, encode_chunked=bool(headers))
        answer = connection.getresponse()
        got = json.loads(answer.read())
        assert connection.sock is not None, "the proxy closed the connection"
        assert connection.sock.getsockname() == local, "a new connection"
        print(answer.status, got["method"], len(got["body"]))


if __name__ == "__main__":
    main()
