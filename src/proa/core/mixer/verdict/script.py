"""The proxy's side of kept verdicts: Envoy's Lua filter, in front of the filters that ask Mixer, one for the rules that
fail closed and one for those that fail open.

It says `closed` or `open` in the request's metadata when it knows that Mixer allowed the same by those rules, and
answers itself when Mixer refused the same. In any other case, a broken script included, it says nothing, and then
Mixer is asked: nothing here can let anybody through. Each worker of a proxy keeps its own verdicts, and a changed
configuration forgets all. So the digest of the rules is part of it, and of each answer: an answer by other rules, of
a control plane that is ahead or behind, is not kept.

All filters that ask, those of CUSTOM policies too, leave what they were told under one name in the metadata. Mixer's
answers have a key of their own there for each of the policies, so that none is taken for another.

What Mixer's answer carries in metadata (`Told`) is written down on the way back. Two generations of entries take
turns: when the younger is full, the older is dropped, so that an entry that is used stays and memory has a bound.
"""

import string
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.mixer.verdict.shapes import Shape

NAMESPACE: Final = "proa.mixer"
"""Of the metadata in which the script says what it found: a failure policy true whose rules need not be asked, `hit`
true when nobody need be; or `rule`, `grpc` and `body` of a refusal."""
TOLD_BY: Final = "envoy.filters.http.ext_authz"
"""Where Envoy puts the metadata that comes with an answer."""
ENTRIES: Final = 5000
"""Of one generation: together the 10,000 that Istio's proxies kept of 2018."""
_PLAIN: Final = "".join(set(string.printable) - set("%\t\n\r\x0b\x0c"))
"""What gRPC leaves in a message as it is."""
SHAPES: Final = 16
"""Sets of attributes that are tried in turn; a server whose answers have more begins anew."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer of Mixer's says about keeping it. `code` 200 allows; any other is the answer's status, with
    `body`, and `grpc` the status for callers that speak gRPC. `uses` below zero: any number. `rule`: who decided."""

    shape: Shape
    key: str
    ttl_ms: int
    uses: int
    code: int = 200
    grpc: int = 0
    body: str = ""
    rule: str = ""

    def metadata(
        self, policy: FailurePolicy = "closed", rules: str = ""
    ) -> dict[str, dict[str, str | float]]:
        """As the script reads it. `rules` is the digest of those that it follows from."""
        told: dict[str, str | float] = {
            "shape": self.shape.text,
            "key": self.key,
            "ttl_ms": float(self.ttl_ms),
            "uses": float(self.uses),
            "code": float(self.code),
            "grpc": float(self.grpc),
            "body": self.body,
            "message": quote(self.body, safe=_PLAIN),
            "rule": self.rule,
            "rules": rules,
        }
        return {policy: told}


def script(
    policies: Sequence[FailurePolicy] = ("closed",),
    rules: str = "",
    *,
    has_peer: bool = True,
    entries: int = ENTRIES,
) -> str:
    """The source of the filter. `policies` of the rules that are asked, in order, and the digest of all these rules.
    Without `has_peer` a certificate says nothing. `entries` of one generation."""
    parts = {
        "ENTRIES": str(entries),
        "SHAPES": str(SHAPES),
        "POLICIES": ", ".join(f'"{policy}"' for policy in policies),
        "RULES": rules,
        "HAS_PEER": "true" if has_peer else "false",
    }
    source = _SOURCE
    for name, text in parts.items():
        source = source.replace(f"@{name}@", text)
    return source


