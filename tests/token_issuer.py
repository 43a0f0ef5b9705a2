"""An issuer of tokens for tests: keys that are made here, and a web server of its own that publishes them."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec


class SigningKey:
    """A P-256 key and its id."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def published(self) -> dict[str, Any]:
        algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
        return {
            **algorithm.to_jwk(self.private.public_key(), as_dict=True),
            "kid": self.key_id,
            "alg": "ES256",
        }

    def sign(self, issuer: str, **claims: object) -> str:
        """For an hour and for `ann`, unless the claims say otherwise."""
        said = {"iss": issuer, "sub": "ann", "exp": int(time.time()) + 3600, **claims}
        return jwt.encode(said, self.private, algorithm="ES256", headers={"kid": self.key_id})


class Issuer:
    """`keys` are those published now; `is_away` answers everything with 503. `asked` counts requests by path."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = keys
        self.is_away = False
        self.asked: Counter[str] = Counter()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked[self.path] += 1
                status, answer = issuer.answer(self.path)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.send_header("cache-control", "public, max-age=1")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, path: str) -> tuple[int, object]:
        if self.is_away:
            return 503, {}
        match path:
            case "/keys":
                return 200, {"keys": [key.published for key in self.keys]}
            case "/.well-known/openid-configuration":
                return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
            case _:
                return 404, {}

    def __enter__(self) -> "Issuer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
