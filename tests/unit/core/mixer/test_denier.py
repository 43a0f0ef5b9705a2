import pytest

from proa.core.config.mixer.parameters import Denier
from proa.core.mixer.denier import denial_of
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.testing.mixer import mixer_config


@pytest.mark.parametrize(
    ("spec", "answer"),
    [
        ({}, CheckAnswer(code=9, valid_ms=5000, valid_uses=1000)),
        ({"status": {"message": "no"}}, CheckAnswer(code=9, message="no", valid_ms=5000, valid_uses=1000)),
        (
            {"status": {"code": 7, "message": "Not allowed"}, "validDuration": "1s", "validUseCount": 3},
            CheckAnswer(code=7, message="Not allowed", valid_ms=1000, valid_uses=3),
        ),
        ({"validDuration": "0s", "validUseCount": 0}, CheckAnswer(code=9, valid_ms=0, valid_uses=0)),
    ],
)
def test_parameters_are_the_answer(spec: object, answer: CheckAnswer) -> None:
    config = mixer_config("denier", "handler", spec)
    assert isinstance(config.spec, Denier)
    assert denial_of(config.spec) == answer
