-- The world that scripts see, built once per interpreter before any script is loaded.
--
-- Called with (host, slots, state):
--   host   functions of the server that answer `true, results…` or `false, message`
--   slots  where the running script's own functions are put (`slots.command`)
--   state  `state.killed` is true from the moment a script is killed until its run is over
-- Gives a table of what the server needs: see `return` at the end.
--
-- Scripts never hold a table that outlives them. What they hold is an empty table whose
-- metatable forwards reads to the true one and refuses writes; every function of the language
-- that ignores metatables is replaced by one that knows these. Nothing here may hand out a value
-- of `originals`, a true library table, or a metatable.

local host, slots, state = ...

local base = {
  error = error, getmetatable = getmetatable, ipairs = ipairs, load = load, next = next,
  pairs = pairs, pcall = pcall, rawget = rawget, rawset = rawset, select = select,
  setmetatable = setmetatable, tonumber = tonumber, tostring = tostring, type = type,
  unpack = unpack, xpcall = xpcall, collectgarbage = collectgarbage,
}
local error, type, rawget, tostring = base.error, base.type, base.rawget, base.tostring
local select, floor = base.select, math.floor

local READONLY = "Attempt to modify a readonly table"

-- Stand-in → the table behind it, and stand-in → what getmetatable() shows of it.
local behind, shown = {}, {}

local function refuse() error(READONLY, 2) end

local function protect(hidden)
  local stand_in = {}
  behind[stand_in] = hidden
  return base.setmetatable(stand_in, { __index = hidden, __newindex = refuse, __metatable = false })
end

-- Raises `message` as an error at the place of the script that is being executed.
local function complain(message) error(host.place() .. message, 0) end

local function check(good, ...)
  if good then return ... end
  complain((...))
end

local function checked(functions)
  local wrapped = {}
  for name, value in base.pairs(functions) do
    if type(value) == "function" then
      wrapped[name] = function(...) return check(value(...)) end
    else
      wrapped[name] = value
    end
  end
  return wrapped
end

local function copy(library)
  local copied = {}
  for name, value in base.pairs(library) do copied[name] = value end
  return copied
end

-- Functions of the language that look past metatables, or reach further than a script may.

local function writable(t) if behind[t] then error(READONLY, 0) end end

local globals = {
  _VERSION = "Lua 5.1", ipairs = base.ipairs, rawequal = rawequal,
  select = select, tonumber = base.tonumber, tostring = tostring, type = type,
  unpack = base.unpack, gcinfo = gcinfo,
}

function globals.assert(...)
  local value, message = ...
  if value then return ... end
  if message == nil then complain("assertion failed!") end
  if type(message) ~= "string" and type(message) ~= "number" then
    complain("bad argument #2 to 'assert' (string expected, got " .. type(message) .. ")")
  end
  complain(message)
end

function globals.rawset(t, key, value)
  writable(t)
  return base.rawset(t, key, value)
end

function globals.rawget(t, key) return rawget(behind[t] or t, key) end

function globals.next(t, key) return base.next(behind[t] or t, key) end

function globals.pairs(t)
  if behind[t] then return globals.next, t, nil end
  return base.pairs(t)
end

function globals.setmetatable(t, meta)
  writable(t)
  return base.setmetatable(t, meta)
end

local string_meta
function globals.getmetatable(value)
  local kind = type(value)
  if kind == "string" then return string_meta end
  if kind ~= "table" then return nil end
  if behind[value] then return shown[value] end
  return base.getmetatable(value)
end

function globals.error(message, level)
  if type(message) == "string" and (level == nil or level == 1) then
    error(host.place() .. message, 0)
  end
  if type(level) == "number" and level > 1 then level = level + 1 end
  error(message, level)
end

-- What a script may see of an error that it caught: the text alone.
local function caught(good, problem, ...)
  if good then return good, problem, ... end
  if type(problem) == "table" then
    local text = rawget(problem, "err")
    if type(text) == "string" or type(text) == "number" then problem = text end
  elseif type(problem) == "userdata" then
    problem = host.describe(problem)
  end
  return false, problem
end

function globals.pcall(...)
  if select("#", ...) == 0 then return false, "attempt to call a nil value" end
  return caught(base.pcall(...))
