"""Where the keys of tokens come from, in the words of a problem. Shared by today's and 2018's rules of tokens."""

from urllib.parse import urlsplit

import msgspec

from proa.core.config.tree import shorten


def web_address_fault(uri: str) -> str | None:
    """For an address that something is fetched from."""
    try:
        parts = urlsplit(uri)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        is_fine = is_fine and not any(char.isspace() or not char.isprintable() for char in uri)
    except ValueError:
        is_fine = False
    return None if is_fine else f'"{shorten(uri)}" is no address; write http:// or https:// and a host'


def key_set_fault(text: str) -> str | None:
    """For a JSON Web Key Set written out."""
    try:
        value: object = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        return f"not JSON: {shorten(str(error))}; write an object with keys"
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not keys:
        return 'a key set is {"keys": [...]} with at least one key; write one'
    if not all(isinstance(key, dict) and key.get("kty") for key in keys):
        return 'each key needs its type "kty"; write it'
    return None
