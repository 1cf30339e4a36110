-- The world of a script, as Redis 2.6 to 6.2 made it. `host` is what machine.rs gives.
local host = ...
local raw_pcall, raw_xpcall, raw_error, raw_type = pcall, xpcall, error, type
local raw_loadstring, raw_resume = loadstring, coroutine.resume
local concat, byte, tostring, rawget, rawset = table.concat, string.byte, tostring, rawget, rawset
local check, caught, what = host.check, host.caught, host.what

-- Errors of functions that are not Lua's own become text; what stops a script for good
-- passes through every pcall.
local function finished(ok, ...)
    if ok then
        check()
        return true, ...
    end
    return false, caught((...))
end
function pcall(...) return finished(raw_pcall(...)) end
function xpcall(f, handler)
    if handler == nil then raw_error("bad argument #2 to 'xpcall' (value expected)", 2) end
    return finished(raw_xpcall(f, function(err) return handler(caught(err)) end))
end
function coroutine.resume(...) return finished(raw_resume(...)) end

-- Text only: bytecode can do anything.
function loadstring(text, name)
    if raw_type(text) == "string" and byte(text) == 27 then
        host.unsupported("a script that loads bytecode")
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
    return loadstring(concat(parts), name or "=(load)")
end
-- Lua's matcher recurses over the pattern on the C stack, without a bound of its own.
local function guard(pattern)
    if raw_type(pattern) == "string" and #pattern > host.max_pattern then
        host.pattern_too_long()
    end
end
local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub
function string.find(text, pattern, ...)
    guard(pattern)
    return find(text, pattern, ...)
end
function string.match(text, pattern, ...)
    guard(pattern)
    return match(text, pattern, ...)
end
function string.gmatch(text, pattern)
    guard(pattern)
    return gmatch(text, pattern)
end
function string.gsub(text, pattern, ...)
    guard(pattern)
    return gsub(text, pattern, ...)
end
string.gfind = string.gmatch

-- What depends on the machine, or leads out of this world.
local raw_collect = collectgarbage
function collectgarbage(option, ...)
    if option == nil or option == "collect" or option == "step" then
        return raw_collect(option, ...)
    end
    host.unsupported("a script that calls collectgarbage")
end
local function never(name)
    return function() host.unsupported("a script that calls " .. name) end
end
gcinfo, newproxy, string.dump = never("gcinfo"), never("newproxy"), never("string.dump")
function print() end
dofile = host.has_dofile and never("dofile") or nil
loadfile = nil
if not host.has_bit then bit = nil end
if not host.has_cmsgpack then cmsgpack = nil end

-- A global can be made where a chunk is loaded, and read from C, but not by a script.
local unknown = host.says_nonexistent and "nonexistent" or "unexisting"
setmetatable(_G, {
    __newindex = function(t, name, value)
        local who = what(2)
        if who and who ~= "main" and who ~= "C" then
            raw_error("Script attempted to create global variable '" .. tostring(name) .. "'", 2)
        end
        rawset(t, name, value)
    end,
    __index = function(t, name)
        if host.has_debug and name == "debug" or name == "cmsgpack" then
            host.unsupported("a script that uses " .. name)
        end
        local who = what(2)
        if who and who ~= "C" then
            raw_error("Script attempted to access " .. unknown .. " global variable '" .. tostring(name) .. "'", 2)
        end
        return rawget(t, name)
    end,
})
