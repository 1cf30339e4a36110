//! What commands do, one line a case: commands, then the keys that they leave.

use super::txn::Transactions;
use super::*;
use crate::num::score_text;
use crate::store::Value;

/// `NOW` of the cases, in milliseconds.
const NOW_MS: i64 = 1_700_000_000_000;

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn shown_value(value: &Value<'_>, flavor: Flavor) -> String {
    let mut buffer = itoa::Buffer::new();
    match value {
        Value::String(text) => shown(text.as_bytes(&mut buffer)),
        Value::List(list) => {
            let items = list.iter().map(|item| shown(&item.text().to_vec()));
            format!("[{}]", items.collect::<Vec<_>>().join(" "))
        }
        Value::Set(set) => {
            let mut members: Vec<_> = set.iter().map(|member| shown(member)).collect();
            members.sort();
            format!("{{{}}}", members.join(" "))
        }
        Value::SortedSet(set) => {
            let members = set.sorted().into_iter();
            let members = members.map(|(m, s)| format!("{}:{}", shown(m), score_text(s, flavor)));
            format!("<{}>", members.collect::<Vec<_>>().join(" "))
        }
        other => other.type_name().to_owned(),
    }
}

/// Runs commands that `;` separates; says which keys there are, `db/key=value@deadline`,
/// and what was refused.
fn outcome(script: &str, flavor: Flavor) -> String {
    let mut replayer = Replayer::new(Options {
        now: Now::At(NOW_MS),
        flavor,
        ..Options::default()
    });
    let mut transactions = Transactions::new();
    let mut errors = Vec::new();
    for line in script.split(';') {
        let words = line.split_ascii_whitespace();
        let words = words.map(|word| if word == "''" { "" } else { word }.as_bytes());
        let args: Vec<&[u8]> = words.collect();
        transactions.feed(&mut replayer, &args, 0, &mut |rejected| {
            errors.push(match rejected.reject {
                Reject::Error(text) => text.split(' ').next().unwrap_or_default().to_owned(),
                other => other.to_string(),
            });
            true
        });
    }
    let mut keys: Vec<_> = replayer
        .store
        .iter()
        .map(|(db, key, entry)| {
            let db = if db == 0 {
                String::new()
            } else {
                format!("{db}/")
            };
            let at = entry.expire_at_ms().map(|at| format!("@{at}"));
            let value = shown_value(entry.value(), flavor);
            format!("{db}{}={value}{}", shown(key), at.unwrap_or_default())
        })
        .collect();
    keys.sort();
    keys.extend(errors.into_iter().map(|error| format!("!{error}")));
    keys.join(" ")
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (script, expected) in cases {
        assert_eq!(outcome(script, Flavor::redis(8, 6)), *expected, "{script}");
    }
}

