//! Logs with commands that servers refuse when they load them: from 7.0 on a server
//! says each time that it sends an error to the client that stands for its log. The
//! same commands are refused here, for the same reason, and what stays is the same.

mod util;

use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::store::digest::{digest_entry, digest_store};
use util::replayed::flavor;
use util::resp::encode;
use util::server::{Release, Server, servers};

/// Words parted by blanks; `''` is the empty one.
const COMMANDS: &[&str] = &[
    // Types.
    "SET s 12",
    "RPUSH l a b c",
    "SADD t a 1 2",
    "ZADD z 1 a 2 b",
    "HSET h a 1 b x",
    "XADD x 5-5 a b",
    "APPEND l x",
    "LPUSH s x",
    "RPUSHX s x",
    "SADD s x",
    "ZADD s 1 x",
    "HSET s a b",
    "XADD s 1-1 a b",
    "INCR l",
    "GETSET l x",
    "SET l x GET",
    "SETRANGE l 0 x",
    "SETBIT h 1 1",
    "BITFIELD h SET u8 0 1",
    "BITOP NOT d h",
    "BITOP NOT d s t",
    "PFADD s x",
    "PFADD l x",
    "PFMERGE d s",
    "SMOVE t s a",
    "SMOVE s t a",
    "SINTERSTORE d t s",
    "SUNIONSTORE d t l",
    "ZUNIONSTORE d 2 z l",
    "ZINTERSTORE d 2 z h",
    "ZRANGESTORE d s 0 -1",
    "LMOVE l s LEFT RIGHT",
    "RPOPLPUSH s l",
    "GEOADD s 1 1 a",
    "SORT h STORE d",
    "LINSERT s BEFORE a b",
    "ZINCRBY h 1 a",
    "HINCRBY z a 1",
    "XGROUP CREATE s g $",
    "XTRIM s MAXLEN 1",
    "XDEL s 1-1",
    "COPY s l",
    "GETDEL l",
    // Numbers.
    "SET n 9223372036854775807",
    "INCR n",
    "INCRBY n 1",
    "DECRBY n -9223372036854775808",
    "SET m -9223372036854775808",
    "DECR m",
    "INCRBY s x",
    "INCRBY s 1.5",
    "INCRBY s 01",
    "INCRBY s +1",
    "SET f x",
    "INCR f",
    "INCRBYFLOAT f 1",
    "INCRBYFLOAT s nan",
    "INCRBYFLOAT s inf",
    "INCRBYFLOAT s 1e5000",
    "INCRBYFLOAT s ''",
    "HINCRBY h b 1",
    "HINCRBY h a 9223372036854775807",
    "HINCRBY h a x",
    "HINCRBYFLOAT h b 1",
    "HINCRBYFLOAT h a inf",
    "ZADD z nan c",
    "ZADD z x c",
    "ZADD z inf c",
    "ZINCRBY z -inf c",
    "ZADD z -inf c",
    "ZINCRBY z inf c",
    "ZADD z NX XX 1 c",
    "ZADD z GT LT 1 c",
    "ZADD z NX GT 1 c",
    "ZADD z INCR 1 c 2 d",
    "ZADD z 1 c 2",
    "SETBIT s -1 1",
    "SETBIT s 1 2",
    "SETRANGE s -1 x",
    "BITFIELD s SET u64 0 1",
    "BITFIELD s SET i65 0 1",
    "BITFIELD s SET u8 -1 1",
    "BITFIELD s OVERFLOW NO SET u8 0 1",
    "BITFIELD s SET u8 0",
    "BITOP NO d s",
    "BITOP NOT d s f",
    "LSET l 9 x",
    "LSET l x x",
    "LSET none 0 x",
    "LTRIM l x 1",
    "LREM l x a",
    "LPOP l -1",
    "LPOP l x",
    "LINSERT l AMID a b",
    "LMOVE l l2 UP DOWN",
    "LMPOP 0 l LEFT",
    "LMPOP 1 l UP",
    "LMPOP 1 l LEFT COUNT 0",
    "LMPOP 2 l LEFT",
    "SPOP t -1",
    "ZPOPMIN z -1",
    "ZPOPMIN z x",
    "ZMPOP 1 z MID",
    "ZMPOP 1 z MIN COUNT x",
    "ZREMRANGEBYRANK z a b",
    "ZREMRANGEBYSCORE z x 1",
    "ZREMRANGEBYSCORE z (nan 1",
    "ZREMRANGEBYLEX z a b",
    "ZUNIONSTORE d 0 z",
    "ZUNIONSTORE d 3 z z",
    "ZUNIONSTORE d 1 z WEIGHTS x",
    "ZUNIONSTORE d 1 z WEIGHTS nan",
    "ZUNIONSTORE d 1 z AGGREGATE AVG",
    "ZDIFFSTORE d 1 z WEIGHTS 1",
    "ZRANGESTORE d z 0 1 LIMIT 0 1",
    "ZRANGESTORE d z x y BYSCORE",
    "ZRANGESTORE d z a b BYLEX",
    "ZRANGESTORE d z 0 x",
    "GEOADD g 181 0 a",
    "GEOADD g 0 86 a",
    "GEOADD g x 0 a",
    "GEOADD g NX XX 1 1 a",
    "GEOADD g 1 1 a",
    "GEORADIUS g 1 1 -1 km STORE d",
    "GEORADIUS g 1 1 1 parsec STORE d",
    "GEORADIUS g 1 1 1 km COUNT 0 STORE d",
    "GEORADIUSBYMEMBER g none 1 km STORE d",
    "GEOSEARCHSTORE d g FROMMEMBER none BYRADIUS 1 km",
    "GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 km COUNT 1 ANY ANY",
    "GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 km ANY",
    "SORT l STORE d",
    "SORT l LIMIT 0 x STORE d",
    // Options, deadlines, keys.
    "SET s x NX XX",
    "SET s x EX 0",
    "SET s x EX -1",
    "SET s x EX x",
    "SET s x EX 9223372036854775807",
    "SET s x PX 1 KEEPTTL",
    "SET s x NO",
    "SETEX s 0 x",
    "PSETEX s -5 x",
    "GETEX s EX 0",
    "GETEX s NO",
    "EXPIRE s x",
    "EXPIRE s 9223372036854775807",
    "PEXPIREAT s 4102444800000 NX XX",
    "PEXPIREAT s 4102444800000 NX GT",
    "PEXPIREAT s 4102444800000 NO",
    "RENAME none s",
    "RENAMENX none s",
    "COPY s s",
    "COPY s d DB 99999",
    "MOVE s 99999",
    "MOVE s 0",
    "SWAPDB 0 99999",
    "SELECT 99999",
    "SELECT x",
    "FLUSHDB NOW",
    "MSETNX a 1 s 2",
    "RESTORE r 0 junk",
    "RESTORE r -1 junk",
    "EXEC",
    // Streams.
    "XADD x 5-5 a b",
    "XADD x 0-0 a b",
    "XADD x 5-x a b",
    "XADD x MAXLEN -1 6-0 a b",
    "XADD x MAXLEN = x 6-0 a b",
    "XADD x LIMIT 5 6-0 a b",
    "XADD x MAXLEN 5 MINID 1 6-0 a b",
    "XTRIM x NOLEN 1",
    "XTRIM x MINID x",
    "XDEL x x",
    "XGROUP CREATE x g 0",
    "XGROUP CREATE x g 0",
    "XGROUP CREATE none g 0",
    "XGROUP CREATE x g2 x",
    "XGROUP SETID x none 0",
    "XGROUP SETID none g 0",
    "XGROUP CREATECONSUMER x none c",
    "XGROUP DELCONSUMER x none c",
    "XGROUP DESTROY none g",
    "XCLAIM x none c 0 5-5",
    "XCLAIM none g c 0 5-5",
    "XCLAIM x g c x 5-5",
    "XCLAIM x g c 0 5-5 NO",
    "XCLAIM x g c 0 5-5 RETRYCOUNT x",
    "XACK x g x",
    "XSETID x 1-1",
    "XSETID none 1-1",
    "XSETID x 9-9 ENTRIESADDED 0",
    "XSETID x 9-9 ENTRIESADDED 1 MAXDELETEDID 10-0",
    // Functions.
    "FUNCTION DELETE none",
    "FUNCTION FLUSH NOW",
    "FUNCTION RESTORE junk",
    // What came before is still there.
    "SET last 1",
];

