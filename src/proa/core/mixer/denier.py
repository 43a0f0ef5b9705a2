"""What a denier answers: a function of its parameters, so that a proxy can be told to give the answer itself."""

from typing import Final

from proa.core.config.mixer.parameters import Denier
from proa.core.mixer.plan.verdict import CheckAnswer

FAILED_PRECONDITION: Final = 9
VALID_MS: Final = 5_000
VALID_USES: Final = 1_000


def denial_of(parameters: Denier) -> CheckAnswer:
    """A status that is not set, or says OK, is FAILED_PRECONDITION: a denier never allows."""
    status, span, uses = parameters.status, parameters.valid_duration, parameters.valid_use_count
    return CheckAnswer(
        code=(status.code if status else 0) or FAILED_PRECONDITION,
        message=status.message if status else "",
        valid_ms=VALID_MS if span is None else span,
        valid_uses=VALID_USES if uses is None else uses,
    )
