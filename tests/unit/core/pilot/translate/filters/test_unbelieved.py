"""Which headers match; what a real Envoy does with them is tested in tests/mesh/test_attacks.py."""

import itertools
import re

from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import HeaderMutation

from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters import unbelieved


def test_the_callers_certificate_is_taken_off_in_each_spelling_but_its_own() -> None:
    found = unpack(unbelieved.CALLERS.typed_config, HeaderMutation)
    assert found is not None
    patterns = [each.remove_on_match.key_matcher.safe_regex.regex for each in found.mutations]
    for one, two, three in itertools.product("-_", repeat=3):
        name = f"x{one}forwarded{two}client{three}cert"
        taken = any(re.fullmatch(pattern, name) for pattern in patterns)
        assert taken == ("_" in name), name


def test_programs_keep_what_steers_their_own_calls() -> None:
    found = unpack(unbelieved.PROGRAMS.typed_config, HeaderMutation)
    assert found is not None
    assert [each.remove for each in found.mutations] == ["x-envoy-original-path", "x-envoy-original-host"]