/// Of field deadlines.
const FIELDS: &[&str] = &[
    "HSET h a 1 b x",
    "SET s 12",
    "HEXPIRE h x FIELDS 1 a",
    "HEXPIRE h -1 FIELDS 1 zz",
    "HPEXPIREAT h 4102444800000 NX XX FIELDS 1 a",
    "HPEXPIREAT h 4102444800000 FIELDS 2 a",
    "HPEXPIREAT h 4102444800000 FIELDS 0 a",
    "HPEXPIREAT h 9223372036854775807 FIELDS 1 a",
    "HPEXPIREAT s 4102444800000 FIELDS 1 a",
    "HPERSIST h FIELDS x a",
    "HPERSIST s FIELDS 1 a",
    "HPEXPIREAT h 4102444800000 FIELDS 1 a",
];

/// Of HSETEX and HGETEX.
const SET_FIELDS: &[&str] = &[
    "HSETEX h EX -1 FIELDS 1 a 1",
    "HSETEX h EX x FIELDS 1 a 1",
    "HSETEX h FNX FXX FIELDS 1 a 1",
    "HSETEX h KEEPTTL PX 5 FIELDS 1 a 1",
    "HSETEX h FIELDS 2 a 1",
    "HSETEX s FIELDS 1 a 1",
    "HGETEX h PX -1 FIELDS 1 a",
    "HGETEX h PERSIST EX 5 FIELDS 1 a",
    "HGETEX s PERSIST FIELDS 1 a",
    "HGETEX h PERSIST FIELDS 2 a",
];

