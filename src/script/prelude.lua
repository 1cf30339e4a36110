-- The world of a script, as Redis 2.6 to 6.2 made it. `host` is what machine.rs gives.
local host = ...
local raw_pcall, raw_xpcall, raw_error, raw_type = pcall, xpcall, error, type
local raw_load, raw_loadstring, raw_select = load, loadstring, select
local concat, byte = table.concat, string.byte

-- What stops a script for good passes through every pcall.
local function unless_stopped(...)
    if host.stopped() then raw_error("stopped", 0) end
    return ...
end
function pcall(...) return unless_stopped(raw_pcall(...)) end
function xpcall(...) return unless_stopped(raw_xpcall(...)) end

-- Text only: bytecode can do anything.
function loadstring(text, name)
    if raw_type(text) == "string" and byte(text) == 27 then
        return nil, "attempt to load a binary chunk"
    end
    return raw_loadstring(text, name)
end
function load(reader, name)
    local parts = {}
    while true do
        local part = reader()
        if part == nil or part == "" then break end
        parts[#parts + 1] = part
    end
    return loadstring(concat(parts), name)
end
-- Lua's matcher recurses over the pattern on the C stack, without a bound of its own.
for _, name in ipairs({ "find", "match", "gmatch", "gsub" }) do
    local raw = string[name]
    string[name] = function(text, pattern, ...)
        if raw_type(pattern) == "string" and #pattern > host.max_pattern then
            host.pattern_too_long()
            raw_error("stopped", 0)
        end
        return raw(text, pattern, ...)
    end
end
string.gfind = string.gmatch
loadfile, dofile, print, newproxy = nil, nil, nil, nil
string.dump = nil

local function command(...)
    local answer = host.call(...)
    if host.stopped() then raw_error("stopped", 0) end
    return answer
end
redis = {
    pcall = command,
    call = function(...)
        local answer = command(...)
        if raw_type(answer) == "table" and answer.err then
            raw_error(answer.err, 0)
        end
        return answer
    end,
    sha1hex = function(...)
        if raw_select("#", ...) ~= 1 then raw_error("wrong number of arguments", 0) end
        return host.sha1hex((...))
    end,
    error_reply = function(text)
        if raw_type(text) ~= "string" then return { err = "wrong number or type of arguments" } end
        return { err = text }
    end,
    status_reply = function(text)
        if raw_type(text) ~= "string" then return { err = "wrong number or type of arguments" } end
        return { ok = text }
    end,
    log = function() end,
    -- A script is in the log because this was not called, or came too late.
    replicate_commands = function() return false end,
    breakpoint = function() return false end,
    debug = function() end,
    LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
    REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
}
math.random = host.random
math.randomseed = host.randomseed
bit = host.bit

-- Libraries that servers had and this has not.
local missing = { cjson = true, cmsgpack = true, struct = true, os = true }
setmetatable(_G, {
    __newindex = function(t, name, value)
        raw_error("Script attempted to create global variable '" .. tostring(name) .. "'", 2)
    end,
    __index = function(t, name)
        if missing[name] then
            host.unsupported("a script that uses " .. name)
            raw_error("stopped", 0)
        end
        raw_error("Script attempted to access unexisting global variable '" .. tostring(name) .. "'", 2)
    end,
})
