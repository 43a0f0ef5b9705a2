"""Whether an expression in CEL is one that Envoy 1.40 takes and can answer: for labels of metrics and filters of logs.

Envoy refuses a listener for one that it cannot parse, and answers nothing where a name is unknown. So the grammar and
the names are looked at here. Left out on purpose: Envoy joins no texts (`+`) and turns none into numbers.
"""

import re
from collections.abc import Mapping
from typing import Final

from proa.core.config.tree import shorten

_CERTIFICATE: Final = (
    "tls_version subject_local_certificate subject_peer_certificate dns_san_local_certificate"
    " dns_san_peer_certificate uri_san_local_certificate uri_san_peer_certificate sha256_peer_certificate_digest"
)
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(words.split())
    for name, words in {
        "request": "path url_path host scheme method headers referer useragent time id protocol query duration size"
        " total_size",
        "response": "code code_details flags grpc_status headers trailers size total_size",
        "connection": f"id mtls requested_server_name transport_failure_reason {_CERTIFICATE}",
        "upstream": f"address port local_address transport_failure_reason request_attempt_count {_CERTIFICATE}",
        "source": "address port",
        "destination": "address port",
        "xds": "cluster_name route_name virtual_host_name",
    }.items()
}
_MAPS: Final = frozenset(("request.headers", "response.headers", "response.trailers"))
_METHODS: Final = {"startsWith": 1, "endsWith": 1, "contains": 1, "matches": 1, "size": 0}
_FUNCTIONS: Final = ("has", "size")
_LONGEST: Final = 2_048
_DEEPEST: Final = 32
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\\n]|\\[\"'\\nt])*\"|'(?:[^'\\\n]|\\[\"'\\nt])*')"
    r"|(?P<number>\d{1,15}(?:\.\d{1,15})?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>&&|\|\||[=!<>]=|[<>!?:.,()\[\]%*/-]))"
)
_END: Final = ("end", "")


class _Fault(Exception):
    """What is wrong, in the words of a problem."""


def cel_fault(text: str) -> str | None:
    """What is wrong with an expression; None when Envoy can answer it."""
    if len(text) > _LONGEST:
        return f"the expression is longer than {_LONGEST} characters"
    if ")%" in text:
        return "the expression has `)%`, at which Envoy would end it"
    try:
        _Parser(text).all()
    except _Fault as fault:
        return str(fault)
    return None


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def all(self) -> None:
        self._choice()
        if self._next != _END:
            raise _Fault(f'nothing is expected at "{shorten(self._next[1])}"')

    @property
    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _takes(self, *signs: str) -> bool:
        kind, word = self._next
        if (kind == "sign" and word in signs) or (kind == "name" and word == "in" and "in" in signs):
            self._at += 1
            return True
        return False

    def _must(self, sign: str) -> None:
        if not self._takes(sign):
            raise _Fault(f'"{sign}" is missing before "{shorten(self._next[1]) or "the end"}"')

    def _choice(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Fault(f"the expression is deeper than {_DEEPEST} parentheses")
        self._joined()
        if self._takes("?"):
            self._joined()
            self._must(":")
            self._choice()
        self._depth -= 1

    def _joined(self) -> None:
        self._unary()
        while self._takes("&&", "||", "==", "!=", "<", "<=", ">", ">=", "in", "*", "/", "%", "-"):
            self._unary()

    def _unary(self) -> None:
        while self._takes("!", "-"):
            pass
        self._primary()
        while self._takes("."):
            kind, name = self._next
            self._at += 1
            if kind != "name" or name not in _METHODS:
                known = ", ".join(_METHODS)
                raise _Fault(f'"{shorten(name)}" is no method here; there are {known}')
            self._must("(")
            for _ in range(_METHODS[name]):
                self._choice()
            self._must(")")

    def _primary(self) -> None:
        kind, word = self._next
        self._at += 1
        match kind:
            case "text" | "number":
                return
            case "name" if word in ("true", "false"):
                return
            case "name" if word in _FUNCTIONS:
                self._must("(")
                self._field(must_be=word == "has") if word == "has" else self._choice()
                self._must(")")
            case "name":
                self._at -= 1
                self._field()
            case "sign" if word == "(":
                self._choice()
                self._must(")")
            case "sign" if word == "[":
                self._choice()
                while self._takes(","):
                    self._choice()
                self._must("]")
            case _:
                raise _Fault(f'a value is missing before "{shorten(word) or "the end"}"')

    def _field(self, *, must_be: bool = False) -> None:
        """`request.method`, `request.headers['x']`, `request.headers.x`."""
        kind, root = self._next
        self._at += 1
        fields = _FIELDS.get(root) if kind == "name" else None
        if fields is None:
            known = ", ".join(_FIELDS)
            raise _Fault(f'"{shorten(root)}" is not known to proxies; there are {known}')
        self._must(".")
        _, name = self._next
        self._at += 1
        if name not in fields:
            raise _Fault(f'{root} has no "{shorten(name)}"; there are {", ".join(sorted(fields))}')
        if f"{root}.{name}" in _MAPS:
            self._entry(must_be=must_be)

    def _entry(self, *, must_be: bool) -> None:
        if not must_be and self._takes("["):
            if self._next[0] != "text":
                raise _Fault("between brackets stands the name of a header, in quotes")
            self._at += 1
            self._must("]")
        elif self._next == ("sign", ".") and self._is_plain_name():
            self._at += 2

    def _is_plain_name(self) -> bool:
        kind, word = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else _END
        return kind == "name" and word not in _METHODS


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            if text[at:].lstrip().startswith("+"):
                raise _Fault("Envoy joins no texts and adds no numbers; write a label for each part")
            raise _Fault(f'"{shorten(text[at:].strip())}" is not understood')
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found
