-- `!` begins a command whose answer a script shows.
!set s hello
!get s
!get none
!set s x nx
!set n 5 nx
!set n 6 xx
!set none 6 xx
!set s hello ex 1000
!persist s
!set s hello ex 0
!set s hello ex x
@3.2 !set s hello nx xx
@6.0 !set s hello keepttl
@6.2 !set s world get
@6.2 !set none2 world get
@6.2 !getdel none2
@6.2 !getex s
!getset s hello
!getset new1 v
!setnx s y
!setnx new2 y
!setex s2 100000 v
!psetex s2 100000000 v
!append s !!
!append new3 abc
!strlen s
!strlen none
!incr n
!decr n
!incrby n 10
!decrby n 3
!incrby n x
!incr s
!incrbyfloat n 1.5
!incrbyfloat n -0.5
!incrbyfloat n 5e-1
!incrbyfloat s 1
!incrbyfloat n nan
!mset a 1 b 2 c 3
!mset a 1 b
!msetnx a 1 z 2
!msetnx y1 1 y2 2
!mget a b none s2
!mget l a
!setrange s 6 xyz
!setrange none 0 
!setrange s -1 x
!getrange s 0 -1
!getrange s 2 4
!getrange s -3 -1
!getrange s 5 2
!getrange s -1 -5
!getrange none 0 -1
!getrange s 0 100
!getrange s x 1
!substr s 1 3
!setbit bits 7 1
!setbit bits 7 0
!setbit bits 100 1
!setbit bits x 1
!setbit bits 1 2
!getbit bits 100
!getbit bits 101
!getbit bits 100000
!getbit none 0
!getbit bits -1
!set bf foobar
!bitcount bf
!bitcount bf 0 0
!bitcount bf 1 1
!bitcount bf -2 -1
!bitcount bf 5 2
!bitcount bf 0
!bitcount none
!bitcount bf 0 x
!bitpos bf 1
!bitpos bf 0
!bitpos bf 1 2
!bitpos bf 0 2 3
!bitpos bf 1 10
!bitpos bf 2
!bitpos bf x
!bitpos none 0
!bitpos none 1
return {redis.call('set', 'ones', '\255\255\255'), redis.call('bitpos', 'ones', 0), redis.call('bitpos', 'ones', 0, 0, -1), redis.call('bitpos', 'ones', 0, 1), redis.call('bitpos', 'ones', 1, -1), redis.call('bitpos', 'ones', 0, 3), redis.call('bitpos', 'ones', 0, -2)}
return {redis.call('set', 'zeros', '\0\0\1'), redis.call('bitpos', 'zeros', 1), redis.call('bitpos', 'zeros', 1, 0, 1), redis.call('bitpos', 'zeros', 0), redis.call('bitpos', 'zeros', 1, 5)}
!bitop and dst bf ones
!bitop not dst bf
!bitop or dst none none
!bitop foo dst bf
@3.2 !bitfield bits get u4 0 set i8 8 -5 incrby u2 100 1 get i8 8
@3.2 !bitfield bits overflow fail incrby u2 102 100 overflow sat incrby u2 102 100 get u2 102
@3.2 !bitfield bits get u64 0
@3.2 !bitfield bits
@6.0 !bitfield_ro bits get u8 0 get i4 8
@6.0 !bitfield_ro bits set u8 0 1
!type s
!type none
!exists s
!exists none
@3.2 !exists s a none a
@3.2 !touch s a none a
!keys *
!keys n*
!keys [ab]
!dbsize
!echo hello
!ping
!rename a a2
!rename none x
!renamenx a2 b
!renamenx a2 a
!del a2 none
!del b
@4.0 !unlink c none
!expire s 100000
!expire none 100
!pexpire s 100000000
!expireat s 4102444800
!pexpireat s 4102444800000
!expire s x
@-5.0 !persist s
@-5.0 !ttl s
@-5.0 !pttl s
@-5.0 !ttl none
!persist s
!persist none
!move s 5
!move none 5
!move n 0
@6.2 !copy n ncopy
@6.2 !copy n ncopy
@6.2 !copy n ncopy replace
@6.2 !copy none ncopy
!publish ch msg
!select 0
!select 99
!select x
!rpush l a b c d e b
!lpush l z y
!lpushx l x
!rpushx none x
!llen l
!llen none
!llen n
!lindex l 0
!lindex l -1
!lindex l 100
!lindex none 0
!lindex none x
!lrange l 0 -1
!lrange l 2 3
!lrange l -2 -1
!lrange l 5 1
!lrange none 0 -1
!lrange l x 1
!linsert l before c C
!linsert l after c C2
!linsert l before none C
!linsert none before a C
!linsert l middle a C
!lset l 0 first
!lset l 100 x
!lset none 0 x
!lrem l 1 b
!lrem l -1 b
!lrem l 0 nothing
!lrem none 0 x
!rpush dup a b a b a b a
@6.0.6 !lpos dup a
@6.0.6 !lpos dup a rank 2
@6.0.6 !lpos dup a rank -1
@6.0.6 !lpos dup a rank -2 count 2
@6.0.6 !lpos dup a count 0
@6.0.6 !lpos dup a count 2 maxlen 3
@6.0.6 !lpos dup x
@6.0.6 !lpos dup x count 1
@6.0.6 !lpos none x count 1
@6.0.6 !lpos dup a rank 0
@6.0.6 !lpos dup a count -1
@6.0.6 !lpos dup a foo 1
@6.0.6 !lpos dup a maxlen 0 rank 3
!ltrim dup 1 4
!ltrim none 0 1
!lpop l
!rpop l
!lpop none
@6.2 !lpop l 2
@6.2 !rpop l 0
@6.2 !lpop none 2
@6.2 !lpop l -1
!rpoplpush l l2
!rpoplpush none l2
@6.2 !lmove l l2 left right
@6.2 !lmove l l2 up right
!lpop n
!sadd set a b c d a
!sadd set a
!sadd n a
!srem set a none
!srem none a
!scard set
!scard none
!sismember set b
!sismember set none
!sismember none none
@6.2 !smismember set b none c
@6.2 !smismember none b
!smembers set
!smembers none
!smembers n
!sadd ints 10 9 100 -5
!smembers ints
!sadd set2 b c x y
!sinter set set2
!sinter set none
!sinter set
!sunion set set2 ints none
!sdiff set set2
!sdiff none set
!sdiff set none
!sinterstore d set set2
!sunionstore d set set2
!sdiffstore d set set2
!sinterstore d set none
!smove set set2 d
!smove set set2 none
!smove none set2 d
!smove set set b
@3.2 !spop none
@3.2 !sadd single m
@3.2 !spop single
!hset h f1 v1
!hset h f1 v2
@4.0 !hset h f2 v2 f3 v3
!hmset h f4 v4 f5 5
!hmset h f4
!hsetnx h f1 x
!hsetnx h f6 x
!hget h f1
!hget h none
!hget none f1
!hget n f
!hmget h f1 none f5
!hmget none f1 f2
!hexists h f1
!hexists h none
!hlen h
!hlen none
@3.2 !hstrlen h f1
@3.2 !hstrlen h none
!hkeys h
!hvals h
!hkeys none
!hgetall none
!hgetall h
!hdel h f1 none
!hset h f1 again
!hset h f5 changed
!hgetall h
!hdel none f
!hincrby h cnt 5
!hincrby h cnt -10
!hincrby h f1 1
!hincrbyfloat h cnt 0.1
!hincrbyfloat h f1 1
!hincrby h cnt 1
!zadd z 1 a 2 b 3 c 2.5 d
!zadd z 1 a 5 e
!zadd z x a
!zadd z 1
!zadd n 1 a
@3.2 !zadd z nx 9 a 9 f
@3.2 !zadd z xx 8 a 9 none
@3.2 !zadd z ch 8 a 7 b 1 g
@3.2 !zadd z incr 1.5 a
@3.2 !zadd z nx incr 1.5 a
@3.2 !zadd z xx incr 1.5 none
@3.2 !zadd z nx xx 1 a
@3.2 !zadd z incr 1 a 2 b
@6.2 !zadd z gt 1 a
@6.2 !zadd z lt ch 1 a
@6.2 !zadd z gt lt 1 a
!zincrby z 0.1 a
!zincrby z 2 new
!zincrby z inf new
!zincrby z -inf new
!zrem z new none
!zrem none a
!zcard z
!zcard none
!zscore z a
!zscore z none
!zscore none a
@6.2 !zmscore z a none b
!zrank z b
!zrank z none
!zrank none b
!zrevrank z b
!zrevrank z none
!zcount z 1 3
!zcount z (1 (3
!zcount z -inf +inf
!zcount z x 3
!zcount none 1 2
!zrange z 0 -1
!zrange z 0 -1 withscores
!zrange z 1 2
!zrange z -2 -1 WITHSCORES
!zrange z 5 1
!zrange none 0 -1
!zrange z x 1
!zrange z 0 -1 foo
!zrevrange z 0 -1
!zrevrange z 0 1 withscores
!zrangebyscore z -inf +inf
!zrangebyscore z 2 8 withscores
!zrangebyscore z (2 8 limit 0 2
!zrangebyscore z (2 8 limit 1 -1 withscores
!zrangebyscore z 2 8 limit -1 2
!zrangebyscore z 2 8 limit 100 2
!zrangebyscore z x 8
!zrangebyscore none 2 8
!zrevrangebyscore z +inf -inf
!zrevrangebyscore z 8 2 withscores limit 1 2
!zrevrangebyscore z 2 8
!zadd lex 0 a 0 b 0 c 0 d 0 e
!zrangebylex lex - +
!zrangebylex lex [b (d
!zrangebylex lex (b + limit 1 2
!zrangebylex lex b d
!zrangebylex none - +
!zrevrangebylex lex + -
!zrevrangebylex lex [d (b
!zrevrangebylex lex + - limit 1 2
!zlexcount lex - +
!zlexcount lex [b [d
!zlexcount none - +
@6.2 !zrange z 0 -1 rev
@6.2 !zrange z 2 8 byscore
@6.2 !zrange z 8 2 byscore rev withscores
@6.2 !zrange z 8 2 byscore rev limit 1 2
@6.2 !zrange lex [b [d bylex
@6.2 !zrange lex [d [b bylex rev limit 0 1
@6.2 !zrange z 0 -1 limit 0 1
@6.2 !zrange lex - + bylex withscores
@6.2 !zrangestore zd z 0 1
!zremrangebyrank lex 0 0
!zremrangebylex lex [b [b
!zremrangebyscore lex 5 6
!zremrangebyscore lex 0 0
!zremrangebyrank none 0 0
!zadd z2 10 a 20 b 30 x
!zunionstore zd 2 z z2
!zunionstore zd 2 z z2 weights 2 3 aggregate max
!zunionstore zd 2 z none
!zinterstore zd 2 z z2
!zinterstore zd 2 z none
!zunionstore zd 0 z
!zunionstore zd 2 z
!zunionstore zd 1 z weights x
!zunionstore zd 2 set z
!zrange zd 0 -1 withscores
@6.2 !zunion 2 z z2
@6.2 !zunion 2 z z2 withscores
@6.2 !zunion 2 z z2 weights 2 3 aggregate min withscores
@6.2 !zinter 2 z z2 withscores
@6.2 !zinter 2 z none
@6.2 !zdiff 2 z z2 withscores
@6.2 !zdiff 2 z z2
@6.2 !zdiff 2 none z2
@6.2 !zdiffstore zd 2 z z2
@5.0 !zpopmin z
@5.0 !zpopmax z 2
@5.0 !zpopmin none
@5.0 !zpopmin z 0
!zadd inf inf a -inf b 1e20 c 0.1 d 1e-10 e
!zrange inf 0 -1 withscores
!zrangebyscore inf -inf (inf
!pfadd hll a b c
!pfadd hll a
!pfadd hll2
!pfadd hll2
!pfcount hll
!pfcount hll none
!pfadd hll2 x y z a
!pfcount hll hll2
!pfmerge hll3 hll hll2
!pfcount hll3
!pfcount none
!pfcount s2
@3.2 !geoadd geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
@3.2 !geoadd geo 13.361389 38.115556 Palermo 2.3522 48.8566 Paris
@3.2 !geoadd geo 200 0 x
@3.2 !geoadd geo 1 2
@3.2 !geodist geo Palermo Catania
@3.2 !geodist geo Palermo Catania km
@3.2 !geodist geo Palermo Paris mi
@3.2 !geodist geo Palermo Paris ft
@3.2 !geodist geo Palermo none
@3.2 !geodist geo Palermo Palermo
@3.2 !geodist geo Palermo Catania parsec
@3.2 !geodist none Palermo Catania
@3.2 !geohash geo Palermo none Catania Paris
@3.2 !geohash none Palermo
@3.2 !geopos geo Palermo none Catania Paris
@3.2 !geopos none Palermo
@3.2 !georadius geo 15 37 200 km
@3.2 !georadius geo 15 37 200 km withdist asc
@3.2 !georadius geo 15 37 200 km withdist withcoord withhash desc
@3.2 !georadius geo 15 37 2000 km withdist count 1
@3.2 !georadius geo 15 37 2000 km withdist count 2 desc
@3.2 !georadius geo 15 37 1 m
@3.2 !georadius none 15 37 200 km
@3.2 !georadius geo 15 37 200 parsec
@3.2 !georadius geo 15 37 -1 km
@3.2 !georadius geo 15 37 200 km count 0
@3.2 !georadius geo 15 37 200 km foo
@3.2 !georadius geo 15 37 200 km store geostored
@3.2 !georadius geo 15 37 200 km storedist geostored
@3.2 !georadius geo 15 37 200 km withdist store geostored
@3.2 !georadiusbymember geo Palermo 2000 km withdist asc
@3.2 !georadiusbymember geo none 2000 km
@3.2 !georadiusbymember none none 2000 km
@4.0 !georadius_ro geo 15 37 200 km withdist asc
@4.0 !georadiusbymember_ro geo Palermo 200 km asc
@4.0 !georadius_ro geo 15 37 200 km store x
@6.2 !geosearch geo frommember Palermo byradius 200 km asc withdist
@6.2 !geosearch geo fromlonlat 15 37 bybox 400 400 km asc withcoord withhash
@6.2 !geosearch geo fromlonlat 15 37 byradius 2000 km count 2 any
@6.2 !geosearch geo byradius 2000 km
@6.2 !geosearch geo fromlonlat 15 37
@6.2 !geosearch none fromlonlat 15 37 byradius 2000 km
@6.2 !geosearchstore geostored geo frommember Palermo byradius 200 km
!rpush nums 3 1 2 10
!sort nums
!sort nums desc
!sort nums alpha
!sort nums limit 1 2
!sort l
!sort none
!sort set alpha
!sort ints
!sort z2 by nosort
!sort z2 alpha desc
!mset w_1 30 w_2 20 w_3 10 w_10 5 o_1 one o_2 two
!sort nums by w_*
!sort nums by w_* get o_* get #
!sort nums by nosort
!sort nums by w_* store sorted
!lrange sorted 0 -1
!sort nums foo
!sort n
@5.0 !xadd st 1-1 a 1 b 2
@5.0 return {redis.call('xadd', 'st', '2-0', 'c', 3)}
@5.0 return {redis.pcall('xadd', 'st', '1-0', 'c', 3)}
@5.0 return {redis.pcall('xadd', 'st', '3-5', 'd', 4)}
@5.0 !xlen st
@5.0 !xlen none
@5.0 !xrange st - +
@5.0 !xrange st - + count 1
@5.0 !xrange st 2 3
@5.0 !xrange st 2-0 3-5 count 10
@5.0 !xrange st 5 1
@5.0 !xrange none - +
@5.0 !xrange st x +
@5.0 !xrange st - + foo
@5.0.9 !xrange st - + count 0
@6.2 !xrange st (1-1 +
@6.2 !xrange st - (3-5
@5.0 !xrevrange st + -
@5.0 !xrevrange st + - count 2
@6.0 !xread streams st 0
@6.0 !xread count 1 streams st 1-1
@6.0 !xread streams st none 2 0
@6.0 !xread streams st $
@6.0 !xread streams st
@6.0 !xread block 10 streams st 99
@5.0 !xdel st 2-0 9-9
@5.0 !xgroup create st g 0
@5.0 !xgroup create st g 0
@5.0 !xgroup create none g 0
@5.0 !xgroup create made g $ mkstream
@5.0 !xgroup setid st g 1-1
@5.0 !xgroup delconsumer st g c
@5.0 !xgroup destroy st g
@5.0 !xgroup destroy st g
@5.0 !xsetid st 9-9
@5.0 !xtrim st maxlen 1
@5.0 return {redis.call('hgetall', 'h') and 1, redis.pcall('set', 'after', 1).err}
@-5.0 return {redis.call('hgetall', 'h') and 1, redis.pcall('set', 'after', 1)}
!flushdb
!dbsize
