"""What Redis carries out in one step. A client sends again what it got no answer to, so each may come twice.

Where a second time would do harm, the last key is the request's own: what was answered first is kept under it for
`REPEATED_S` seconds, longer than any client tries, and answered again.
"""

REPEATED_S = 900

_ONCE = """
local mine = KEYS[#KEYS]
local told = redis.call('GET', mine)
if told then return tonumber(told) end
local function answer(number)
  redis.call('SET', mine, number, 'EX', tonumber(ARGV[1]))
  return number
end
"""
# Of keys (live, past): the pointer moves only if it is still what the caller last saw; '' stands for none.
SWAP = (
    _ONCE
    + """
local now = redis.call('GET', KEYS[1]) or ''
if now ~= ARGV[2] then return answer(0) end
if now ~= '' then
  redis.call('LPUSH', KEYS[2], now)
  redis.call('LTRIM', KEYS[2], 0, ARGV[4] - 1)
end
redis.call('SET', KEYS[1], ARGV[3])
return answer(1)
"""
)
# The same, back to the newest before it; without one the pointer goes, and the environment's model answers.
SWAP_BACK = (
    _ONCE
    + """
local now = redis.call('GET', KEYS[1]) or ''
local last = redis.call('LINDEX', KEYS[2], 0) or ''
if now ~= ARGV[2] or last ~= ARGV[3] then return answer(0) end
if last == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], last)
  redis.call('LPOP', KEYS[2])
end
return answer(1)
"""
)
# Of keys (prompts, prompt, pin, prompt-number): a version gets the next number and is kept; it is used unless another is
# pinned, or it is wanted all the same. A prompt from before there were versions is the first one.
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
return answer(number)
"""
)
# Of the set of projects: each of these is in it afterwards, unless it has no room left; then the first that is not.
REMEMBER = """
for place = 2, #ARGV do
  if redis.call('SISMEMBER', KEYS[1], ARGV[place]) == 0 then
    if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[1]) then return ARGV[place] end
    redis.call('SADD', KEYS[1], ARGV[place])
  end
end
return ''
"""
# Of keys (changes, queued): the counter rises; 1 where no job waits yet, or where it was this request that said so.
NOTE_CHANGE = """
redis.call('INCR', KEYS[1])
local waits = redis.call('GET', KEYS[2])
if waits and waits ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'EX', tonumber(ARGV[2]))
return 1
"""
# Takes what nobody has, or what is this caller's already; with an expiry in milliseconds, or none.
CLAIM = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[2] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
"""
RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
RAISE_NUMBER = "if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end"
