"""What is found by policies and not obeyed: before what Envoy counts, and before what it leaves in the metadata of the
access log. Istio's words, and one of ours."""

from typing import Final

DRY_DENY: Final = "istio_dry_run_deny_"
DRY_ALLOW: Final = "istio_dry_run_allow_"
AUDIT: Final = "proa_audit_"