/// Of Redis 8.2: streams, bits, vector sets.
const REDIS_8_2: &[&str] = &[
    "XADD x 5-5 a b",
    "XDELEX x IDS 2 5-5",
    "XDELEX x KEEPREF DELREF IDS 1 5-5",
    "XDELEX x IDS 1 x",
    "XDELEX s IDS 1 5-5",
    "XACKDEL x none IDS 1 5-5",
    "XACKDEL s none IDS 1 5-5",
    "XTRIM x MAXLEN 5 KEEPREF ACKED",
    "BITOP DIFF d s",
    "BITOP ONE d s h",
    "VADD v VALUES 2 1 2 a",
    "VADD v VALUES 3 1 2 3 b",
    "VADD v VALUES 2 1 x b",
    "VADD v VALUES 2 1 2 b NOQUANT",
    "VADD v VALUES 2 1 2 b M 5",
    "VADD v VALUES 2 1 2 b EF 0",
    "VADD v VALUES 2 1 2 b NO",
    "VADD v REDUCE 1 VALUES 2 1 2 b",
    "VADD w REDUCE 3 VALUES 2 1 2 b",
    "VADD w REDUCE 0 VALUES 2 1 2 b",
    "VADD w REDUCE 1 VALUES 2 1 2 b",
    "VADD w REDUCE 1 VALUES 3 1 2 3 c",
    "VADD w VALUES 1 1 c",
    "VADD s VALUES 2 1 2 b",
    "VADD v FP32 abc b",
    "VREM s a",
    "VSETATTR s a x",
    "VSETATTR v none x",
];

/// Of Redis 8.6: conditions.
const REDIS_8_6: &[&str] = &[
    "SET s x IFEQ",
    "SET h x IFEQ 1",
    "SET s x IFDEQ 12",
    "SET s x IFEQ 1 NX",
    "DELEX h IFEQ 1",
    "DELEX s IFDNE 1",
    "DELEX s NO 1",
    "MSETEX 0 a 1",
    "MSETEX 1 a 1 EX 0",
    "MSETEX 1 a 1 NX XX",
    "MSETEX x a 1",
    "XCFGSET x IDMP-MAXSIZE 0",
    "XCFGSET x NO 1",
    "XCFGSET none IDMP-MAXSIZE 5",
    "XADD x IDMP p i 6-0 a b",
];

fn commands(release: Release) -> Vec<&'static str> {
    let mut commands = COMMANDS.to_vec();
    for (has, more) in [
        (release.has_field_ttl(), FIELDS),
        (
            release.redis_since(8, 0) || release.valkey_since(9, 0),
            SET_FIELDS,
        ),
        (release.redis_since(8, 2), REDIS_8_2),
        (release.redis_since(8, 6), REDIS_8_6),
    ] {
        commands.extend(more.iter().filter(|_| has));
    }
    commands
}

