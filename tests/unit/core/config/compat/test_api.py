from proa.core.config.compat.api import KINDS, MESSAGES, messages_of


def test_every_message_that_a_field_holds_is_listed() -> None:
    held = {field.message for fields in MESSAGES.values() for field in fields if field.message}
    assert held <= set(MESSAGES)
    assert set(KINDS.values()) <= set(MESSAGES)


def test_every_message_belongs_to_a_kind() -> None:
    reached = {name for root in KINDS.values() for name in messages_of(root)}
    assert set(MESSAGES) - reached <= {"RemoteService"}


def test_no_field_is_listed_twice() -> None:
    for fields in MESSAGES.values():
        names = [field.name for field in fields]
        assert len(names) == len(set(names))


def test_messages_are_met_once_and_the_root_first() -> None:
    met = list(messages_of("PeerAuthentication"))
    assert met == ["PeerAuthentication", "type.WorkloadSelector", "PeerAuthentication.MutualTLS"]


def test_how_much_there_is() -> None:
    """A line that is lost would not be missed by anybody else."""
    assert sum(map(len, MESSAGES.values())) > 850