#[test]
fn strings() {
    check(&[
        // As logged: an expiry is always PXAT, KEEPTTL and conditions stay.
        ("SET k v PXAT 5", "k=v@5"),
        ("SET k v PXAT 5; SET k w", "k=w"),
        ("SET k v PXAT 5; SET k w KEEPTTL", "k=w@5"),
        ("set k v EX 10", "k=v@1700000010000"),
        (
            "SETEX k 10 v; PSETEX l 10 w",
            "k=v@1700000010000 l=w@1700000000010",
        ),
        ("SET k v; SET k w NX; SET l w XX; SET l x NX", "k=v l=x"),
        (
            "SET k 3; SET k 5 IFEQ 3; SET k 6 IFEQ 4; SET k 7 IFNE 4",
            "k=7",
        ),
        ("SET k v EX 10 PX 5", "!ERR"),
        ("SET k v EX 0", "!ERR"),
        ("SET k v NX XX", "!ERR"),
        ("SET k v NX IFEQ v; SET k v IFEQ v IFNE v", "!ERR !ERR"),
        (
            "SET k 1; SET l 1; SET k 2 IFEQ 1 XX; SET l 2 IFEQ 1 NX; SET m 2 IFNE 1 NX; SET n 2 IFNE 1 XX",
            "k=2 l=1 m=2",
        ),
        (
            "SET k 1; SET k 2 IFEQ 5 IFEQ 1; SET k 3 IFNE 1 IFNE 2",
            "k=2",
        ),
        (
            "SET l v IFDEQ 0011; SET k hello; SET k w IFDEQ 0011; SET k w IFDNE 9555e8555c62dcfd",
            "k=hello !ERR",
        ),
        (
            "SET k hello; SET k 12 IFDEQ 9555E8555c62dcfd; SET k x IFDNE 0000000000000000; SET k y IFDEQ gggggggggggggggg",
            "k=x",
        ),
        (
            "SET k 12; SET l 5; DELEX k IFDEQ 7ecd2e572c949f74; DELEX l IFDEQ 7ecd2e572c949f74; DELEX m IFDNE 0; DELEX l IFDNE 7",
            "l=5 !ERR",
        ),
        (
            "RPUSH k a; SET k v IFDEQ 0; DELEX k IFDNE 0; SET m v IFDNE 0",
            "k=[a] m=v !WRONGTYPE !ERR",
        ),
        ("RPUSH k a; SET k v", "k=v"),
        (
            "RPUSH k a; SET k v GET; GETSET k v",
            "k=[a] !WRONGTYPE !WRONGTYPE",
        ),
        (
            "SET k v PXAT 5; GETSET k w; SETNX k x; SETNX l x",
            "k=w l=x",
        ),
        ("SET k v; GETDEL k; GETDEL l", ""),
        (
            "SET k v; GETEX k PXAT 7; SET l v PXAT 3; GETEX l PERSIST",
            "k=v@7 l=v",
        ),
        ("APPEND k ''; APPEND l ab; APPEND l cd", "k= l=abcd"),
        ("SET k 10 PXAT 9; INCR k; DECRBY k 20; INCRBY k 4", "k=-5@9"),
        (
            "SET k 05; INCR k; SET k 9223372036854775807; INCR k",
            "k=9223372036854775807 !ERR !ERR",
        ),
        ("DECRBY k -9223372036854775808", "!ERR"),
        (
            "SET k 0.1; INCRBYFLOAT k 0.2; SET l 5.0e3; INCRBYFLOAT l 200",
            "k=0.3 l=5200",
        ),
        ("SET k ''; INCRBYFLOAT k 1", "k= !ERR"),
        ("SETRANGE k 3 ab; SETRANGE l 5 ''", "k=\\x00\\x00\\x00ab"),
        (
            "SET a x PXAT 3; MSET a 1 b 2; MSETNX b 3 c 4; MSETNX c 4 d 5",
            "a=1 b=2 c=4 d=5",
        ),
        ("MSET a 1 b", "!wrong number of arguments"),
        (
            "MSETEX 2 a 1 b 2 PXAT 9 NX; MSETEX 1 a 7 XX KEEPTTL; MSETEX 2 a 0 c 0 NX",
            "a=7@9 b=2@9",
        ),
        (
            "SET a 1; DELEX a IFEQ 2; SET b 1; DELIFEQ b 1; SET c 1; DELEX c",
            "a=1",
        ),
        ("SET b", "!wrong number of arguments"),
        ("NOSUCH b", "!unknown command"),
        ("GET k; LRANGE k 0 1; PING", ""),
    ]);
}

