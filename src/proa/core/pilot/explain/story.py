"""The told explanation as a value: hops, each of steps, and how it ends. What `-o json` prints, and `page` draws."""

from typing import Literal

import msgspec

from proa.core.model.names import WorkloadId
from proa.core.pilot.simulate.request import Headers

Tone = Literal["plain", "good", "warn", "bad"]
Role = Literal["client", "gateway", "server"]
End = Literal["arrives", "answered", "refused", "denied", "leaves"]
"""`denied`: policies let go of a stream; `refused`: the connection is of a kind that is not taken."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. `source` is whose sidecar it goes through; None: a stranger comes to `gateway`. `tcp` (HOST:PORT):
    a raw stream in place of a request. `sni`: the name that is asked for in TLS, if not the URL's."""

    method: str = "GET"
    url: str = ""
    headers: Headers = ()
    source: WorkloadId | None = None
    gateway: WorkloadId | None = None
    tcp: str = ""
    sni: str = ""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """The object that is responsible (`Kind/namespace/name`), which of its rules, and where that stands: file and line,
    or the version of a live mesh."""

    object: str
    rule: str = ""
    file: str = ""
    line: int = 0
    version: int = 0

    def __str__(self) -> str:
        name = f"{self.object} {self.rule}".rstrip()
        words = [f"{self.file}:{self.line}"] if self.file else []
        if self.version:
            words.append(f"version {self.version}")
        return f"{name} ({', '.join(words)})" if words else name


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is the word before it (`route`); `details` are lines below. `standing`: the proxy does not have it yet, or
    refused it, and why."""

    kind: str
    text: str
    details: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    tone: Tone = "plain"
    standing: str = ""


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """What one proxy does."""

    proxy: str
    role: Role
    steps: tuple[Step, ...]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is what the caller gets where a proxy answers, 0 where none does. `share`: of how many percent of the
    requests this is said. `flags` as in Envoy's access log. `advice`: what may have been meant."""

    end: End
    text: str
    status: int = 0
    share: float = 100.0
    flags: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """More than one verdict: chance decides. `remarks` are of the whole: a proxy that is behind."""

    request: str
    hops: tuple[Hop, ...]
    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...] = ()

    @property
    def arrives(self) -> bool:
        """Whether every request gets where rules want it: to a program, out of the mesh, or an answer they ask for."""
        return all(each.end in ("arrives", "leaves") or 0 < each.status < 400 for each in self.verdicts)