end

function globals.xpcall(callee, handler)
  if handler == nil then complain("bad argument #2 to 'xpcall' (value expected)") end
  return base.xpcall(callee, function(problem)
    -- No instruction of a killed script is executed any more: while an error that was raised by
    -- the watch is being handled, the watch itself is off.
    if state.killed then return problem end
    if type(problem) == "userdata" then problem = host.describe(problem) end
    return handler(problem)
  end)
end

-- Filled below: what every chunk of a script has as its globals.
local environment

local function compile(source, name)
  local problem = host.literal(source, name)
  if problem then return nil, problem end
  return base.load(source, name, "t", environment)
end

function globals.loadstring(source, name)
  if type(source) ~= "string" then complain("bad argument #1 to 'loadstring' (string expected, got " .. (source == nil and "no value" or type(source)) .. ")") end
  return compile(source, type(name) == "string" and name or source)
end

function globals.load(reader, name)
  name = type(name) == "string" and name or "=(load)"
  if type(reader) == "string" then return compile(reader, name) end
  local pieces, count = {}, 0
  while true do
    local piece = reader()
    if piece == nil or piece == "" then break end
    if type(piece) ~= "string" then return nil, "reader function must return a string" end
    count = count + 1
    pieces[count] = piece
  end
  return compile(table.concat(pieces), name)
end

-- Reads are true; the collector's settings are not a script's to change.
function globals.collectgarbage(option)
  if option == "count" then return base.collectgarbage("count") end
  if option == nil or option == "collect" then return base.collectgarbage("collect") end
  if option == "step" then return base.collectgarbage("step") and 1 or 0 end
  return 0
end

-- Libraries.

-- What `dump` gives cannot be loaded: texts alone can.
local strings = copy(string)
strings.gfind = string.gmatch

local tables = copy(table)
for _, name in base.ipairs({ "insert", "remove", "sort" }) do
  local original = table[name]
  tables[name] = function(t, ...)
    if behind[t] then error(READONLY, 0) end
    return original(t, ...)
  end
end
for _, name in base.ipairs({ "move", "new", "clear", "pack", "unpack", "clone", "isarray",
                             "isempty", "nkeys" }) do
  tables[name] = nil
end
function tables.setn() complain("'setn' is obsolete") end
for _, name in base.ipairs({ "foreach", "foreachi", "maxn" }) do
  local original = table[name]
  tables[name] = function(t, ...) return original(behind[t] or t, ...) end
end

local numbers = copy(math)
numbers.mod = math.fmod

local function integer(value, position, name)
  local number = base.tonumber(value)
  if not number then
    complain("bad argument #" .. position .. " to '" .. name .. "' (number expected, got "
      .. (value == nil and "no value" or type(value)) .. ")")
  end
  return number < 0 and -floor(-number) or floor(number)
end

function numbers.random(...)
  local count, fraction = select("#", ...), host.random()
  if count == 0 then return fraction end
  if count > 2 then complain("wrong number of arguments") end
  local low, high = 1, nil
  if count == 1 then
    high = integer((...), 1, "random")
  else
    low, high = integer((...), 1, "random"), integer(select(2, ...), 2, "random")
  end
  if low > high then complain("bad argument #" .. count .. " to 'random' (interval is empty)") end
  return floor(fraction * (high - low + 1)) + low
end

function numbers.randomseed(seed) host.randomseed(integer(seed, 1, "randomseed")) end

local bits = copy(bit)
local tohex = bit.tohex
function bits.tohex(value, digits)
  -- 32 bits have eight digits; the library would take any number for 64.
  digits = digits == nil and 8 or integer(digits, 2, "tohex")
  if digits > 8 then digits = 8 elseif digits < -8 then digits = -8 end
  return tohex(value, digits)
end

globals.string = protect(strings)
globals.table = protect(tables)
globals.math = protect(numbers)
globals.bit = protect(bits)
globals.coroutine = protect(copy(coroutine))
globals.os = protect({ clock = host.clock })
globals.struct = protect(checked(host.struct))
globals.cmsgpack = protect(checked(host.cmsgpack))

local function json_module()
  local module = checked(host.cjson())
  module.new = function() return protect(json_module()) end
  return module
