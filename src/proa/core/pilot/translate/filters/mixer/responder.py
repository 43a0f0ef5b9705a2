"""The script that answers for denials of a proxy's own, in Envoy's Lua filter. It decides nothing: what denies is
written down before it runs, and whoever it fails to answer is refused behind it.
"""

from collections.abc import Sequence
from typing import Final

from proa.core.mixer.pushdown.values import Denial
from proa.core.mixer.refusals import LONGEST, http_status, refusal_text
from proa.core.mixer.verdict.script import NAMESPACE


def responder(denials: Sequence[Denial], state: str) -> str:
    """`state` is the key under which the conditions are, separated by commas; of values it is `state.NUMBER`."""
    rows = "".join(f"  {_row(denial)},\n" for denial in denials)
    return (
        _SOURCE.replace("@DENIALS@", rows)
        .replace("@STATE@", state)
        .replace("@NAMESPACE@", NAMESPACE)
        .replace("@LONGEST@", str(LONGEST))
    )


def _row(denial: Denial) -> str:
    words = {
        "rule": f"{denial.rule.namespace}/{denial.rule.name}",
        "call": f"{denial.handler} {denial.instance}",
        "kind": refusal_text(denial.code, ""),
        "text": f"{denial.handler}:{denial.text}",
        "after": denial.after,
    }
    figures = {"code": http_status(denial.code), "grpc": denial.code, "skip": len(denial.prefix.encode())}
    fields = [f"{name} = {lua_text(text)}" for name, text in words.items()]
    fields += [f"{name} = {figure}" for name, figure in figures.items()]
    return f"{{{', '.join([*fields, f'named = {str(denial.value is not None).lower()}'])}}}"


_PLAIN: Final = frozenset(b" !#$%&()*+,-./:;<=>?[]^_{|}~'`@") | frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)


def lua_text(text: str) -> str:
    """A literal of Lua: what is no plain letter is written as the number of its byte."""
    return '"' + "".join(chr(each) if each in _PLAIN else f"\\{each:03d}" for each in text.encode()) + '"'


_SOURCE: Final = r"""local denials = {
@DENIALS@}
local spaces = {
  "[\9-\13\28-\31]", "\194\133", "\194\160", "\225\154\128", "\226\128[\128-\138\168\169\175]", "\226\129\159",
  "\227\128\128",
}

-- As core.config.tree.shorten does.
local function shortened(text)
  for _, each in ipairs(spaces) do text = text:gsub(each, " ") end
  text = text:gsub(" +", " "):gsub("^ ", ""):gsub(" $", "")
  local letters, at = 0, nil
  for start in text:gmatch("()[^\128-\191]") do
    letters = letters + 1
    if letters == 58 then at = start end
  end
  return letters <= 60 and text or text:sub(1, at - 1) .. "..."
end

local function cut(text)
  if #text <= @LONGEST@ then return text end
  local last = @LONGEST@
  while text:byte(last + 1) >= 128 and text:byte(last + 1) < 192 do last = last - 1 end
  return text:sub(1, last)
end

function envoy_on_request(handle)
  local info = handle:streamInfo()
  local state = info:filterState()
  local found = state:get("@STATE@")
  if found == nil or not found:find("true", 1, true) then return end
  local number, first, made, said = 0, nil, {}, {}
  for word in found:gmatch("[^,]+") do
    number = number + 1
    local each = denials[number]
    if word == "true" and not made[each.call] then
      made[each.call] = true
      first = first or each
      local text = each.text
      if each.named then
        local value = state:get("@STATE@." .. number) or ""
        text = text .. shortened(value:sub(each.skip + 1)) .. each.after
      end
      said[#said + 1] = text
    end
  end
  local text = cut(first.kind .. table.concat(said, ", "))
  local metadata = info:dynamicMetadata()
  metadata:set("@NAMESPACE@", "rule", first.rule)
  metadata:set("@NAMESPACE@", "grpc", first.grpc)
  metadata:set("@NAMESPACE@", "body", text)
  local kind = handle:headers():get("content-type")
  if kind and kind:sub(1, 16) == "application/grpc" then
    handle:respond({
      [":status"] = "200",
      ["content-type"] = "application/grpc",
      ["grpc-status"] = tostring(first.grpc),
      ["grpc-message"] = (text:gsub("[%c%%\127-\255]", function(byte) return ("%%%02X"):format(byte:byte()) end)),
    })
  else
    handle:respond({[":status"] = tostring(first.code), ["content-type"] = "text/plain"}, text)
  end
end
"""