#[test]
fn bits_and_hyperloglogs() {
    check(&[
        ("SETBIT k 7 1; SETBIT k 16 0", "k=\\x01\\x00\\x00"),
        (
            "SET a abc; SET b ab; BITOP AND d a b; BITOP XOR e a b",
            "a=abc b=ab d=ab\\x00 e=\\x00\\x00c",
        ),
        ("SET d x; BITOP OR d none", ""),
        (
            "SET a 7; SET b 1; SET c 2; BITOP DIFF d a b; BITOP DIFF1 e a c; BITOP ANDOR f a b c; BITOP ONE g b c",
            "a=7 b=1 c=2 d=\\x06 e=\\x00 f=3 g=\\x03",
        ),
        ("SET a x; BITOP NOT d a a", "a=x !ERR"),
        (
            "BITFIELD k SET u8 0 255 OVERFLOW SAT INCRBY u8 #0 9 OVERFLOW WRAP INCRBY u8 #1 257",
            "k=\\xff\\x01",
        ),
        (
            "BITFIELD k OVERFLOW FAIL INCRBY u8 100 300",
            "k=\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00",
        ),
        ("BITFIELD k SET i8 0 -1 SET u4 8 -1", "k=\\xff\\xf0"),
        ("BITFIELD k GET u64 0; BITFIELD k SET i65 0 1", "!ERR !ERR"),
        (
            "PFADD k; PFADD k",
            "k=HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff",
        ),
        (
            "SET k x; PFADD k a; PFCOUNT k; PFMERGE d k",
            "k=x !WRONGTYPE !WRONGTYPE !WRONGTYPE",
        ),
    ]);
}

#[test]
fn lists_and_sets() {
    check(&[
        ("LPUSH k a b c; RPUSH k d; LPUSHX l x", "k=[c b a d]"),
        ("RPUSH k a b c; LPOP k; RPOP k 1; RPOP k 0", "k=[b]"),
        ("RPUSH k a; PEXPIREAT k 5; LPOP k", ""),
        ("RPUSH k a b c; LPOP k -1", "k=[a b c] !ERR"),
        (
            "RPUSH k a b c; LSET k -1 z; LSET k 3 z; LSET l 0 z",
            "k=[a b z] !ERR !ERR",
        ),
        (
            "RPUSH k a b; LINSERT k BEFORE b x; LINSERT k AFTER b y; LINSERT k AFTER n y",
            "k=[a x b y]",
        ),
        ("RPUSH k a b a c a; LREM k -2 a; LTRIM k 1 -1", "k=[b c]"),
        ("RPUSH k a b; LTRIM k 5 9", ""),
        (
            "RPUSH k a b c; LMOVE k k LEFT RIGHT; LMOVE k l RIGHT LEFT; RPOPLPUSH k l",
            "k=[b] l=[c a]",
        ),
        ("SET l x; RPUSH k a; RPOPLPUSH k l", "k=[a] l=x !WRONGTYPE"),
        (
            "RPUSH k a b c; LMPOP 2 none k LEFT COUNT 2; BLPOP none k 0",
            "",
        ),
        (
            "RPUSH k a b c d; LMOVEM k l LEFT RIGHT COUNT 2 OBO; LMOVEM k l LEFT RIGHT EXACTLY 3 BULK",
            "k=[c d] l=[a b]",
        ),
        (
            "RPUSH k a b c d; LMOVEM k l RIGHT LEFT COUNT 3 BULK",
            "k=[a] l=[b c d]",
        ),
        (
            "RPUSH k a b c d; LMOVEM k l LEFT LEFT COUNT 3 BULK; LMOVEM l m LEFT LEFT COUNT 2 OBO",
            "k=[d] l=[c] m=[b a]",
        ),
        ("RPUSH k a; LMOVEM k l LEFT LEFT", "l=[a]"),
        (
            "RPUSH k a b c d; BLMOVEM k l LEFT LEFT 0 COUNT 3 BULK; BLMOVEM l m LEFT LEFT 1 COUNT 2 OBO; BLMOVEM k m LEFT LEFT 1 EXACTLY 2 OBO",
            "k=[d] l=[c] m=[b a]",
        ),
        ("SADD k a b a; SREM k a none; SADD l x; SREM l x", "k={b}"),
        (
            "SADD k a b; SMOVE k l a; SMOVE k k b; SMOVE k l none",
            "k={b} l={a}",
        ),
        (
            "SADD k a b; SPOP k 5; SADD l a b; SPOP l",
            "l={a b} !unsupported: SPOP that leaves members: chance chose which",
        ),
        (
            "SADD a 1 2 3; SADD b 2 3 4; SINTERSTORE i a b; SUNIONSTORE u a b; SDIFFSTORE d a b none",
            "a={1 2 3} b={2 3 4} d={1} i={2 3} u={1 2 3 4}",
        ),
        (
            "SADD a 1; SET d x; PEXPIREAT d 5; SINTERSTORE d a none",
            "a={1}",
        ),
        (
            "SADD a 1; RPUSH d x; PEXPIREAT d 5; SUNIONSTORE d a a",
            "a={1} d={1}",
        ),
    ]);
}

