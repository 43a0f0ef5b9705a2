from proa.core.pilot.translate.routes.cors import build_cors
from proa.core.pilot.translate.routes.intents import Cors, TextMatch


def test_a_policy() -> None:
    policy = build_cors(
        Cors(
            origins=(TextMatch(kind="exact", value="https://a"),),
            methods=("GET", "POST"),
            max_age_s=0,
            credentials=True,
            forward_unmatched=False,
        )
    )
    assert policy.allow_origin_string_match[0].exact == "https://a"
    assert (policy.allow_methods, policy.max_age) == ("GET,POST", "0")
    assert policy.allow_credentials.value
    assert policy.HasField("forward_not_matching_preflights")
    assert not policy.forward_not_matching_preflights.value


def test_what_is_not_said_is_not_sent() -> None:
    policy = build_cors(Cors())
    assert policy.max_age == ""
    assert not policy.HasField("allow_credentials")
