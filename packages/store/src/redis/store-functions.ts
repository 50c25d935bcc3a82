import { hash } from 'node:crypto';

/**
 * Redis Functions of the store (https://redis.io/docs/latest/develop/programmability/functions-intro/). A function runs
 * whole, with nothing between its reads and its writes, and its reply comes after the append-only file was synced.
 *
 * Keys, in this order: marker (the cluster id), revision (counter), entries (hash: key -> "revision:expiry:value"),
 * order (sorted set of keys), expiries (sorted set: key by expiry), events (stream). All share one hash tag.
 *
 * Redis does not undo a function that fails half way, so `apply` decides everything before its first write, and its
 * first write is the one that can be refused: a stream takes only ids above its last one. A stream id is the revision
 * of its change; each change takes the next revision, so that a reader sees from the ids alone whether one is missing.
 */
export const storeKeys = ['marker', 'revision', 'entries', 'order', 'expiries', 'events'].map((name) => `{postern}:${name}`);
export const eventsKey = '{postern}:events';

const body = `
local function written(number)
  return string.format('%.0f', number)
end

local function foreign(keys, args)
  local marker = redis.call('GET', keys[1])
  if marker ~= args[1] then
    return redis.error_reply('POSTERNMARKER ' .. (marker or ''))
  end
  return nil
end

local function revision(keys)
  return tonumber(redis.call('GET', keys[2]) or '0')
end

local function store(keys, plan, last, maxEvents)
  for _, change in ipairs(plan) do
    local id = written(change.revision) .. '-0'
    if change.value then
      redis.call('XADD', keys[6], 'MAXLEN', '~', maxEvents, id, 'put', change.key, 'entry', change.value)
    else
      redis.call('XADD', keys[6], 'MAXLEN', '~', maxEvents, id, 'delete', change.key)
    end
  end
  for _, change in ipairs(plan) do
    if change.value then
      redis.call('HSET', keys[3], change.key, change.value)
      redis.call('ZADD', keys[4], 0, change.key)
      if change.expires ~= '' then
        redis.call('ZADD', keys[5], change.expires, change.key)
      else
        redis.call('ZREM', keys[5], change.key)
      end
    else
      redis.call('HDEL', keys[3], change.key)
      redis.call('ZREM', keys[4], change.key)
      redis.call('ZREM', keys[5], change.key)
    end
  end
  redis.call('SET', keys[2], written(last))
end

-- args: cluster id, now, most events, then kind, key, value, expected revision, expiry of each operation
local function apply(keys, args)
  local refused = foreign(keys, args)
  if refused then return refused end
  local now = tonumber(args[2])
  local seen = {}
  local function current(key)
    if seen[key] == nil then
      seen[key] = false
      local packed = redis.call('HGET', keys[3], key)
      if packed then
        local at, expires = string.match(packed, '^(%d+):(%d*):')
        if expires == '' or tonumber(expires) > now then seen[key] = at end
      end
    end
    return seen[key]
  end
  local last = revision(keys)
  local plan = {}
  local reply = {'ok'}
  for at = 4, #args, 5 do
    local kind, key, value, expected, expires = args[at], args[at + 1], args[at + 2], args[at + 3], args[at + 4]
    local have = current(key)
    local code = nil
    if kind == 'create' and have then code = 'exists'
    elseif kind == 'update' and not have then code = 'absent'
    elseif kind == 'update' and have ~= expected then code = 'conflict'
    elseif kind == 'delete' and have and expected ~= '' and have ~= expected then code = 'conflict'
    elseif kind == 'check' and (have or '') ~= expected then code = 'conflict' end
    if code then return {'refused', code, tostring((at - 4) / 5)} end
    local result = ''
    if kind == 'delete' then
      if have then
        last = last + 1
        result = written(last)
        seen[key] = false
        table.insert(plan, {revision = last, key = key})
      end
    elseif kind ~= 'check' then
      last = last + 1
      result = written(last)
      seen[key] = result
      table.insert(plan, {revision = last, key = key, expires = expires, value = result .. ':' .. expires .. ':' .. value})
    end
    table.insert(reply, result)
  end
  if #plan > 0 then store(keys, plan, last, args[3]) end
  return reply
end

-- args: cluster id, now, most events, most entries
local function sweep(keys, args)
  local refused = foreign(keys, args)
  if refused then return refused end
  local last = revision(keys)
  local plan = {}
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', keys[5], '-inf', args[2], 'LIMIT', 0, args[4])) do
    last = last + 1
    table.insert(plan, {revision = last, key = key})
  end
  if #plan > 0 then store(keys, plan, last, args[3]) end
  return #plan
end

-- args: cluster id, key; answers the revision and the packed entry
local function get(keys, args)
  local refused = foreign(keys, args)
  if refused then return refused end
  return {written(revision(keys)), redis.call('HGET', keys[3], args[2])}
end

-- args: cluster id, first key, last key, most entries; answers the revision, then key and packed entry of each
local function page(keys, args)
  local refused = foreign(keys, args)
  if refused then return refused end
  local reply = {written(revision(keys))}
  local names = redis.call('ZRANGEBYLEX', keys[4], args[2], args[3], 'LIMIT', 0, args[4])
  if #names > 0 then
    local packed = redis.call('HMGET', keys[3], unpack(names))
    for at, name in ipairs(names) do
      table.insert(reply, name)
      table.insert(reply, packed[at] or '')
    end
  end
  return reply
end

-- args: cluster id, 'create' or 'expect'
local function claim(keys, args)
  local marker = redis.call('GET', keys[1])
  if marker then return {marker == args[1] and 'same' or 'other', marker == args[1] and written(revision(keys)) or marker} end
  if redis.call('EXISTS', keys[2], keys[3], keys[6]) > 0 then return {'unmarked', '0'} end
  if args[2] ~= 'create' then return {'empty', '0'} end
  redis.call('SET', keys[1], args[1])
  return {'created', '0'}
end
`;

// The name holds a hash of the body: two versions of auth on one server each call their own.
const version = hash('sha256', body).slice(0, 12);
const nameOf = (name: string): string => `postern_${version}_${name}`;

export const functionNames = {
  apply: nameOf('apply'),
  sweep: nameOf('sweep'),
  get: nameOf('get'),
  page: nameOf('page'),
  claim: nameOf('claim'),
} as const;

const registration = `
redis.register_function('${functionNames.apply}', apply)
redis.register_function{function_name = '${functionNames.sweep}', callback = sweep, flags = {'allow-oom'}}
redis.register_function{function_name = '${functionNames.get}', callback = get, flags = {'no-writes'}}
redis.register_function{function_name = '${functionNames.page}', callback = page, flags = {'no-writes'}}
redis.register_function{function_name = '${functionNames.claim}', callback = claim, flags = {'allow-oom'}}
`;

export const storeLibrary = `#!lua name=postern_${version}\n${body}${registration}`;
