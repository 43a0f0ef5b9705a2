"""How objects name certificates: files of the proxy's host, and secrets kept there. Kinds' validators call this."""

from collections.abc import Iterator

from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten
from proa.core.model.secret_names import secret_name_fault


def check_file(path: str, at: Path, name: str, *, is_required: bool = False) -> Iterator[Finding]:
    """A field `name` of the object at `at`. An empty path is none."""
    if not path:
        if is_required:
            yield Finding(at, "required", f"{name} is missing; write the path of its file")
    elif not path.startswith("/") or "~" in path or "\0" in path:
        message = (
            f'"{shorten(path)}" must be a whole path on the proxy\'s host, like /etc/certs/tls.pem, without ~'
        )
        yield Finding((*at, name), "bad-value", message)


def check_credential_name(name: str, at: Path) -> Iterator[Finding]:
    if "://" in name:
        yield Finding(
            at, "not-supported-yet", "other providers of secrets are not supported yet; name a secret of ours"
        )
    elif fault := secret_name_fault(name):
        yield Finding(at, "bad-value", fault)
