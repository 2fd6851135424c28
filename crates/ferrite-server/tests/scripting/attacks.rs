//! What scripts must not be able to do: leave the sandbox, change it for others, stay for ever,
//! take all memory, end the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_server::scripting::{Destinations, LogLevel, Watch};

use crate::support::{Engine, MEMORY, Nobody};

fn engine() -> Engine<Nobody> {
    Engine::new(Nobody::default())
}

/// A script that answers 1.
fn holds(script: &str) {
    assert_eq!(engine().text(script), ":1\r\n", "{script}");
}

/// A script that fails with a message that holds `part`.
fn fails(script: &str, part: &str) {
    let reply = engine().text(script);
    assert!(reply.starts_with('-') && reply.contains(part), "{script}\n{reply}");
}

#[test]
fn compiled_code_is_not_loaded() {
    holds("return loadstring(string.dump(function() return 1 end)) == nil and 1 or 0");
    holds("return load(string.dump(function() return 1 end)) == nil and 1 or 0");
    holds("local f = loadstring('\\27LJ\\2\\2\\0') return f == nil and 1 or 0");
    holds("local f = loadstring('\\27Lua') return f == nil and 1 or 0");
    holds(
        "local done local f = load(function() if not done then done = 1 return '\\27LJ' end end) return f == nil and 1 or 0",
    );
    assert!(engine().eval(b"\x1bLJ\x02\x02\x00", &[], &[]).starts_with(b"-ERR Error compiling"));
}

#[test]
fn nothing_of_the_language_beyond_the_sandbox_is_there() {
    for name in [
        "debug", "package", "require", "io", "jit", "ffi", "module", "dofile", "loadfile", "print",
        "getfenv", "setfenv", "newproxy",
    ] {
        fails(&format!("return {name}"), "nonexistent global variable");
    }
    holds("return os.execute == nil and os.getenv == nil and os.exit == nil and 1 or 0");
    fails("return 1LL", "malformed number near '1LL'");
    fails("return loadstring('return 1ULL')()", "attempt to call");
}

/// Goes through all that a script can reach, tries every way to write to it, and looks whether
/// anything stayed.
#[test]
fn no_table_that_outlives_a_script_can_be_written() {
    let attack = r"
        local seen, count = {}, 0
        local function attack(t)
            if type(t) ~= 'table' or seen[t] or t == seen then return end
            seen[t] = true
            if t == KEYS or t == ARGV then return end
            count = count + 1
            local function refused(f, ...)
                local good, why = pcall(f, ...)
                if good then error('written to a table that others see') end
            end
            refused(function() t.evil = 1 end)
            refused(function() t[1] = 1 end)
            refused(rawset, t, 'evil', 1)
            refused(table.insert, t, 1)
            refused(table.remove, t)
            refused(table.sort, t)
            refused(setmetatable, t, {})
            for key, value in pairs(t) do
                refused(function() t[key] = 1 end)
                refused(rawset, t, key, 1)
                attack(key) attack(value)
            end
            for key, value in next, t do attack(value) end
            attack(getmetatable(t))
        end
        attack(_G)
        attack(getmetatable(''))
        local _, caught = pcall(error, {})
        return count > 10 and 1 or count";
    let mut engine = engine();
    assert_eq!(engine.text(attack), ":1\r\n");
    let look = "for _, t in pairs(_G) do
        if type(t) == 'table' and (rawget(t, 'evil') or rawget(t, 1)) then return 0 end
    end return 1";
    assert_eq!(engine.text(look), ":1\r\n");
    assert_eq!(engine.text("return ('x').evil == nil and 1 or 0"), ":1\r\n");
}

#[test]
fn iterating_gives_no_true_table_away() {
    holds("local f, t = pairs(redis) return t == redis and 1 or 0");
    holds("local f, t = pairs(_G) return t == _G and 1 or 0");
    holds("return getmetatable('').__index == string and 1 or 0");
    holds("return getmetatable(_G).__newindex == nil and 1 or 0");
    holds("return getmetatable(redis) == nil and 1 or 0");
    holds(
        "local t = table.foreach(redis, function(k, v) if k == 'call' then return 1 end end) return t",
    );
    fails("getmetatable('').__index = nil", "readonly table");
    fails("getmetatable('').__add = nil", "readonly table");
}

