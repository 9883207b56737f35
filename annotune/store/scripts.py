"""Lua scripts, each of which Redis runs in one step.

A client sends a command again when it got no reply, so a script may run twice. Where a second run would do harm, the last
key is the request's own. The first reply is kept there for `REPEATED_S` seconds, longer than any client tries, and given
again.
"""

REPEATED_S = 900

_ONCE = """
local request = KEYS[#KEYS]
local first = redis.call('GET', request)
if first then return tonumber(first) end
local function reply(number)
  redis.call('SET', request, number, 'EX', tonumber(ARGV[1]))
  return number
end
"""
# Keys: live, past. Arguments: seconds, expected, new, most of the past. The pointer moves only if it is still the expected
# one; '' means that there is none.
SWAP = (
    _ONCE
    + """
local now = redis.call('GET', KEYS[1]) or ''
if now ~= ARGV[2] then return reply(0) end
if now ~= '' then
  redis.call('LPUSH', KEYS[2], now)
  redis.call('LTRIM', KEYS[2], 0, ARGV[4] - 1)
end
redis.call('SET', KEYS[1], ARGV[3])
return reply(1)
"""
)
# Keys: live, past. Arguments: seconds, expected, newest of the past. The pointer moves back; without a past it is deleted,
# and the settings' model answers.
SWAP_BACK = (
    _ONCE
    + """
local now = redis.call('GET', KEYS[1]) or ''
local last = redis.call('LINDEX', KEYS[2], 0) or ''
if now ~= ARGV[2] or last ~= ARGV[3] then return reply(0) end
if last == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], last)
  redis.call('LPOP', KEYS[2])
end
return reply(1)
"""
)
# Keys: prompts, prompt, pin, prompt-number. Arguments: seconds, version without its number, least number, most versions,
# 1 to end a pin. The version gets the next number, and is used unless another one is pinned. A prompt that an older Annotune
# kept becomes the first version.
ADD_PROMPT = (
    _ONCE
    + """
if redis.call('EXISTS', KEYS[1]) == 0 and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('RPUSH', KEYS[1], redis.call('GET', KEYS[2]))
end
local number = math.max(redis.call('INCR', KEYS[4]), tonumber(ARGV[3]))
redis.call('SET', KEYS[4], number)
local version = '{"number":' .. number .. ',' .. string.sub(ARGV[2], 2)
redis.call('RPUSH', KEYS[1], version)
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[4]), -1)
if ARGV[5] == '1' then redis.call('DEL', KEYS[3]) end
if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('SET', KEYS[2], version) end
return reply(number)
"""
)
# Key: the set of projects. Arguments: most projects, ids. Adds the ids; returns the first that found no room, or ''.
REMEMBER = """
for index = 2, #ARGV do
  if redis.call('SISMEMBER', KEYS[1], ARGV[index]) == 0 then
    if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[1]) then return ARGV[index] end
    redis.call('SADD', KEYS[1], ARGV[index])
  end
end
return ''
"""
# Keys: changes, queued. Arguments: a token of the request, seconds. Raises the counter; 1 where no job waits yet, or where
# this same request set the mark.
NOTE_CHANGE = """
redis.call('INCR', KEYS[1])
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'EX', tonumber(ARGV[2]))
return 1
"""
# Arguments: a token, milliseconds or nothing. Sets the key to the token, unless it has another.
CLAIM = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[2] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
"""
# Arguments: a token, milliseconds. 0 where the key does not have the token.
RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
# Argument: a token.
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
# Argument: the least number that the key has afterwards.
RAISE_NUMBER = """
if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
"""