fn words(line: &str) -> Vec<String> {
    let words = line.split(' ');
    words
        .map(|word| if word == "''" { "" } else { word }.to_owned())
        .collect()
}

fn log(commands: &[&str]) -> Vec<u8> {
    let mut log = Vec::new();
    for line in commands {
        encode(&words(line), &mut log);
    }
    log
}

/// A name without its subcommand.
fn name_of(command: &str) -> String {
    let end = command.find(['|', ' ']).unwrap_or(command.len());
    command[..end].to_ascii_lowercase()
}

/// The word in capitals at the beginning of an error; servers do not log a plain ERR.
fn code_of(error: &str) -> &str {
    let word = error.split(' ').next().unwrap_or_default();
    let is_code = [
        "WRONGTYPE",
        "NOGROUP",
        "BUSYGROUP",
        "UNKILLABLE",
        "INVALIDOBJ",
        "unsupported:",
    ];
    if is_code.contains(&word) { word } else { "ERR" }
}

/// What a server refused, in its own words: each command with its error.
fn refused_by(server: &Server) -> Vec<String> {
    let text = server.log();
    let refused = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("AOF-loading-client: '")?;
        let (error, command) = rest.rsplit_once("' after processing the command '")?;
        let command = command.trim_end_matches('\'');
        let error = error.trim_start_matches('-');
        Some(format!("{} {}", name_of(command), code_of(error)))
    });
    refused.collect()
}

fn round(release: Release) {
    let commands = commands(release);
    let log = log(&commands);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("appendonly.aof");
    std::fs::write(&path, &log).unwrap();
    let server = Server::load_aof(release, &path).unwrap_or_else(|log| panic!("{log}"));
    let theirs = refused_by(&server);
    assert!(theirs.len() > 50, "{}: {theirs:?}", release.name);

    let parts = [LogPart {
        name: None,
        bytes: &log,
    }];
    let mut options = ReplayOptions::default();
    options.replay.flavor = flavor(&release);
    options.replay.databases = 16;
    options.keep_going = true;
    let mut ours = Vec::new();
    let replayed = replay_log(&parts, &options, &mut |finding| {
        ours.push(finding.to_string());
    });
    let replayed = replayed.unwrap();
    // error: SETRANGE: WRONGTYPE Operation .. (at ..)
    let code = |text: &str| {
        let mut parts = text.splitn(3, ": ");
        let (name, error) = (parts.nth(1)?, parts.next()?);
        Some(format!("{} {}", name_of(name), code_of(error)))
    };
    let codes: Vec<_> = ours
        .iter()
        .map(|text| code(text).unwrap_or_default())
        .collect();
    let mut wrong = Vec::new();
    let (mut a, mut b) = (theirs.iter().peekable(), codes.iter().peekable());
    // A server says the name of what it refused, so one name at a time is compared.
    for lines in commands.chunk_by(|a, b| words(a)[0] == words(b)[0]) {
        let name = words(lines[0])[0].to_ascii_lowercase();
        let is_name = |text: &&String| text.split(' ').next() == Some(&*name);
        let theirs: Vec<_> = std::iter::from_fn(|| a.next_if(is_name)).collect();
        let ours: Vec<_> = std::iter::from_fn(|| b.next_if(is_name)).collect();
        if theirs != ours {
            wrong.push(format!(
                "{lines:?}:\n  server {theirs:?}\n  replay {ours:?}"
            ));
        }
    }
    let mut client = server.client();
    for (_, key, entry) in replayed.replayer.store.iter() {
        let digest = digest_entry(None, entry, flavor(&release), i64::MIN).unwrap();
        let command = [b"DEBUG".as_slice(), b"DIGEST-VALUE", key];
        let theirs = client.ok(&command).items()[0].text();
        let key = key.escape_ascii();
        assert_eq!(digest.to_string(), theirs, "{}: {key}", release.name);
    }
    let digest = digest_store(&replayed.replayer.store, flavor(&release), i64::MIN).unwrap();
    assert!(
        wrong.is_empty() && a.next().is_none() && b.next().is_none(),
        "{}:\n{}",
        release.name,
        wrong.join("\n")
    );
    assert_eq!(digest.to_string(), server.digest(), "{}", release.name);
}

#[test]
fn commands_that_servers_refuse_are_refused() {
    for release in servers() {
        if release.has_multi_part_aof() {
            round(release);
        }
    }
}