_SOURCE: Final = """\
local policies = {@POLICIES@}
local shapes, known = {}, 0
local young, old, count = {}, {}, 0

local function certificate(info)
  return @HAS_PEER@ and info:downstreamSslConnection() or nil
end

local function payload(info)
  local found = info:dynamicMetadata():get("envoy.filters.http.jwt_authn")
  return found and found["payload"]
end

local function claim(info, name)
  local found = payload(info)
  return found and found[name]
end

local function text(value)
  if type(value) == "string" then return value end
end

local readers = {
  h = function(handle, info, name) return handle:headers():get(name) end,
  u = function(handle, info)
    local shown = certificate(info)
    return shown and shown:uriSanPeerCertificate()[1]
  end,
  w = function(handle, info)
    local shown = certificate(info)
    return shown and shown:dnsSansPeerCertificate()[1]
  end,
  a = function(handle, info)
    return (info:downstreamDirectRemoteAddress():gsub(":%d+$", ""):gsub("^%[(.*)%]$", "%1"))
  end,
  s = function(handle, info)
    local name = info:requestedServerName()
    if name ~= "" then return name end
  end,
  t = function(handle, info)
    local shown = certificate(info)
    return shown and shown:uriSanPeerCertificate()[1] and "yes" or "no"
  end,
  j = function(handle, info)
    local found = payload(info)
    return found and next(found) and "yes" or "no"
  end,
  c = function(handle, info, name) return text(claim(info, name)) end,
  l = function(handle, info, name)
    local found = claim(info, name)
    if type(found) == "table" then found = found[1] end
    return text(found)
  end,
}

local function understood(policy, words)
  local parts = {}
  for word in words:gmatch("[^\\n]+") do
    parts[#parts + 1] = {read = readers[word:sub(1, 1)], name = word:sub(3)}
  end
  return {policy = policy, words = words, parts = parts}
end

local function key_of(shape, handle, info)
  local pieces = {}
  for number, part in ipairs(shape.parts) do
    local value = part.read(handle, info, part.name)
    pieces[number] = value == nil and "-" or #value .. ":" .. value
  end
  return shape.policy .. "\\n" .. shape.words .. "\\n\\n" .. table.concat(pieces, ",")
end

local function keep(key, entry)
  if young[key] == nil then
    if count >= @ENTRIES@ then old, young, count = young, {}, 0 end
    count = count + 1
  end
  young[key] = entry
end

local function find(handle, info, policy)
  for _, shape in ipairs(shapes[policy] or {}) do
    local key = key_of(shape, handle, info)
    local entry = young[key]
    if entry == nil then
      entry = old[key]
      if entry then
        old[key] = nil
        keep(key, entry)
      end
    end
    if entry then
      if entry.ends > handle:timestamp() and entry.uses ~= 0 then
        entry.uses = entry.uses - 1
        return entry
      end
      young[key] = nil
      count = count - 1
    end
  end
end

local function refuse(handle, info, entry)
  info:dynamicMetadata():set("proa.mixer", "rule", entry.rule)
  info:dynamicMetadata():set("proa.mixer", "grpc", entry.grpc)
  info:dynamicMetadata():set("proa.mixer", "body", entry.body)
  local kind = handle:headers():get("content-type")
  if kind and kind:sub(1, 16) == "application/grpc" then
    handle:respond({
      [":status"] = "200",
      ["content-type"] = "application/grpc",
      ["grpc-status"] = tostring(entry.grpc),
      ["grpc-message"] = entry.message,
    })
  else
    handle:respond({[":status"] = tostring(entry.code), ["content-type"] = "text/plain"}, entry.body)
  end
end

local function learn(handle, policy, told)
  local words, shape = told["shape"], nil
  for _, each in ipairs(shapes[policy] or {}) do
    if each.words == words then shape = each end
  end
  if shape == nil then
    if known >= @SHAPES@ then shapes, known, young, old, count = {}, 0, {}, {}, 0 end
    shape = understood(policy, words)
    shapes[policy] = shapes[policy] or {}
    table.insert(shapes[policy], shape)
    known = known + 1
  end
  keep(policy .. "\\n" .. words .. "\\n\\n" .. told["key"], {
    ends = handle:timestamp() + told["ttl_ms"],
    uses = told["uses"],
    code = told["code"],
    grpc = told["grpc"],
    body = told["body"],
    message = told["message"],
    rule = told["rule"],
  })
end

function envoy_on_request(handle)
  local info = handle:streamInfo()
  local all = true
  for _, policy in ipairs(policies) do
    local entry = find(handle, info, policy)
    if entry == nil then
      all = false
    elseif entry.code == 200 then
      info:dynamicMetadata():set("proa.mixer", policy, true)
    elseif all then
      refuse(handle, info, entry)
      return
    end
  end
  if all then info:dynamicMetadata():set("proa.mixer", "hit", true) end
end

function envoy_on_response(handle)
  local found = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.ext_authz")
  if found == nil then return end
  for _, policy in ipairs(policies) do
    local told = found[policy]
    if type(told) == "table" and told["shape"] ~= nil and told["rules"] == "@RULES@" then
      learn(handle, policy, told)
    end
  end
end
"""