end
globals.cjson = protect(json_module())

base.getmetatable("").__index = strings
string_meta = protect({ __index = globals.string })

-- The `redis` table: while scripts run, and while a library of functions is loaded.

local function raise(problem) error(problem, 0) end

local function number_of(count, wanted, message)
  if count ~= wanted then raise({ err = "ERR " .. message }) end
end

-- Every operation of the server answers `true, result` or `false, error table`.
local function settle(good, result)
  if good then return result end
  raise(result)
end

local function missing(_, name)
  complain("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'")
end

local redis = copy(host.constants)

-- More than this go in a table: nearly as many as a script may unpack would not leave the host
-- the room on the stack that it needs.
local MANY = 1000

local function call(...)
  local count = select("#", ...)
  if count > MANY then return slots.command("many", { ... }, count) end
  return slots.command("call", ...)
end

function redis.call(...)
  local good, reply = call(...)
  if good then return reply end
  error(reply, 0)
end

function redis.pcall(...)
  local _, reply = call(...)
  return reply
end

function redis.acl_check_cmd(...) return settle(slots.command("access", ...)) end

function redis.log(...)
  if select("#", ...) < 2 then raise({ err = "ERR redis.log() requires two arguments or more." }) end
  return settle(slots.command("log", ...))
end

function redis.setresp(...)
  number_of(select("#", ...), 1, "redis.setresp() requires one argument.")
  return settle(slots.command("protocol", ...))
end

function redis.set_repl(...)
  number_of(select("#", ...), 1, "redis.set_repl() requires one argument.")
  return settle(slots.command("replicate", ...))
end

function redis.sha1hex(...)
  number_of(select("#", ...), 1, "wrong number of arguments")
  return host.sha1hex((...))
end

local function single(field)
  return function(...)
    local text = ...
    if select("#", ...) ~= 1 or type(text) ~= "string" then
      return { err = "ERR wrong number or type of arguments" }
    end
    if field == "ok" then return { ok = text } end
    return { err = host.error_text(text) }
  end
end
redis.error_reply = single("err")
redis.status_reply = single("ok")

-- Effects are replicated, always: there is no other way to switch to, and no debugger.
if host.for_scripts then
  function redis.replicate_commands() return true end
  function redis.breakpoint() return false end
  function redis.debug() end
end

local loading = {
  log = redis.log, register_function = function(...) return settle(slots.command("register", ...)) end,
}
for name, value in base.pairs(host.constants) do loading[name] = value end
base.setmetatable(loading, { __index = missing })
globals.redis = protect(redis)

-- Globals: those that exist can be read, nothing else can be done with them.

base.setmetatable(globals, { __index = missing })
environment = {}
local forward = { __newindex = refuse, __metatable = false }
base.setmetatable(environment, forward)
shown[environment] = protect({ __index = missing })
globals._G = environment

-- While a library is loaded there is nothing but the API for that.
local while_loading = base.setmetatable({ redis = protect(loading) }, { __index = missing })

local function set_loading(yes)
  local visible = yes and while_loading or globals
  forward.__index, behind[environment] = visible, visible
end
set_loading(false)

-- Turns whatever was raised into { err = …, source = …, line = … }.
local function handler(problem)
  if state.killed then return false end
  if type(problem) == "userdata" then problem = host.describe(problem) end
  if type(problem) == "string" and (problem:find("^bad argument #") or problem:find("^cannot change a protected"))
  then
    -- Raised by a function of the language that was called in the place of its caller.
    problem = host.place() .. problem
  end
  if type(problem) ~= "table" then
    problem = { err = "ERR " .. tostring(problem) }
  elseif behind[problem] or rawget(problem, "err") == nil then
    problem = { err = "ERR unknown error" }
  end
  local source, line = host.position()
  base.rawset(problem, "source", source)
  base.rawset(problem, "line", line)
  return problem
end

if host.for_scripts then
  globals.__redis__err__handler = function(problem)
    if type(problem) ~= "table" then problem = { err = "ERR " .. tostring(problem) } end
    return problem
  end
end

return {
  environment = environment,
  globals = globals,
  run = function(callee, ...) return base.xpcall(callee, handler, ...) end,
  set_loading = set_loading,
}
