"""The one script of redisquota: a charge, from its id to its answer, in one step of Redis.

It does what `core.mixer.quota.shared` does; a contract compares them charge by charge. All keys of a limit have one
hash tag, so that a cluster keeps them together.

| key | type | holds |
|---|---|---|
| `proa.quota:{CELL}:fixed` | hash | `now`, `end`, `used` |
| `proa.quota:{CELL}:rolling` | hash | `now`, `used`, and of the bucket that is filled now `begin`, `held` |
| `proa.quota:{CELL}:buckets` | sorted set | `begin:held` of each full bucket, by its begin |
| `proa.quota:{CELL}:id:ID` | string | the amount that was granted, and until when it holds |

It answers what was granted, how long that holds, and how much is used now: not the last when it tells one again.
Every key ends by itself once its window is over. The time is Redis' own, one for all who ask it, unless a test gives
another.
"""

import hashlib
from typing import Final

SOURCE: Final = """
local algorithm, maximum, window, bucket = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local amount, best_effort, has_id, now = tonumber(ARGV[5]), ARGV[6] == '1', ARGV[7] == '1', tonumber(ARGV[8])
local slack = 600000
if now < 0 then
  local time = redis.call('TIME')
  now, slack = time[1] * 1000 + math.floor(time[2] / 1000), 1000
end
local state, buckets, answer = KEYS[1], KEYS[2], KEYS[3]

if has_id then
  local known = redis.call('GET', answer)
  if known then
    local given, till = string.match(known, '^(%d+) (%d+)$')
    if now < tonumber(till) then return {tonumber(given), tonumber(till) - now} end
  end
end
local asked = now

local function field(name)
  return tonumber(redis.call('HGET', state, name) or '0')
end
local function whole(number)
  return string.format('%.0f', number)
end

now = math.max(now, field('now'))
local used, valid = field('used'), window
local closes, begin, held = 0, 0, 0
if algorithm == 'FIXED_WINDOW' then
  closes = field('end')
  if now >= closes then closes, used = now + window, 0 end
  valid = closes - now
else
  begin, held = field('begin'), field('held')
  for _, full in ipairs(redis.call('ZRANGEBYSCORE', buckets, '-inf', whole(now - window))) do
    used = used - tonumber(string.match(full, ':(%d+)$'))
  end
  redis.call('ZREMRANGEBYSCORE', buckets, '-inf', whole(now - window))
  if held > 0 and begin + window <= now then
    used, begin, held = used - held, 0, 0
  end
end

if amount == 0 and algorithm == 'FIXED_WINDOW' then
  -- Who looks opens no window.
  redis.call('HSET', state, 'now', whole(now))
  redis.call('PEXPIRE', state, whole(window + slack))
  return {0, valid, used}
end
local left, given = maximum - used, 0
if amount <= left then
  given = amount
elseif best_effort then
  given = math.max(left, 0)
end
used = used + given

if algorithm == 'FIXED_WINDOW' then
  redis.call('HSET', state, 'now', whole(now), 'end', whole(closes), 'used', whole(used))
else
  if given > 0 then
    if held > 0 and now < begin + bucket then
      held = held + given
    else
      if held > 0 then redis.call('ZADD', buckets, whole(begin), whole(begin) .. ':' .. whole(held)) end
      begin, held = now, given
    end
  end
  redis.call('HSET', state, 'now', whole(now), 'used', whole(used), 'begin', whole(begin), 'held', whole(held))
  redis.call('PEXPIRE', buckets, whole(window + slack))
end
redis.call('PEXPIRE', state, whole(window + slack))
if has_id and amount > 0 then
  redis.call('SET', answer, whole(given) .. ' ' .. whole(asked + valid), 'PX', whole(valid + slack))
end
return {given, valid, used}
"""
SHA1: Final = hashlib.sha1(SOURCE.encode(), usedforsecurity=False).hexdigest()
"""By which Redis knows it."""
