-- One script a line; `show` and `try` come from head.lua. `@3.2` begins a line for that
-- release and later ones.
return try(cjson.encode, {1, 2, 3, 'a', true, false, cjson.null, 1.5, {}, {{}}})
return try(cjson.encode, {a = 1, b = {c = 'x', d = {1, nil, 3}}, [10] = 'ten', [1.5] = 'f'})
return try(cjson.encode, {[1] = 1, [2] = 2, [4] = 4})
return try(cjson.encode, {[1] = 1, [25] = 2})
return try(cjson.encode, {[1] = 1, [10] = 2})
return try(cjson.encode, {[11] = 1})
return try(cjson.encode, {[0] = 1, [1] = 1})
return try(cjson.encode, {[-1] = 1})
return try(cjson.encode, {[true] = 1})
return try(cjson.encode, {[{}] = 1})
return try(cjson.encode, function() end)
return try(cjson.encode, {f = print})
return try(cjson.encode, 0/0)
return try(cjson.encode, {1/0})
return try(cjson.encode, {[1/0] = 1})
return try(cjson.encode)
return try(cjson.encode, 1, 2)
return try(cjson.encode, nil)
return try(cjson.encode, 'a"b\\c/d\b\f\n\r\t\0\1\31\127\128\255')
return cjson.encode(0.1) .. cjson.encode(1/3) .. cjson.encode(1e14) .. cjson.encode(123456789012345) .. cjson.encode(-0.0) .. cjson.encode(1e-7) .. cjson.encode(2^53) .. cjson.encode(5e-324) .. cjson.encode(1.7976931348623157e308)
local t = {} for i = 1, 200 do t['k' .. i] = i end return cjson.encode(t)
local t = {} for i = 1, 50 do t['k' .. i] = i t[i] = i end for i = 1, 50, 3 do t['k' .. i] = nil end return cjson.encode(t)
local t = {} for i = 1, 30 do t[i * 1.5] = i end return cjson.encode(t)
@3.0 local t = {} local c = t for i = 1, 999 do c[1] = {} c = c[1] end return #cjson.encode(t)
@3.0 local t = {} local c = t for i = 1, 1000 do c[1] = {} c = c[1] end return try(cjson.encode, t)
@3.0 local t = {} t.t = t return try(cjson.encode, t)
return try(cjson.decode, '{"a":[1,2.5,-3e2,"x\\u00e9\\ud83d\\ude00\\n\\/\\"\\\\"],"b":null,"c":true,"d":false,"e":{}}')
return try(cjson.decode, '[1,[2,[3,[4]]],{}]')
return try(cjson.decode, ' \t\r\n[ 1 , 2 ]\n')
return try(cjson.decode, '[1,2')
return try(cjson.decode, '[1,]')
return try(cjson.decode, '{"a":1,}')
return try(cjson.decode, '{a:1}')
return try(cjson.decode, '{"a" 1}')
return try(cjson.decode, '{"a":}')
return try(cjson.decode, '{"a":1 "b":2}')
return try(cjson.decode, '[1 2]')
return try(cjson.decode, '')
return try(cjson.decode, 'nul')
return try(cjson.decode, 'x')
return try(cjson.decode, '"abc')
return try(cjson.decode, '"a\\x"')
return try(cjson.decode, '"\\u12"')
return try(cjson.decode, '"\\ud800"')
return try(cjson.decode, '"\\udc00"')
return try(cjson.decode, '"\\ud800\\u0041"')
return try(cjson.decode, '"\\u0000\\u007f\\u0080\\u07ff\\u0800\\uffff"')
return try(cjson.decode, '1 2')
return try(cjson.decode, '{"a":1}x')
return try(cjson.decode, '01')
return try(cjson.decode, '-')
return try(cjson.decode, '+1')
return try(cjson.decode, '1.')
return try(cjson.decode, '.5')
return try(cjson.decode, '-.5')
return try(cjson.decode, '1e')
return try(cjson.decode, '1e5')
return try(cjson.decode, '0x1F')
return try(cjson.decode, '[Infinity,-Infinity,inf]')
return try(cjson.decode, '1e400')
return try(cjson.decode, '12345678901234567890')
return try(cjson.decode, '0.1000000000000000055511151231257827')
return try(cjson.decode, '"a\0b"')
return try(cjson.decode, '1\0junk')
return try(cjson.decode, '\0\0')
return try(cjson.decode, 5)
return try(cjson.decode, nil)
return try(cjson.decode, {})
@3.0 return try(cjson.decode)
@3.0 return try(cjson.decode, '[]', 1)
return try(cjson.decode, '{"a":1,"a":2}')
return try(cjson.decode, '"\255\254"')
return show(cjson.decode('[null]')[1]) .. tostring(cjson.decode('[null]')[1] == cjson.null) .. type(cjson.null)
@3.0 return try(cjson.decode, string.rep('[', 1000) .. string.rep(']', 1000)) == nil
@3.0 return try(cjson.decode, string.rep('[', 1001) .. string.rep(']', 1001))
local ok, e = pcall(function() return cjson.decode('[1') end) return e
local ok, e = pcall(function() local x = cjson.decode('[1') return x end) return e
local ok, e = pcall(function() cjson.encode({function() end}) end) return e
return cjson.encode(cjson.decode('{"name":"x","tags":["a","b"],"n":1.50,"big":12345678901234567890,"o":{},"l":[]}'))
@3.0 local a = try(cjson.encode_sparse_array, true, 3, 20) local b = cjson.encode({[1] = 1, [100] = 2}) cjson.encode_sparse_array(false, 2, 10) return {a, b, try(cjson.encode_sparse_array), try(cjson.encode_sparse_array, 'on'), try(cjson.encode_sparse_array, 'maybe'), try(cjson.encode_sparse_array, nil, -1), try(cjson.encode_sparse_array, false, 2, 10), try(cjson.encode_sparse_array, 1, 2, 3, 4)}
@3.0 local a = try(cjson.encode_max_depth, 3) local b = try(cjson.encode, {{{1}}}) local c = try(cjson.encode, {{{{1}}}}) cjson.encode_max_depth(1000) return {a, b, c, try(cjson.encode_max_depth, 0), try(cjson.encode_max_depth, 1, 2), try(cjson.encode_max_depth, 'x'), try(cjson.encode_max_depth)}
@3.0 local a = try(cjson.decode_max_depth, 2) local b = try(cjson.decode, '[[1]]') local c = try(cjson.decode, '[[[1]]]') local d = try(cjson.decode, '{"a":{"b":{}}}') cjson.decode_max_depth(1000) return {a, b, c, d, try(cjson.decode_max_depth)}
@3.0 local a = try(cjson.encode_number_precision, 3) local b = cjson.encode({1/3, 12345, 100}) cjson.encode_number_precision(14) return {a, b, try(cjson.encode_number_precision, 15), try(cjson.encode_number_precision, 0), try(cjson.encode_number_precision)}
@3.0 local a = try(cjson.encode_keep_buffer, false) local b = cjson.encode({1}) return {a, b, try(cjson.encode_keep_buffer, 'on'), try(cjson.encode_keep_buffer)}
@3.0 local a = try(cjson.encode_invalid_numbers, 'null') local b = cjson.encode({0/0, 1/0, -1/0}) local c = try(cjson.encode_invalid_numbers, true) local d = cjson.encode({0/0, 1/0, -1/0}) cjson.encode_invalid_numbers(false) return {a, b, c, d, try(cjson.encode_invalid_numbers), try(cjson.encode_invalid_numbers, 'x')}
@3.0 local a = try(cjson.decode_invalid_numbers, false) local b = {try(cjson.decode, '0x10'), try(cjson.decode, 'inf'), try(cjson.decode, '01'), try(cjson.decode, '+1'), try(cjson.decode, '-inf'), try(cjson.decode, 'nan'), try(cjson.decode, '-0'), try(cjson.decode, '1.5e3')} cjson.decode_invalid_numbers(true) b[#b + 1] = try(cjson.decode_invalid_numbers) return b
@3.0 local c = cjson.new() c.encode_number_precision(2) return {c.encode(1/3), cjson.encode(1/3), c._NAME, c._VERSION, tostring(c.null == cjson.null)}
@3.0 return show(cmsgpack.pack(1))
@3.0 return show(cmsgpack.pack({1, 2, 3, -1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649, -2^53, -2^63}))
@3.0 return show(cmsgpack.pack({0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, 2^53, 2^62, 2^63, 2^64, 1e300}))
@3.0 return show(cmsgpack.pack({0.5, 0.1, -0.25, 1/3, 3.4028234663852886e38, 1e-45, 1e-46}))
@3.0 return show(cmsgpack.pack({1/0, -1/0}))
@3.0 return show(cmsgpack.pack({a = 1, b = {c = 2}, [5] = 6, [1.5] = 7}))
@3.0 return show(cmsgpack.pack({[1] = 1, [2] = 2, [4] = 4})) .. show(cmsgpack.pack({[2] = 1})) .. show(cmsgpack.pack({[0] = 1, 1})) .. show(cmsgpack.pack({}))
@3.0 return show(cmsgpack.pack({true, false, 'x', string.rep('y', 31)}))
@3.2 return show(cmsgpack.pack({string.rep('y', 32), string.rep('y', 255)}))
@3.0 return show(string.sub(cmsgpack.pack(string.rep('y', 256)), 1, 8)) .. show(string.sub(cmsgpack.pack(string.rep('y', 65535)), 1, 8)) .. show(string.sub(cmsgpack.pack(string.rep('y', 65536)), 1, 8))
@3.0 return show(cmsgpack.pack({print, coroutine.create(function() end), cjson.null}))
@3.0 local t = {} for i = 1, 15 do t[i] = i end local a = cmsgpack.pack(t) t[16] = 16 return show(a) .. show(cmsgpack.pack(t))
@3.0 local t = {} for i = 1, 70000 do t[i] = 0 end return show(string.sub(cmsgpack.pack(t), 1, 8))
@3.0 local t = {} for i = 1, 16 do t['k' .. i] = i end return show(cmsgpack.pack(t))
@3.0 local t = {} local c = t for i = 1, 20 do c[1] = {} c = c[1] end return show(cmsgpack.pack(t))
@3.0 local t = {} t[1] = t return show(cmsgpack.pack(t))
@3.0 return try(cmsgpack.unpack, cmsgpack.pack({1, 2, {a = 'b'}, 1.5, 'x', true}))
@3.0 return try(cmsgpack.unpack, '\204\200') .. try(cmsgpack.unpack, '\205\200\201') .. try(cmsgpack.unpack, '\206\200\201\202\203') .. try(cmsgpack.unpack, '\207\200\201\202\203\204\205\206\207')
@3.0 return try(cmsgpack.unpack, '\208\200') .. try(cmsgpack.unpack, '\209\200\201') .. try(cmsgpack.unpack, '\210\200\201\202\203') .. try(cmsgpack.unpack, '\211\200\201\202\203\204\205\206\207')
@3.0 return try(cmsgpack.unpack, '\202\63\192\0\0') .. try(cmsgpack.unpack, '\203\63\192\0\0\0\0\0\0') .. try(cmsgpack.unpack, '\192') .. try(cmsgpack.unpack, '\195') .. try(cmsgpack.unpack, '\194') .. try(cmsgpack.unpack, '\224')
@3.0 return try(cmsgpack.unpack, '\218\0\2ab') .. try(cmsgpack.unpack, '\219\0\0\0\2ab') .. try(cmsgpack.unpack, '\220\0\2\1\2') .. try(cmsgpack.unpack, '\221\0\0\0\2\1\2') .. try(cmsgpack.unpack, '\222\0\1\161a\1') .. try(cmsgpack.unpack, '\223\0\0\0\1\161a\1')
@3.0 return try(cmsgpack.unpack, '\147\1\2')
@3.0 return try(cmsgpack.unpack, '\193')
@3.0 return try(cmsgpack.unpack, '\217\5abc')
@3.0 return try(cmsgpack.unpack, '\146\192\1')
@3.0 return try(cmsgpack.unpack, '\129\192\1')
@3.0 return try(cmsgpack.pack, 1, 'a', {2}, nil, true)
@3.0 return try(cmsgpack.pack)
@3.0 return try(cmsgpack.unpack, cmsgpack.pack(1, 'a', {2}, nil, true))
@3.0 return try(cmsgpack.unpack, '')
@3.0 return try(cmsgpack.unpack) .. try(cmsgpack.unpack, 5) .. try(cmsgpack.unpack, {})
@3.0 return try(cmsgpack.unpack_one, cmsgpack.pack(1, 2, 3)) .. try(cmsgpack.unpack_one, cmsgpack.pack(1, 2, 3), 1) .. try(cmsgpack.unpack_one, cmsgpack.pack(1, 2, 3), 2) .. try(cmsgpack.unpack_one, cmsgpack.pack(1, 2, 3), 3) .. try(cmsgpack.unpack_one, cmsgpack.pack(1, 2, 3), 4) .. try(cmsgpack.unpack_one, 'a', -1)
@3.0 return try(cmsgpack.unpack_limit, cmsgpack.pack(1, 2, 3), 2) .. try(cmsgpack.unpack_limit, cmsgpack.pack(1, 2, 3), 2, 1) .. try(cmsgpack.unpack_limit, cmsgpack.pack(1, 2, 3), 0) .. try(cmsgpack.unpack_limit, cmsgpack.pack(1, 2, 3), 0, 1) .. try(cmsgpack.unpack_limit, cmsgpack.pack(1), -1) .. try(cmsgpack.unpack_limit, 'a')
@3.0 return cmsgpack._NAME .. cmsgpack._VERSION .. cmsgpack._COPYRIGHT .. cmsgpack._DESCRIPTION
return show(struct.pack('bBhHlLTiI', 1, 2, 3, 4, 5, 6, 7, 8, 9)) .. show(struct.pack('>bBhHlLTiI', 1, 2, 3, 4, 5, 6, 7, 8, 9))
return show(struct.pack('bhil', -1, -2, -3, -4)) .. show(struct.pack('>bhil', -1, -2, -3, -4)) .. show(struct.pack('BHIL', -1, -2, -3, -4))
return show(struct.pack('i1i2i3i8i16', 1, 2, 3, 4, 5)) .. show(struct.pack('>i3I16', -3, -5)) .. show(struct.pack('<i16', -5))
return show(struct.pack('fd', 1.5, 0.1)) .. show(struct.pack('>fd', 1.5, 0.1)) .. show(struct.pack('<f', 1e300))
return show(struct.pack('sc3c0', 'abc', 'defg', 'hij')) .. show(struct.pack('xxb', 5)) .. show(struct.pack('c', 'ab'))
return show(struct.pack('!bi', 1, 2)) .. show(struct.pack('!4bd', 1, 2)) .. show(struct.pack('!8bd!1bd', 1, 2, 3, 4)) .. show(struct.pack('!bhbi', 1, 2, 3, 4)) .. show(struct.pack('! b > h < i', 1, 2, 3))
return show(struct.pack('b', 300)) .. show(struct.pack('I', 2^40)) .. show(struct.pack('L', 2^63)) .. show(struct.pack('L', 1.9)) .. show(struct.pack('l', -1.9))
return try(struct.pack, 'y', 1) .. try(struct.pack, '!3b', 1) .. try(struct.pack, 'i33', 1) .. try(struct.pack, 'b') .. try(struct.pack, 'b', 'x') .. try(struct.pack, 'c5', 'ab') .. try(struct.pack, 's', {}) .. try(struct.pack) .. try(struct.pack, 5)
return try(struct.unpack, 'bBhH', '\255\255\255\255\255\255') .. try(struct.unpack, '>hi', '\1\2\1\2\3\4') .. try(struct.unpack, '<hi', '\1\2\1\2\3\4') .. try(struct.unpack, 'lL', '\255\255\255\255\255\255\255\255\255\255\255\255\255\255\255\255')
return try(struct.unpack, 'i3I3', '\255\255\255\255\255\255') .. try(struct.unpack, 'fd', struct.pack('fd', 1.5, 0.1)) .. try(struct.unpack, '>fd', struct.pack('>fd', 1.5, 0.1))
return try(struct.unpack, 'sc2bc0', 'abc\0de\3fghij') .. try(struct.unpack, 's', 'abc') .. try(struct.unpack, 'c0', 'abc') .. try(struct.unpack, 'bc0', '\5ab') .. try(struct.unpack, 'xb', '\1\2') .. try(struct.unpack, '!bi', '\1\0\0\0\2\0\0\0')
return try(struct.unpack, 'b', 'abc', 2) .. try(struct.unpack, 'b', 'abc', 4) .. try(struct.unpack, 'b', '') .. try(struct.unpack, '', 'abc') .. try(struct.unpack, 'b', 'abc', 3) .. try(struct.unpack, 'h', 'abc', 3)
@5.0.9 return try(struct.unpack, 'b', 'abc', 0) .. try(struct.unpack, 'b', 'abc', -1)
return try(struct.unpack, 'cc', 'ab') .. try(struct.unpack) .. try(struct.unpack, 'b') .. try(struct.unpack, 'y', 'a') .. try(struct.unpack, 'i16', string.rep('\255', 16)) .. try(struct.unpack, 'I16', string.rep('\1', 16))
return try(struct.size, 'bhil') .. try(struct.size, '!bhil') .. try(struct.size, 'c10x') .. try(struct.size, 's') .. try(struct.size, 'c0') .. try(struct.size, '>!4bd') .. try(struct.size, '') .. try(struct.size, '%') .. try(struct.size, 'i7fd')
@3.0 return try(bit.band, 0xff, 0x0f, 0xfc) .. try(bit.bor, 1, 2, 4) .. try(bit.bxor, 5, 3) .. try(bit.bnot, 0) .. try(bit.tobit, 2^31) .. try(bit.tobit, 2^40 + 5) .. try(bit.tobit, 1.5) .. try(bit.tobit, 2.5) .. try(bit.tobit, -1.5)
@3.0 return try(bit.lshift, 1, 31) .. try(bit.lshift, 1, 33) .. try(bit.rshift, -1, 4) .. try(bit.arshift, -16, 2) .. try(bit.rol, 0x12345678, 12) .. try(bit.ror, 0x12345678, 12) .. try(bit.bswap, 0x12345678)
@3.0 return try(bit.tohex, 255) .. try(bit.tohex, 255, 4) .. try(bit.tohex, 255, -4) .. try(bit.tohex, 255, 0) .. try(bit.tohex, 255, 20) .. try(bit.band) .. try(bit.band, 'x') .. try(bit.band, '5', 4) .. try(bit.lshift, 1)
return math.random() .. ' ' .. math.random(10) .. ' ' .. math.random(5, 9) .. ' ' .. math.random(-5, 5) .. ' ' .. math.random(2147483647)
math.randomseed(12345) return math.random() .. ' ' .. math.random(1000000)
math.randomseed(-1) return show(math.random()) .. show(math.random(2^31 - 1))
math.randomseed(2^40 + 7) return show(math.random())
local o = {} for i = 1, 100 do o[i] = math.random(1, 1000) end return o
return try(math.random, 0) .. try(math.random, 5, 1) .. try(math.random, 'x') .. try(math.random, 1, 2, 3) .. try(math.randomseed) .. try(math.random, 1.9) .. try(math.random, '7')
return try(redis.sha1hex, '') .. try(redis.sha1hex, 'abc') .. try(redis.sha1hex, 5) .. try(redis.sha1hex, 0.1) .. try(redis.sha1hex, nil) .. try(redis.sha1hex) .. try(redis.sha1hex, 1, 2)
return try(redis.error_reply, 'x') .. try(redis.status_reply, 'y') .. try(redis.error_reply) .. try(redis.status_reply, 5) .. try(redis.error_reply, 'a', 'b')
return try(redis.log, 1, 'x') .. try(redis.log, 1) .. try(redis.log, 'x', 'y') .. try(redis.log, 9, 'y') .. try(redis.log, redis.LOG_WARNING, 'w', 5)
return redis.LOG_DEBUG .. redis.LOG_VERBOSE .. redis.LOG_NOTICE .. redis.LOG_WARNING
@3.2 return redis.REPL_NONE .. redis.REPL_AOF .. redis.REPL_SLAVE .. redis.REPL_ALL .. try(redis.breakpoint) .. try(redis.debug, 1, 2) .. try(redis.set_repl, 1)
@3.2 return try(redis.replicate_commands) .. try(redis.set_repl, 1) .. try(redis.set_repl) .. try(redis.set_repl, 7) .. try(redis.set_repl, redis.REPL_ALL)
@3.2 redis.call('set', 'x', 1) return try(redis.replicate_commands) .. try(redis.set_repl, 1)
@6.0 return try(redis.setresp, 2) .. try(redis.setresp, 4) .. try(redis.setresp) .. try(redis.setresp, 'x')
return try(function() return no_such end)
return try(function() local a = no_such end)
return try(loadstring, 'return 5')
return try(loadstring('return 5'))
return try(loadstring, 'return +')
return try(load, function() return nil end)
return try(unpack, {1, 2, 3}) .. try(unpack, {1, 2, 3}, 2) .. try(unpack, {}, 1, 3)
return try(function() return #{unpack({}, 1, 7900)} end)
return (try(unpack, {}, 1, 8000))
return (try(string.byte, string.rep('x', 8000), 1, -1))
return #{string.byte(string.rep('x', 7900), 1, -1)}
return try(string.format, '%d %5.2f %s %q %x %c %g %e %i %u %o %X %%', 3.99, 2.5, 'x', 'a"\n\0b', 255, 65, 1e20, 12345.678, -3, 7, 8, 255)
return try(string.format, '%d', 'x') .. try(string.format, '%y', 1) .. try(string.format, '%s')
return tostring(1e15) .. ' ' .. tostring(1e14) .. ' ' .. tostring(0.1) .. ' ' .. tostring(-0.0) .. ' ' .. tostring(1/0) .. ' ' .. tostring(123456789012345678) .. ' ' .. 2^53 .. ' ' .. 1e100
return tostring(tonumber('0x10')) .. tostring(tonumber(' 5 ')) .. tostring(tonumber('5x')) .. tostring(tonumber('ff', 16)) .. tostring(tonumber('1e2')) .. tostring(tonumber('')) .. tostring(tonumber('10', 2))
local t = {5, 2, 8, 1} table.sort(t) return t
local t = {5, 2, 8, 1} table.sort(t, function(a, b) return a > b end) return t
return try(table.sort, {1, 'a', 2})
local t = {'b', 'a', 'B', 'A', '\195\164', 'ab', ''} table.sort(t) return t
return {table.getn({1, 2}), table.maxn({[5] = 1}), #table.concat({1, 2.5, 'x'}, '-'), string.gfind and 1 or 0}
return try(error) .. try(error, {1}) .. try(error, 'x', 0) .. try(error, 'x', 1)
return try(xpcall, function() error('a') end, function(e) return 'handled ' .. e end)
return try(xpcall, function() cjson.decode('x') end, function(e) return 'handled ' .. e end)
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) error('end ' .. b) end) local r = {} for i = 1, 4 do r[i] = try(coroutine.resume, co, i) end return r
local co = coroutine.create(function() cjson.decode('x') end) return try(coroutine.resume, co)
local f = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return {f(), f(), f()}
local f = coroutine.wrap(function() error('x') end) return try(f)
local n = 0 local function f() n = n + 1 pcall(f) end f() return n
local n = 0 local function f() n = n + 1 coroutine.wrap(f)() end pcall(f) return n
local function f() f() end return (string.gsub(try(f), ' at .*', ''))
local n = 0 local function f() n = n + 1 string.gsub('x', 'x', f) end return try(f) .. n
return try(setmetatable, {}, {__index = function(t, k) return k end}) .. setmetatable({}, {__index = function(t, k) return k end}).abc
return try(getmetatable, 'x') == try(getmetatable, 'y')
return {type(_G), _VERSION, type(getfenv), type(setfenv), type(newproxy), type(print), type(collectgarbage), type(gcinfo), type(loadstring), type(load)}
return try(next, {}) .. try(rawget, {a = 1}, 'a') .. try(rawequal, 1, 1) .. try(select, '#', 1, nil) .. try(select, -1, 1, 2) .. try(select, 0)
return try(string.rep, 'ab', 3) .. try(string.find, 'a.b', '.', 1, true) .. try(string.find, 'hello', 'l+') .. try(string.match, 'key=val', '(%w+)=(%w+)') .. try(string.gsub, 'hello', 'l', {l = 'L'}) .. try(string.find, 'a', '()')
return try(string.gsub, 'abc', '%w', '%0%0') .. try(string.gsub, 'abc', '', '-') .. try(string.gsub, 'abc', 'b', function() return false end) .. try(string.match, 'x', '%b()') .. try(string.match, '(a(b))', '%b()') .. try(string.find, 'THE (quick) fox', '%((%a+)%)')
local o = {} for k, v in string.gmatch('a=1, b=2', '(%w+)=(%w+)') do o[#o + 1] = k .. v end return o
return {1, 2, nil, 4}
return {1, 2.9, -2.9, 'x', true, false, {1}, {}, {ok = 'fine'}, {err = 'BAD thing'}}
return {ok = 'a\r\nb'}
return {err = 'MY error'}
return {err = 'x', ok = 'y'}
return {[1] = 1, [2] = 2, x = 3}
return true
return false
return nil
return print
return 3.999
return -3.999
return 1e100
return 0/0
return 'text\0with\255bytes'
return
local a = 1
return {{{{}}}}
@6.0 return {double = 3.25}
@6.0 return {map = {a = 1}}
@6.0 return {set = {a = true}}
error('plain')
error({err = 'table'})
error({1})
error()
local x = nil + 1
local x = {} x.y.z = 1
redis.call('no_such_command')
redis.call()
redis.call('get')
redis.call('set', 'k', {})
redis.call('lpush', 'k' .. redis.call('set', 'str', 'v').ok:sub(1, 0) .. '', 1) redis.call('lpush', 'str', 1)
return try(redis.call)
return try(redis.call, {})
return try(redis.call, 'get')
return try(redis.call, 'get', true)
return try(redis.call, 'nope')
return try(redis.call, 'multi')
return try(redis.call, 'blpop', 'x', 0)
return try(redis.call, 'eval', 'return 1', 0)
return try(redis.pcall)
return try(redis.pcall, {})
return try(redis.pcall, 'get')
return try(redis.pcall, 'nope')
return try(redis.pcall, 'subscribe', 'x')
return show(redis.pcall('nope'))
local x = redis.pcall('get') return show(x)
redis.call('set', 'str', 'v') return try(redis.call, 'lpush', 'str', 1) .. show(redis.pcall('lpush', 'str', 1)) .. try(redis.call, 'incr', 'str')
local ok, e = pcall(function() return redis.call('lpush', 'str', 1) end) return e
local ok, e = pcall(function() redis.call('nope') end) return e
return show(redis.call('set', 'n', 3.0)) .. redis.call('get', 'n')
local o = {} for i, v in ipairs({0.1, 1/3, 1e15, 1e17, 1e100, -0.0, 2^53, 123456789.123, 1e-5, 5e-324}) do redis.call('set', 'n', v) o[i] = redis.call('get', 'n') end return o
redis.call('set', 'n', 1/0) return redis.call('get', 'n') .. redis.call('set', 'n', -1/0).ok .. redis.call('get', 'n')
redis.call('set', 'n', 0/0) return redis.call('get', 'n')
redis.call('set', 'n', -(0/0)) return redis.call('get', 'n')
return {redis.call('set', 'bin', 'a\0b\255'), redis.call('get', 'bin')}
redis.call('select', 5) redis.call('set', 'five', 1) return redis.call('dbsize')
return redis.call('exists', 'five')
