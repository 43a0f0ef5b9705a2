"""Whether a TrafficExtension makes sense: Istio's rules for its fields. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.kinds.traffic_extension.schema import TrafficExtension
from proa.core.config.meta import Meta
from proa.core.config.plugins import check_wasm
from proa.core.config.problem import Finding
from proa.core.config.selection import check_selection

_LONGEST_SCRIPT = 64 * 1024


def validate(spec: TrafficExtension, meta: Meta) -> Iterator[Finding]:
    yield from check_selection(spec.selector, None, spec.target_refs, meta.namespace)
    if (spec.wasm is None) == (spec.lua is None):
        code = "required" if spec.wasm is None else "conflict"
        yield Finding(("spec",), code, "exactly one of wasm and lua says what is run; write one")
    if spec.wasm is not None:
        yield from check_wasm(spec.wasm, ("spec", "wasm"))
    if spec.lua is not None:
        at = ("spec", "lua", "inlineCode")
        if not spec.lua.inline_code.strip():
            yield Finding(at, "required", "an extension needs its script; write it")
        elif len(spec.lua.inline_code.encode()) > _LONGEST_SCRIPT:
            yield Finding(at, "too-large", f"the script is larger than {_LONGEST_SCRIPT} bytes; shorten it")