#[test]
fn raising_anything_is_an_error_reply() {
    for raised in [
        "{}",
        "nil",
        "",
        "redis",
        "_G",
        "1",
        "true",
        "function() end",
        "cjson.null",
        "setmetatable({}, {__index = error, __newindex = error, __tostring = error})",
        "coroutine.create(function() end)",
        "{err = {}}",
        "{err = 5}",
        "{err = ''}",
    ] {
        let reply = engine().text(&format!("error({raised})"));
        assert!(reply.starts_with('-') && reply.ends_with("\r\n"), "{raised}: {reply}");
        assert_eq!(reply.matches("\r\n").count(), 1, "{raised}: {reply}");
    }
}

const ENDLESS: [&str; 12] = [
    "while true do end",
    "repeat until false",
    "for i = 1, 1e18 do end",
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "while true do xpcall(function() error('x') end, function() while true do end end) end",
    "local function f() return pcall(f) end while true do f() end",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "local c = coroutine.wrap(function() while true do pcall(function() while true do end end) end end)
     while true do pcall(c) end",
    "while true do pcall(table.sort, {1, 2, 3, 4}, function() while true do end end) end",
    "string.gsub(string.rep('a', 1000), '.', function() while true do pcall(function() while true do end end) end end)",
    "setmetatable({}, {__index = function(t, k) while true do pcall(redis.call, 'ECHO', 'x') end end}).x = nil
     local x = setmetatable({}, {__index = function(t, k) while true do pcall(redis.call, 'ECHO', 'x') end end}).x",
];

#[test]
fn a_killed_script_ends_whatever_it_catches() {
    let mut engine = engine();
    for script in ENDLESS {
        let watch = Arc::new(Watch::new(Some(Duration::from_millis(20))));
        let killer = {
            let watch = Arc::clone(&watch);
            std::thread::spawn(move || {
                while !watch.is_over_time() {
                    std::thread::yield_now();
                }
                watch.kill();
            })
        };
        let start = Instant::now();
        let reply = engine.eval_watched(script.as_bytes(), &[], &[], &watch);
        killer.join().unwrap();
        let reply = String::from_utf8_lossy(&reply);
        assert!(reply.starts_with("-ERR ") && reply.contains("SCRIPT KILL"), "{script}\n{reply}");
        assert!(start.elapsed() < Duration::from_secs(20), "{script}");
        assert_eq!(engine.text("return 1"), ":1\r\n", "after {script}");
    }
}

#[test]
fn a_script_with_a_limit_ends_by_itself() {
    let watch = Arc::new(Watch::with_limit(Duration::from_millis(20)));
    let reply = engine().eval_watched(b"while true do end", &[], &[], &watch);
    assert!(reply.starts_with(b"-ERR"));
    assert!(watch.is_killed());
}

/// What the interpreter takes beyond its limit to say that it is reached.
const SLACK: usize = 16 << 10;

#[test]
fn memory_is_bounded_and_comes_back() {
    let mut engine = engine();
    let before = engine.interpreter.memory();
    for script in [
        "local t = {} for i = 1, 1e9 do t[i] = string.rep('x', 1000) .. i end",
        "return string.rep('x', 2e9)",
        "return string.rep(string.rep('x', 1e6), 1e6)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t = {t, t} table.insert(t, {}) end",
        "local c = {} for i = 1, 1e9 do c[i] = coroutine.create(function() end) end",
        "local t = {} for i = 1, 1e9 do t[i] = loadstring('return ' .. i) end",
        "return cjson.encode(cjson.decode('[' .. string.rep('1,', 1e8) .. '1]'))",
        "while true do pcall(string.rep, 'x', 2e9) local t = {} for i = 1, 1e9 do t[i] = {} end end",
    ] {
        let reply = engine.text(script);
        assert!(reply.starts_with('-') && reply.contains("not enough memory"), "{script}\n{reply}");
        let memory = engine.interpreter.memory();
        assert!(memory <= MEMORY + SLACK, "{memory} bytes after {script}");
        assert_eq!(engine.text("return #string.rep('x', 1e6)"), ":1000000\r\n", "after {script}");
    }
    assert!(engine.interpreter.memory() < before + MEMORY / 4);
}

