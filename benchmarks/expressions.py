"""EXPRESSIONS: how many of Mixer's expressions are evaluated in a second, beside a walk over the same checked tree.

In one process and on CPU time. The expressions are of the kinds that rules and the default metrics have; both sides
evaluate the same ones over the same bags, and must find the same. The peer is what an interpreter does: it asks each
node what it is, every time.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.figures import Figure, Goal, rounds
from benchmarks.workshop import Workshop
from proa.core.attributes.value_types import Value
from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.program import Program, compile_expression
from proa.core.expression.semantics import EvaluationError, glob_match, searcher
from proa.core.expression.typed import Apply, Constant, Read, Typed

PAIRS = 5
ROUNDS = 3000
EXPRESSIONS = (
    'context.protocol == "http" || context.protocol == "grpc"',
    'source.labels["app"] | "unknown"',
    'conditional((context.reporter.kind | "inbound") == "outbound", "source", "destination")',
    'request.headers["x-user"] == "ann" && source.principal.startsWith("cluster.local/")',
    'match(request.path, "/api/*") && response.code >= 500',
    'destination.service.host | destination.service | "unknown"',
    '(request.headers["user-agent"] | "").startsWith("curl")',
    '"^/api/v[0-9]+/".matches(request.path)',
)
BAGS: tuple[Mapping[str, Value], ...] = (
    {
        "context.protocol": "http",
        "context.reporter.kind": "inbound",
        "source.labels": {"app": "web", "version": "v1"},
        "source.principal": "cluster.local/ns/shop/sa/web",
        "request.headers": {"x-user": "ann", "user-agent": "curl/8"},
        "request.path": "/api/v1/items",
        "response.code": 200,
        "destination.service.host": "reviews.shop.svc.cluster.local",
    },
    {
        "context.protocol": "tcp",
        "source.principal": "cluster.local/ns/shop/sa/web",
        "request.headers": {"x-user": "bob"},
        "request.path": "/",
        "response.code": 503,
    },
)
FASTER = 3.0


async def measure_expressions(shop: Workshop, full: bool) -> Sequence[Figure]:
    return await asyncio.to_thread(measure, shop.tell, ROUNDS, 2 * PAIRS if full else PAIRS)


def measure(tell: Callable[[str], None], times: int, pairs: int) -> list[Figure]:
    """Both figures; smaller numbers for a test."""
    programs = [compiled(text) for text in EXPRESSIONS]
    evaluated, walked, traced, again = [list[float]() for _ in range(4)]
    same = all(
        _outcome(program.evaluate, bag) == _outcome(walker(program), bag)
        for program in programs
        for bag in BAGS
    )
    flaws = () if same else ("the walk finds other values",)
    walkers = [walker(program) for program in programs]
    for number, side in rounds(("ours", "peer"), pairs):
        tell(f"pair {number + 1} of {pairs}: {side}")
        if side == "ours":
            evaluated.append(_per_second([program.evaluate for program in programs], times))
            traced.append(_per_second([program.trace for program in programs], times))
        else:
            walked.append(_per_second(walkers, times))
            again.append(_per_second(walkers, times))
    return [
        _figure("evaluations", evaluated, walked, Goal(ratio=FASTER, sense="at least"), flaws),
        _figure("evaluations with references", traced, again, None, flaws),
    ]


def _figure(
    name: str, ours: Sequence[float], peer: Sequence[float], goal: Goal | None, flaws: tuple[str, ...]
) -> Figure:
    return Figure(
        benchmark="EXPRESSIONS",
        figure=name,
        unit="1/s CPU",
        ours=tuple(ours),
        peer=tuple(peer),
        peer_name="a walk over the tree",
        goal=goal,
        flaws=flaws,
    )


def compiled(text: str) -> Program:
    program = compile_expression(text, STANDARD)
    if not isinstance(program, Program):
        raise RuntimeError(f"{text}: {program[0]}")
    return program


def _outcome(evaluate: Callable[[Mapping[str, Value]], object], bag: Mapping[str, Value]) -> object:
    """The value, or why there is none."""
    try:
        return evaluate(bag)
    except EvaluationError as error:
        return str(error)


def _per_second(evaluations: Sequence[Callable[[Mapping[str, Value]], object]], times: int) -> float:
    gc.collect()
    began = time.thread_time()
    for evaluate in evaluations:
        for bag in BAGS:
            for _ in range(times):
                _outcome(evaluate, bag)
    return len(evaluations) * len(BAGS) * times / (time.thread_time() - began)


def walker(program: Program) -> Callable[[Mapping[str, Value]], Value]:
    searchers = {text: searcher(text) for text in _patterns(program.checked.root)}
    return lambda bag: _walk(program.checked.root, bag, searchers)


def _patterns(node: Typed) -> list[str]:
    match node:
        case Apply("matches", arguments=(Constant(value=str(pattern)), _)):
            return [pattern]
        case Apply():
            return [pattern for argument in node.arguments for pattern in _patterns(argument)]
        case _:
            return []


_Searchers = Mapping[str, Callable[[str], bool]]


def _walk(node: Typed, bag: Mapping[str, Value], searchers: _Searchers) -> Value:
    found = _tried(node, bag, searchers) if isinstance(node, (Read, Apply)) and _is_read(node) else None
    if found is not None:
        return found
    match node:
        case Constant():
            return node.value
        case Read():
            raise EvaluationError("absent", f"lookup failed: '{node.name}'", node.name)
        case Apply("|"):
            return _walk(node.arguments[-1], bag, searchers)
        case Apply("[]"):
            _walk(node.arguments[0], bag, searchers)
            return ""
        case Apply("||"):
            return any(_walk(each, bag, searchers) for each in node.arguments)
        case Apply("&&"):
            return all(_walk(each, bag, searchers) for each in node.arguments)
        case Apply("conditional"):
            condition, first, second = node.arguments
            return _walk(first if _walk(condition, bag, searchers) else second, bag, searchers)
        case Apply():
            left, right = (_walk(each, bag, searchers) for each in node.arguments)
            return _applied(node.function, left, right, searchers)


def _is_read(node: Read | Apply) -> bool:
    return isinstance(node, Read) or node.function in ("|", "[]")


def _tried(node: Typed, bag: Mapping[str, Value], searchers: _Searchers) -> Value | None:
    match node:
        case Read():
            return bag.get(node.name)
        case Apply("|"):
            for each in node.arguments[:-1]:
                if (found := _tried(each, bag, searchers)) is not None:
                    return found
            return None
        case Apply("[]"):
            content = _tried(node.arguments[0], bag, searchers)
            key = _walk(node.arguments[1], bag, searchers)
            return content.get(str(key)) if isinstance(content, dict) else None
        case _:
            return _walk(node, bag, searchers)


def _applied(function: str, first: Value, second: Value, searchers: _Searchers) -> Value:
    match function:
        case "==":
            return first == second
        case ">=":
            return isinstance(first, int) and isinstance(second, int) and first >= second
        case "match":
            return glob_match(str(first), str(second))
        case "matches":
            return searchers[str(first)](str(second))
        case "startsWith":
            return str(first).startswith(str(second))
        case _:
            raise RuntimeError(f"{function} is not in this benchmark")
