"""One call of one program to another: an answer in JSON, or the fact that there was none.

Called by productpage and reviews. It never retries: who calls decides that.
"""

import json
from dataclasses import dataclass, field

import aiohttp
from multidict import CIMultiDict

JsonObject = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """`status` is 0 when nobody answered in time. `body` is empty when there was no JSON object."""

    status: int
    body: JsonObject = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return self.status == 200 and bool(self.body)


NO_ANSWER = Answer(status=0)


async def call(
    session: aiohttp.ClientSession,
    url: str,
    headers: CIMultiDict[str],
    timeout: float,
    *,
    post: bytes | None = None,
) -> Answer:
    """GET, or POST of a JSON text; `timeout` (seconds) spans everything from connecting to the last byte."""
    if post is not None:
        headers = CIMultiDict(headers)
        headers["content-type"] = "application/json"
    method = "GET" if post is None else "POST"
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.request(method, url, headers=headers, data=post, timeout=limit) as answer:
            body = _json_object(await answer.read())
            return Answer(status=answer.status, body=body)
    except (aiohttp.ClientError, TimeoutError):
        return NO_ANSWER


def _json_object(text: bytes) -> JsonObject:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