#[test]
fn deep_things_do_not_end_the_process() {
    let mut engine = engine();
    let nested = engine.text("local a = {} local b = {a} a[1] = b return a");
    assert!(
        nested.starts_with("*1\r\n*1\r\n") && nested.ends_with("-ERR reached lua stack limit\r\n")
    );
    for (script, part) in [
        ("local t = {} t[1] = t return cjson.encode(t)", "excessive nesting"),
        ("return cjson.decode(string.rep('[', 1e6))", "too many nested data structures"),
        ("return cjson.decode(string.rep('{\"a\":', 1e6))", "too many nested data structures"),
        ("return cmsgpack.unpack(string.rep('\\145', 1e6))", "stack overflow"),
        ("return cmsgpack.unpack(string.rep('\\129\\1', 1e6))", "stack overflow"),
        ("local function f() return 1 + f() end return f()", "stack overflow"),
        ("return loadstring('return ' .. string.rep('(', 1e5))()", "attempt to call"),
        ("return loadstring('return ' .. string.rep('{', 1e5))()", "attempt to call"),
        ("return string.find(string.rep('a', 1e6), string.rep('a?', 1e6))", "pattern too complex"),
        ("return string.find(string.rep('a', 1e6), string.rep('(.-)', 1e5))", ""),
        ("local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x", ""),
    ] {
        let reply = engine.text(script);
        assert!(reply.starts_with('-') && reply.contains(part), "{script}\n{reply}");
        assert_eq!(engine.text("return 1"), ":1\r\n", "after {script}");
    }
}

/// CVE-2025-49844: the name of a chunk freed while it is being parsed.
#[test]
fn a_chunk_name_outlives_the_parser() {
    let reply = engine().text(
        "for i = 1, 20000 do
             local name = string.rep('n', 200) .. i
             local f = loadstring('local t = {} t[1] = {} t[2] = function() return {} end return ' .. i, name)
             if i % 100 == 0 then collectgarbage() end
             if f() ~= i then return 0 end
             local bad, why = loadstring(name .. '\\0' .. string.rep('(', 50) .. i)
             if bad then return 0 end
         end
         return 1",
    );
    assert_eq!(reply, ":1\r\n");
}

/// CVE-2025-46817: bounds of unpack that overflow.
#[test]
fn unpack_checks_its_bounds() {
    for (from, to) in
        [("0", "2147483647"), ("-2147483648", "2147483647"), ("1", "2147483647"), ("-2", "1e9")]
    {
        fails(&format!("return unpack({{}}, {from}, {to})"), "too many results to unpack");
    }
    holds("return select('#', unpack({}, 5, -5)) == 0 and 1 or 0");
}

/// CVE-2025-46819: brackets whose level overflows.
#[test]
fn long_brackets_of_any_level_are_read() {
    holds(
        "local e = string.rep('=', 1e6) return loadstring('return [' .. e .. '[x]' .. e .. ']')() == 'x' and 1 or 0",
    );
    holds("local e = string.rep('=', 1e6) return loadstring('return [' .. e) == nil and 1 or 0");
    holds(
        "local e = string.rep('=', 1e6) return loadstring('--[' .. e .. '[ x') == nil and 1 or 0",
    );
}

/// CVE-2025-46818: metatables of basic types that others use.
#[test]
fn basic_types_share_no_writable_metatable() {
    for value in [
        "''",
        "1",
        "nil",
        "true",
        "print",
        "function() end",
        "coroutine.create(type)",
        "cjson.null",
    ] {
        let mut engine = engine();
        engine.text(&format!(
            "local m = getmetatable({value}) if m then m.__index = function() return 'evil' end end"
        ));
        engine.text(&format!(
            "local m = getmetatable({value}) if m then rawset(m, '__call', function() end) end"
        ));
        assert_eq!(engine.text("return ('x').evil == nil and 1 or 0"), ":1\r\n", "{value}");
        fails("return (1)()", "attempt to call");
    }
}

/// CVE-2024-31449: digits of `bit.tohex` that overflow.
#[test]
fn tohex_writes_at_most_eight_digits() {
    holds("return bit.tohex(65535, -2147483648) == '0000FFFF' and 1 or 0");
    holds("return bit.tohex(65535, 2147483647) == '0000ffff' and 1 or 0");
    holds("return bit.tohex(65535, -1e308) == '0000FFFF' and 1 or 0");
    holds("return bit.tohex(65535, 0) == '' and 1 or 0");
    engine().text("return bit.tohex(65535, 0/0)");
}

