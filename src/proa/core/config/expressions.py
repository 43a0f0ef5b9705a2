"""Whether a text can be an expression of Mixer's language (`source.labels["app"] | "unknown"`). Validators of Mixer's
kinds ask.

Syntax alone: which attributes there are and what type they have is a question for whoever knows the manifests.
"""

from proa.core.expression.parser import parse
from proa.core.expression.syntax import Fault


def expression_fault(text: str, *, outputs: bool = False) -> str | None:
    """None, or what is wrong with the syntax. `outputs`: it may speak of what a generator gives, `$out.name`."""
    found = parse(text, outputs)
    return f"no expression: {found}" if isinstance(found, Fault) else None
