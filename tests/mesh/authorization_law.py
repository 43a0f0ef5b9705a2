"""The law: for any policies and any request, Envoy with the compiled filters and the evaluator say the same.

They agree on the outcome, and on who decided: Envoy names one of the rules that the evaluator finds, as it does for
policies that are run dry and for those that only tell.
"""

from random import Random

from proa.core.auth.authorization.evaluate import Decision, Shadow, evaluate
from proa.core.auth.authorization.request import Request
from proa.core.auth.authorization.values import NO_RULE, Policy
from proa.testing.authorization.arena import Answer, Arena
from proa.testing.authorization.sets import PORTS, SOURCES, Asked, asked


def try_requests(arena: Arena, sets: list[tuple[Policy, ...]], rng: Random, times: int) -> dict[str, int]:
    """How often each outcome came, over `times` requests to each set."""
    seen: dict[str, int] = {}
    for _ in range(times):
        for number, policies in enumerate(sets):
            tried = asked(rng, len(arena.identities))
            answer = arena.ask(number, tried)
            decision = evaluate(policies, arena.request(tried))
            fault = disagreement(decision, answer, tried)
            assert not fault, f"{fault}\n{tried}\n{answer}\n{decision}\n" + "\n".join(map(str, policies[:8]))
            seen[decision.outcome] = seen.get(decision.outcome, 0) + 1
    return seen


def disagreement(decision: Decision, answer: Answer, tried: Asked) -> str:
    """What they do not agree on; empty when they do."""
    if decision.outcome == "asked" and ("x-checker", "no") in tried.headers:
        return (
            ""
            if answer.status == 403 and "ext_authz" in answer.told["x-rule"]
            else "the program was not asked"
        )
    final = decision.final
    wanted = 200 if final.outcome == "allowed" else 403
    if answer.status != wanted:
        return f"the status is {answer.status}, not {wanted}"
    if final.outcome == "denied":
        named = answer.told["x-rule"].removeprefix("rbac_access_denied_matched_policy[")[:-1]
        if named not in {*final.rules}:
            return f"{named} did not decide"
    elif final.rules and answer.told["x-enforced"] not in final.rules:
        return f"{answer.told['x-enforced']} did not let it in"
    for what, told, shadow in (
        ("dry DENY", answer.told["x-dry-deny"], final.dry_deny),
        ("dry ALLOW", answer.told["x-dry-allow"], final.dry_allow),
        ("AUDIT", answer.told["x-audit"], _audit(final, answer)),
    ):
        if shadow is not None and told not in (shadow.rules or (NO_RULE,)):
            return f"{what}: {told} was found, not one of {shadow.rules}"
    return ""


def _audit(decision: Decision, answer: Answer) -> Shadow | None:
    has_audit = answer.told["x-audit"] not in ("", "-")
    return Shadow(allows=True, rules=decision.audited) if decision.audited or has_audit else None


def try_streams(arena: Arena, sets: list[tuple[Policy, ...]], rng: Random, times: int) -> dict[str, int]:
    seen: dict[str, int] = {}
    for _ in range(times):
        for number, policies in enumerate(sets):
            who, source = rng.randrange(len(arena.identities)), rng.choice(SOURCES)
            caller = arena.caller(who, source, f"set-{number}.test")
            request = Request(caller=caller, ports=PORTS, address="127.0.0.1", is_stream=True)
            decision = evaluate(policies, request)
            passed = arena.stream(number, who, source)
            assert passed == (decision.outcome == "allowed"), f"{passed}\n{caller}\n{decision}\n{policies}"
            seen[decision.outcome] = seen.get(decision.outcome, 0) + 1
    return seen
