"""Headers that a proxy takes off a request before it looks at anything: who sends them has no right to say them.

Only proxies write `x-envoy-*`. A gateway believes none of a stranger, be it a time-out, a count of retries or a path
that the log would show instead of the real one. A sidecar leaves its program those that steer its own calls, and not
those that tell what a request was before it was rewritten. A server's sidecar lets them pass to its program, which may
want to know what was asked of the gateway; nothing of ours reads them there.

The caller's certificate (`x-forwarded-client-cert`) is replaced by Envoy itself. Programs behind WSGI or CGI, though,
read `x_forwarded_client_cert` as the same header, so that spelling goes too. A gateway refuses every underscore.
"""

from typing import Final

from envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation as EarlyMutation,
)
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.pilot.translate.encode import pack

ORIGINALS: Final = ("x-envoy-original-path", "x-envoy-original-host")


def _matching(matcher: StringMatcher) -> HeaderMutation:
    return HeaderMutation(remove_on_match=HeaderMutation.RemoveOnMatch(key_matcher=matcher))


def _taken_off(*mutations: HeaderMutation) -> TypedExtensionConfig:
    return TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=pack(EarlyMutation(mutations=mutations)),
    )


STRANGERS: Final = _taken_off(_matching(StringMatcher(prefix="x-envoy-")))
PROGRAMS: Final = _taken_off(*(HeaderMutation(remove=name) for name in ORIGINALS))
CALLERS: Final = _taken_off(
    *(
        _matching(StringMatcher(safe_regex=RegexMatcher(regex=spelling)))
        for spelling in (
            "x_forwarded[-_]client[-_]cert",
            "x[-_]forwarded_client[-_]cert",
            "x[-_]forwarded[-_]client_cert",
        )
    )
)