#[test]
fn sorted_sets() {
    check(&[
        (
            "ZADD k 1 a 2 b; ZADD k NX 9 a 3 c; ZADD k XX 5 b 1 d; ZADD k GT 4 b 9 c; ZADD k LT 0 a",
            "k=<a:0 b:5 c:9>",
        ),
        (
            "ZADD k 1e20 a inf b -inf c 1e-7 d",
            "k=<c:-inf d:1e-7 a:1e+20 b:inf>",
        ),
        (
            "ZADD k nan a; ZADD k 1 a b; ZADD k NX XX 1 a; ZADD k 1",
            "!ERR !ERR !ERR !wrong number of arguments",
        ),
        (
            "ZADD k 1 a; ZINCRBY k 2.5 a; ZADD k INCR -1 a; ZADD k inf b; ZINCRBY k -inf b",
            "k=<a:2.5 b:inf> !ERR",
        ),
        ("ZADD k 0 a -0 b", "k=<a:0 b:0>"),
        ("ZADD k 1 a; ZREM k a none", ""),
        (
            "ZADD k 1 a 2 b 3 c; ZREMRANGEBYRANK k -1 -1; ZREMRANGEBYSCORE k -inf (2",
            "k=<b:2>",
        ),
        ("ZADD k 0 a 0 b 0 c; ZREMRANGEBYLEX k (a [b", "k=<a:0 c:0>"),
        (
            "ZADD k 1 a 1 b 1 c; ZPOPMAX k; ZPOPMIN k 1; ZMPOP 1 none MIN; BZPOPMIN none k 0",
            "",
        ),
        (
            "ZADD a 1 x 2 y; ZADD b 10 y; SADD s y z; ZUNIONSTORE u 3 a b s WEIGHTS 2 1 3; ZINTERSTORE i 3 a b s AGGREGATE MAX; ZDIFFSTORE d 2 a b",
            "a=<x:1 y:2> b=<y:10> d=<x:1> i=<y:10> s={y z} u=<x:2 z:3 y:17>",
        ),
        (
            "ZADD a inf x; ZUNIONSTORE d 1 a WEIGHTS 0; ZADD b -inf x; ZUNIONSTORE e 2 a b",
            "a=<x:inf> b=<x:-inf> d=<x:0> e=<x:0>",
        ),
        ("ZADD a 1 x; ZADD d 1 y; ZINTERSTORE d 2 a none", "a=<x:1>"),
        ("ZUNIONSTORE d 0 a; ZUNIONSTORE d 3 a", "!ERR !ERR"),
        (
            "ZADD a 1 x 2 y 3 z; ZRANGESTORE d a 0 1 REV; ZRANGESTORE e a (1 3 BYSCORE LIMIT 1 1; ZRANGESTORE f a 3 -inf BYSCORE REV LIMIT 0 1",
            "a=<x:1 y:2 z:3> d=<y:2 z:3> e=<z:3> f=<z:3>",
        ),
        (
            "GEOADD g 13.361389 38.115556 p; GEOADD g XX 1 1 q",
            "g=<p:3479099956230698>",
        ),
        (
            "GEOADD g 13.361389 38.115556 p 15.087269 37.502669 c; GEORADIUS g 15 37 100 km STORE d; GEOSEARCHSTORE e g FROMMEMBER p BYRADIUS 1 m STOREDIST; GEOADD g 200 0 x",
            "d=<c:3479447370796909> e=<p:0> g=<p:3479099956230698 c:3479447370796909> !ERR",
        ),
        (
            "SET d x; GEOSEARCHSTORE d none FROMLONLAT 0 0 BYRADIUS 1 m; GEORADIUS none 0 0 1 m",
            "",
        ),
    ]);
}

