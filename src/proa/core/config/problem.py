"""What a user must mend, as data: where it stands, what is wrong and what to do.

Readers and validators report Findings, which know a path; `config` joins them with the document's lines into
Problems, which is all that callers outside this package see. Codes are stable: tools may switch on them.

| code | meaning |
|---|---|
| syntax, duplicate-key, unsupported-yaml, too-large, not-an-object | the text is no usable YAML |
| unknown-kind, unknown-version, kind-not-supported-yet | the object is of no kind that Proa reads |
| unknown-field, not-supported-yet | a field or word that nobody, or only Istio, knows |
| no-equivalent | a field of an old kind that nothing today can do |
| required, wrong-type, bad-value, out-of-range | one value is wrong by itself |
| duplicate, conflict | two values do not go together |
| bad-regex, regex-too-large | the data plane would refuse the expression |
| deprecated, no-effect | warnings: accepted, and worth a change |
| read-only-kind | warning: the object is of a kind that nothing acts on yet, and cannot be applied |
"""

from typing import Literal

import msgspec

from proa.core.config.path import Path

Severity = Literal["error", "warning"]


class Finding(msgspec.Struct, frozen=True):
    """A Problem before its line is known. `path` starts at the object's root."""

    path: Path
    code: str
    message: str
    severity: Severity = "error"


class Problem(msgspec.Struct, frozen=True, order=True):
    """Lines are 1-based; `path` is printed form and empty for the whole object. Sorts by place."""

    file: str
    line: int
    path: str
    code: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: {self.path}" if self.path else f"{self.file}:{self.line}"
        note = "warning: " if self.severity == "warning" else ""
        return f"{place}: {note}{self.message} [{self.code}]"


def warning(path: Path, code: str, message: str) -> Finding:
    """A Finding that does not refuse the object."""
    return Finding(path, code, message, "warning")