/// Lengths that claim more than there is, in every encoding that scripts can read.
#[test]
fn claimed_lengths_take_no_memory() {
    for script in [
        "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
        "return cmsgpack.unpack('\\223\\255\\255\\255\\255')",
        "return cmsgpack.unpack('\\219\\255\\255\\255\\255x')",
        "return cmsgpack.unpack('\\198\\255\\255\\255\\255x')",
        "return cmsgpack.unpack('\\221\\255\\255\\255\\255\\192')",
        "return cmsgpack.unpack('\\129\\192\\1')",
        "return cmsgpack.unpack('\\129\\203\\127\\248\\0\\0\\0\\0\\0\\0\\1')",
        "return cmsgpack.unpack_limit('abc', 9007199254740991, 9007199254740991)",
        "return cmsgpack.unpack_one('abc', 9007199254740991)",
        "return cmsgpack.unpack_one('abc', -9007199254740991)",
        "return struct.unpack('c2147483647', 'x')",
        "return struct.unpack('I8c0', '\\255\\255\\255\\255\\255\\255\\255\\255x')",
        "return struct.unpack('d', 'x', 9223372036854775807)",
        "return struct.unpack('!1073741824i4', 'x', 2147483647)",
        "return struct.pack('i4294967296', 1)",
        "return struct.pack('i32i32' .. string.rep('9', 400), 1, 1)",
        "return struct.unpack(string.rep('b', 1e5), string.rep('x', 1e5))",
        "return cmsgpack.unpack(string.rep('a', 1e5))",
    ] {
        let mut engine = engine();
        let before = engine.interpreter.memory();
        let reply = engine.text(script);
        assert!(reply.starts_with('-'), "{script}\n{reply}");
        assert!(engine.interpreter.memory() < before + (16 << 20), "{script}");
    }
}

/// Random bytes and random formats: any answer, no end of the process.
#[test]
fn decoders_survive_noise() {
    let reply = engine().text(
        "math.randomseed(20250101)
         local chars = 'bBhHlLTiIcsfdx<>! 0123456789'
         for round = 1, 20000 do
             local bytes, format = {}, {}
             for i = 1, math.random(0, 40) do bytes[i] = string.char(math.random(0, 255)) end
             for i = 1, math.random(1, 8) do
                 local at = math.random(1, #chars) format[i] = chars:sub(at, at)
             end
             local data, pattern = table.concat(bytes), table.concat(format)
             pcall(cmsgpack.unpack, data)
             pcall(cjson.decode, data)
             pcall(struct.unpack, pattern, data)
             pcall(struct.pack, pattern, round, data, -round, round / 3, data)
             pcall(struct.size, pattern)
             pcall(loadstring, data)
         end
         return 1",
    );
    assert_eq!(reply, ":1\r\n");
}

#[test]
fn what_scripts_ask_of_the_host() {
    let mut engine = engine();
    assert_eq!(engine.text("return redis.call('ECHO', 'x')"), "$1\r\nx\r\n");
    assert!(
        engine.text("return redis.call('NO')").starts_with("-ERR no such command here script: ")
    );
    assert_eq!(engine.text("return redis.pcall('NO')"), "-ERR no such command here\r\n");
    assert_eq!(engine.text("return redis.acl_check_cmd('GET', 'k')"), ":1\r\n");
    assert_eq!(engine.text("return redis.acl_check_cmd('SET', 'k', 'v')"), "$-1\r\n");
    let unknown = engine.text("return redis.acl_check_cmd('NO')");
    assert!(unknown.starts_with("-ERR Invalid command passed to redis.acl_check_cmd() script: "));
    let arity = engine.text("return redis.acl_check_cmd('GET')");
    assert!(arity.starts_with("-ERR Wrong number of args for redis.acl_check_cmd() script: "));
    engine.text("redis.log(redis.LOG_WARNING, 'a', 5, 'b') redis.set_repl(redis.REPL_AOF)");
    assert_eq!(engine.host.logged, [(LogLevel::Warning, b"a 5 b".to_vec())]);
    let to_file = Destinations { append_only_file: true, replicas: false };
    assert_eq!(engine.host.destinations, [to_file]);
    assert_eq!(engine.text("return redis.REDIS_VERSION"), "$5\r\n7.2.0\r\n");
    assert_eq!(engine.text("return redis.REDIS_VERSION_NUM"), ":459264\r\n");
}

/// Functions of one run keep working only while it runs.
#[test]
fn nothing_of_a_run_is_left_to_the_next() {
    let mut engine = engine();
    assert_eq!(
        engine.eval(b"return {KEYS[1], ARGV[1], #KEYS}", &[b"k"], &[b"a"]),
        b"*3\r\n$1\r\nk\r\n$1\r\na\r\n:1\r\n"
    );
    assert_eq!(engine.text("return #KEYS + #ARGV"), ":0\r\n");
    engine.text("redis.setresp(3)");
    assert_eq!(engine.text("return redis.call('RAW', '$-1\\r\\n') == false and 1 or 0"), ":1\r\n");
}
