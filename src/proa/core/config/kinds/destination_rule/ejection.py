"""Whether the ejection of endpoints makes sense. Called by this kind's validator."""

from collections.abc import Iterator

from proa.core.config.kinds.destination_rule.schema import OutlierDetection
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning


def check_outlier_detection(spec: OutlierDetection, at: Path) -> Iterator[Finding]:
    if spec.consecutive_errors:
        message = "consecutiveErrors is the old name; write consecutive5xxErrors or consecutiveGatewayErrors"
        yield warning((*at, "consecutiveErrors"), "deprecated", message)
    if spec.consecutive_local_origin_failures is not None and not spec.split_external_local_origin_errors:
        message = "counts only with splitExternalLocalOriginErrors; set it to true"
        yield Finding((*at, "consecutiveLocalOriginFailures"), "conflict", message)