#[test]
fn keys_and_databases() {
    check(&[
        ("SET a 1; SET b 2; DEL a none; UNLINK b", ""),
        (
            "SET a 1 PXAT 5; SET b 2 PXAT 9; RENAME a b; RENAME b b; RENAMENX none b",
            "b=1@5 !ERR",
        ),
        ("SET a 1; SET b 2; RENAMENX a b; RENAMENX a c", "b=2 c=1"),
        (
            "SET a 1 PXAT 5; COPY a b; COPY a b; COPY a b DB 3; COPY a a; COPY none c",
            "3/b=1@5 a=1@5 b=1@5 !ERR",
        ),
        (
            "SET a 1 PXAT 5; MOVE a 2; MOVE a 2; MOVE a 0",
            "2/a=1@5 !ERR",
        ),
        (
            "SET a 1; PEXPIREAT a 5; SET b 1; EXPIRE b -5; SET c 1; EXPIREAT c 7; PERSIST c; PEXPIREAT none 5",
            "a=1@5 b=1@1699999995000 c=1",
        ),
        (
            "SET a 1; PEXPIREAT a 5 XX; PEXPIREAT a 5 GT; PEXPIREAT a 5 LT; PEXPIREAT a 9 NX; PEXPIREAT a 8 GT; PEXPIREAT a 6 LT",
            "a=1@6",
        ),
        (
            "SET a 1; EXPIRE a 9223372036854775807; PEXPIREAT a 5 NX XX",
            "a=1 !ERR !ERR",
        ),
        (
            "SET a 1; SELECT 5; SET b 2; SELECT -1; SET c 3; SWAPDB 0 5",
            "5/a=1 b=2 c=3 !ERR",
        ),
        (
            "SET a 1; SELECT 2; SET b 1; FLUSHDB ASYNC; SELECT 0; SET c 1; FLUSHDB no",
            "a=1 c=1 !ERR",
        ),
        ("SET a 1; SELECT 2; SET b 1; FLUSHALL SYNC", ""),
        (
            "SET foo 1; SET bar 2; SELECT 3; SET foo 3; CLUSTER FLUSHSLOT 12182 ASYNC",
            "bar=2",
        ),
        (
            "SET foo 1; SET bar 2; TRIMSLOTS RANGES 2 12182 12182 0 10",
            "bar=2",
        ),
        (
            "TRIMSLOTS RANGES 2 1 2; CLUSTER FLUSHSLOT 16384; CLUSTER NOSUCH",
            "!ERR !ERR !unknown command",
        ),
        (
            "RPUSH l 3 1 2; SORT l STORE d; SORT l DESC LIMIT 0 2 STORE e; SORT none STORE l",
            "d=[1 2 3] e=[3 2]",
        ),
        (
            "RPUSH l b a; SET w_a 2; SET w_b 1; SET d_a x; SORT l BY w_* GET # GET d_* STORE d",
            "d=[b  a x] d_a=x l=[b a] w_a=2 w_b=1",
        ),
        (
            "RPUSH l b a; SORT l STORE d; SORT l ALPHA STORE d; SORT l BY nosort STORE e; SORT l ALPHA",
            "d=[a b] e=[b a] l=[b a] !ERR",
        ),
        (
            "SAVE; CONFIG SET a b; MIGRATE a b c d e",
            "!unsupported: a command that runs the server and that no server logs !unsupported: a command that runs the server and that no server logs !unsupported: MIGRATE; servers log its effect as DEL",
        ),
    ]);
}

