from proa.core.config.analyze.message import Message
from proa.core.model.names import ObjectRef

ABOUT = ObjectRef("Sidecar", "default", "a")


def test_level_and_istios_codes_are_the_tables() -> None:
    message = Message(ABOUT, (), "selectors-conflict", "text")
    assert message.level == "error"
    assert message.istio == ("IST0110", "IST0159")
    assert Message(ABOUT, (), "weights-odd", "text").istio == ()
