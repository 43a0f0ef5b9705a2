"""A program that a proxy loads: how it is found and what it is given. Shared by the kinds that name one."""

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import FreeObject, Port, Record
from proa.core.config.tree import shorten

PullPolicy = Literal["UNSPECIFIED_POLICY", "IfNotPresent", "Always"]
PluginType = Literal["UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"]
FailStrategy = Literal["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"]
EnvValueSource = Literal["INLINE", "HOST"]
WorkloadMode = Literal["UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"]

_SCHEMES = ("", "oci", "http", "https", "file")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 256
_LONGEST_VALUE = 2048


class EnvVar(Record, frozen=True, kw_only=True):
    """HOST takes the proxy's own variable of the name."""

    name: str
    value_from: EnvValueSource = "INLINE"
    value: str = ""


class VmConfig(Record, frozen=True, kw_only=True):
    env: tuple[EnvVar, ...] = ()


class PortSelector(Record, frozen=True, kw_only=True):
    number: Port


class TrafficSelector(Record, frozen=True, kw_only=True):
    """No ports: all."""

    mode: WorkloadMode = "CLIENT_AND_SERVER"
    ports: tuple[PortSelector, ...] = ()


class WasmSource(Record, frozen=True, kw_only=True):
    """A WebAssembly program. `url` without a scheme is an image; `plugin_config` is handed to it."""

    IDLE = MappingProxyType({"verificationKey": "Istio does not read it either"})

    url: str
    sha256: str = ""
    image_pull_policy: PullPolicy = "UNSPECIFIED_POLICY"
    image_pull_secret: str = ""
    verification_key: str = ""
    plugin_config: FreeObject | None = None
    plugin_name: str = ""
    fail_strategy: FailStrategy = "FAIL_CLOSE"
    vm_config: VmConfig | None = None
    type: PluginType = "UNSPECIFIED_PLUGIN_TYPE"


def check_wasm(source: WasmSource, at: Path) -> Iterator[Finding]:
    if not source.url:
        yield Finding((*at, "url"), "required", "a plugin needs its url; write it")
    elif fault := _url_fault(source.url):
        yield Finding((*at, "url"), "bad-value", fault)
    if source.sha256 and not _SHA256.fullmatch(source.sha256):
        yield Finding((*at, "sha256"), "bad-value", "a checksum has 64 digits of 0-9 and a-f; write them")
    if len(source.plugin_name) > _LONGEST_NAME:
        yield Finding((*at, "pluginName"), "too-large", f"longer than {_LONGEST_NAME} characters; shorten it")
    if len(source.image_pull_secret) > 253:
        yield Finding((*at, "imagePullSecret"), "too-large", "longer than 253 characters; shorten it")
    names: set[str] = set()
    for index, variable in enumerate(source.vm_config.env if source.vm_config else ()):
        place = (*at, "vmConfig", "env", index)
        if not variable.name:
            yield Finding((*place, "name"), "required", "a variable needs a name; write it")
        elif variable.name in names:
            yield Finding(
                (*place, "name"), "duplicate", f'"{shorten(variable.name)}" is there already; remove one'
            )
        elif len(variable.name) > _LONGEST_NAME or len(variable.value) > _LONGEST_VALUE:
            message = f"a name has at most {_LONGEST_NAME} characters, a value {_LONGEST_VALUE}; shorten it"
            yield Finding(place, "too-large", message)
        names.add(variable.name)
        if variable.value_from == "HOST" and variable.value:
            message = "with HOST the value is the proxy's own; remove it"
            yield Finding((*place, "value"), "conflict", message)


def _url_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url if "://" in url else f"oci://{url}")
    except ValueError:
        return f'"{shorten(url)}" is no address; write oci://, https:// or file://'
    if parts.scheme not in _SCHEMES:
        return (
            f'there is no scheme "{shorten(parts.scheme)}" here; write oci://, http://, https:// or file://'
        )
    if parts.scheme == "file":
        return None if parts.path else "a file needs a path; write file:///path"
    return None if parts.netloc else f'"{shorten(url)}" names no host; write one behind the scheme'