#[test]
fn transactions() {
    check(&[
        (
            "MULTI; SET a 1; SELECT 3; SET b 2; EXEC; SET c 3",
            "3/b=2 3/c=3 a=1",
        ),
        ("MULTI; SET a 1", ""),
        ("EXEC; SET a 1", "a=1 !ERR"),
        ("PFCOUNT a; EXEC; EXEC; SET a 1", "a=1 !ERR"),
        (
            "MULTI; SET a 1; MULTI; LPUSH a x; SET b 2; EXEC",
            "a=1 b=2 !ERR !WRONGTYPE",
        ),
        (
            "MULTI; SET a 1; NOSUCH; GET; EXEC",
            "a=1 !unknown command !wrong number of arguments",
        ),
    ]);
}

#[test]
fn releases_differ() {
    let old = |script| outcome(script, Flavor::redis(6, 2));
    assert_eq!(old("ZADD k 0 a -0 b"), "k=<a:0 b:-0>");
    assert_eq!(
        old("DECRBY k -9223372036854775808"),
        "k=-9223372036854775808"
    );
    let older = |script| outcome(script, Flavor::redis(2, 8));
    assert_eq!(older("SET k ''; INCR k; INCRBY k +5"), "k=6");
    assert_eq!(
        outcome("SET k +5; INCR k", Flavor::redis(3, 2)),
        "k=+5 !ERR"
    );
    let hex = |flavor| outcome("ZADD k 0x10 a", flavor);
    assert_eq!(hex(Flavor::redis(8, 6)), "k=<a:16>");
    assert_eq!(hex(Flavor::valkey(9, 1)), "!ERR");
}

#[test]
fn arguments_of_scripts_are_copied() {
    let mut replayer = Replayer::new(Options::default());
    let long = b"longer than what fits in place".to_vec();
    replayer.call(&[b"SET", b"k", &long]).unwrap();
    drop(long);
    assert_eq!(replayer.store.len(), 1);
}

mod random {
    use super::*;
    use proptest::prelude::*;

    const WORDS: &[&str] = &[
        "",
        "a",
        "b",
        "0",
        "1",
        "-1",
        "2",
        "9223372036854775807",
        "-9223372036854775808",
        "(1",
        "[a",
        "+",
        "-",
        "inf",
        "1e300",
        "LIMIT",
        "COUNT",
        "STORE",
        "BY",
        "GET",
        "*",
        "#",
        "u8",
        "i64",
        "#9",
        "INCRBY",
        "SET",
        "OVERFLOW",
        "WEIGHTS",
        "AGGREGATE",
        "BYSCORE",
        "REV",
        "m",
        "LEFT",
        "RIGHT",
        "PXAT",
        "EX",
        "NX",
        "RANGES",
        "FROMLONLAT",
        "BYBOX",
        "MIN",
        "DB",
    ];

    proptest! {
        /// No arguments make any command panic.
        #[test]
        fn nothing_panics(lines in proptest::collection::vec((0usize..1000, proptest::collection::vec(0usize..WORDS.len(), 0..9)), 1..60)) {
            let mut replayer = Replayer::new(Options::default());
            let mut transactions = Transactions::new();
            for (command, words) in lines {
                let command = &table::COMMANDS[command % table::COMMANDS.len()];
                let name = command.name.split('|');
                let args: Vec<&[u8]> = name.chain(words.iter().map(|at| WORDS[*at])).map(str::as_bytes).collect();
                transactions.feed(&mut replayer, &args, 0, &mut |_| true);
            }
        }
    }
}
