"""Whether a WasmPlugin makes sense: Istio's rules for its fields. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.kinds.wasm_plugin.schema import WasmPlugin
from proa.core.config.meta import Meta
from proa.core.config.plugins import check_wasm
from proa.core.config.problem import Finding
from proa.core.config.selection import check_selection


def validate(spec: WasmPlugin, meta: Meta) -> Iterator[Finding]:
    yield from check_selection(spec.selector, spec.target_ref, spec.target_refs, meta.namespace)
    yield from check_wasm(spec, ("spec",))
