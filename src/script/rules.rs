//! Which commands a script may call, and what calling them entails (the flags of the
//! servers' command tables, `scripting.c luaRedisGenericCommand`).
//!
//! A script that is logged as it stands must do the same wherever it runs. So servers
//! sort what has no order of its own, and let no write follow a command whose answer
//! depends on chance, time or the inside of the server.

use crate::num::Flavor;

/// The last release that logs scripts, after which those of unknown origin are run.
pub(super) const LAST: Flavor = Flavor::redis(6, 2);

type Release = (u16, u16);

/// Commands that came after 2.6.
const FIRST: &[(Release, &[&str])] = &[
    (
        (2, 8),
        &[
            "bitpos",
            "command",
            "hscan",
            "latency",
            "pfadd",
            "pfcount",
            "pfdebug",
            "pfmerge",
            "pfselftest",
            "psync",
            "pubsub",
            "role",
            "scan",
            "sscan",
            "zlexcount",
            "zrangebylex",
            "zremrangebylex",
            "zrevrangebylex",
            "zscan",
        ],
    ),
    (
        (3, 0),
        &[
            "asking",
            "cluster",
            "readonly",
            "readwrite",
            "restore-asking",
            "wait",
        ],
    ),
    (
        (3, 2),
        &[
            "bitfield",
            "geoadd",
            "geodist",
            "geohash",
            "geopos",
            "georadius",
            "georadius_ro",
            "georadiusbymember",
            "georadiusbymember_ro",
            "hstrlen",
            "touch",
        ],
    ),
    ((4, 0), &["memory", "module", "swapdb", "unlink"]),
    (
        (5, 0),
        &[
            "bzpopmax",
            "bzpopmin",
            "lolwut",
            "replicaof",
            "xack",
            "xadd",
            "xclaim",
            "xdel",
            "xgroup",
            "xinfo",
            "xlen",
            "xpending",
            "xrange",
            "xread",
            "xreadgroup",
            "xrevrange",
            "xsetid",
            "xtrim",
            "zpopmax",
            "zpopmin",
        ],
    ),
    ((6, 0), &["acl", "bitfield_ro", "hello", "lpos", "stralgo"]),
    (
        (6, 2),
        &[
            "blmove",
            "copy",
            "failover",
            "geosearch",
            "geosearchstore",
            "getdel",
            "getex",
            "hrandfield",
            "lmove",
            "reset",
            "smismember",
            "xautoclaim",
            "zdiff",
            "zdiffstore",
            "zinter",
            "zmscore",
            "zrandmember",
            "zrangestore",
            "zunion",
        ],
    ),
];

/// Commands that no server has that logs scripts.
const LATER: &[&str] = &[
    "blmovem",
    "blmpop",
    "bzmpop",
    "clusterscan",
    "commandlog",
    "delex",
    "delifeq",
    "digest",
    "eval_ro",
    "evalsha_ro",
    "expiretime",
    "fcall",
    "fcall_ro",
    "function",
    "hexpire",
    "hexpireat",
    "hexpiretime",
    "hgetdel",
    "hgetex",
    "himport",
    "hotkeys",
    "hpersist",
    "hpexpire",
    "hpexpireat",
    "hpexpiretime",
    "hpttl",
    "hsetex",
    "httl",
    "increx",
    "lcs",
    "lmovem",
    "lmpop",
    "msetex",
    "pexpiretime",
    "sdiffcard",
    "sintercard",
    "sort_ro",
    "spublish",
    "ssubscribe",
    "sunioncard",
    "sunsubscribe",
    "trimslots",
    "waitaof",
    "xackdel",
    "xcfgset",
    "xdelex",
    "xidmprecord",
    "xnack",
    "zintercard",
    "zmpop",
];

/// Refused in scripts, from a release to before another.
const NO_SCRIPT: &[(Release, Release, &[&str])] = &[
    (
        (2, 6),
        (7, 0),
        &[
            "auth",
            "blpop",
            "brpop",
            "brpoplpush",
            "client",
            "debug",
            "discard",
            "eval",
            "evalsha",
            "exec",
            "latency",
            "monitor",
            "multi",
            "psubscribe",
            "psync",
            "punsubscribe",
            "replconf",
            "role",
            "save",
            "script",
            "slaveof",
            "subscribe",
            "sync",
            "unsubscribe",
            "unwatch",
            "wait",
            "watch",
        ],
    ),
    ((2, 6), (3, 2), &["spop"]),
    ((4, 0), (7, 0), &["module"]),
    (
        (5, 0),
        (7, 0),
        &[
            "bgrewriteaof",
            "bgsave",
            "bzpopmax",
            "bzpopmin",
            "config",
            "replicaof",
            "shutdown",
        ],
    ),
    ((5, 0), (6, 0), &["xread", "xreadgroup"]),
    (
        (6, 0),
        (7, 0),
        &["acl", "blmove", "failover", "hello", "reset"],
    ),
];

/// No write may follow these, from a release on.
const RANDOM: &[(Release, &[&str])] = &[
    (
        (2, 6),
        &[
            "hscan",
            "lastsave",
            "pubsub",
            "randomkey",
            "scan",
            "spop",
            "srandmember",
            "sscan",
            "time",
            "zscan",
        ],
    ),
    (
        (5, 0),
        &[
            "command", "dump", "hgetall", "info", "memory", "migrate", "object", "pttl", "slowlog",
            "ttl", "xadd", "xclaim", "xinfo", "xpending", "xtrim",
        ],
    ),
    (
        (6, 0),
        &[
            "client",
            "cluster",
            "hrandfield",
            "xack",
            "xautoclaim",
            "zrandmember",
        ],
    ),
];

/// Whether a command is there at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    /// It came later, though still to servers that log scripts.
    NotYet,
    /// It came after them.
    Never,
}

pub(super) fn known(name: &str, release: Flavor) -> Known {
    if LATER.contains(&name) || name.starts_with("ar") || is_vector(name) {
        return Known::Never;
    }
    let first = FIRST.iter().find(|(_, names)| names.contains(&name));
    match first {
        Some((first, _)) if (release.major, release.minor) < *first => Known::NotYet,
        _ => Known::Yes,
    }
}

fn is_vector(name: &str) -> bool {
    name.starts_with('v')
}

pub(super) fn is_allowed(name: &str, release: Flavor) -> bool {
    let release = (release.major, release.minor);
    !NO_SCRIPT
        .iter()
        .any(|(from, to, names)| *from <= release && release < *to && names.contains(&name))
}

pub(super) fn is_random(name: &str, release: Flavor) -> bool {
    let release = (release.major, release.minor);
    RANDOM
        .iter()
        .any(|(from, names)| *from <= release && names.contains(&name))
}

/// The error of a write behind a random command.
pub(super) fn no_write_now(release: Flavor) -> &'static str {
    if (release.major, release.minor) < (3, 2) {
        "Write commands not allowed after non deterministic commands"
    } else {
        "Write commands not allowed after non deterministic commands. Call \
         redis.replicate_commands() at the start of your script in order to switch to single \
         commands replication mode."
    }
}

/// The release after which a log's scripts run.
pub(super) fn release_of(flavor: Flavor) -> Flavor {
    let is_old =
        flavor.product == LAST.product && (flavor.major, flavor.minor) <= (LAST.major, LAST.minor);
    if is_old { flavor } else { LAST }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::table::COMMANDS;

    #[test]
    fn every_name_is_a_command() {
        let names = FIRST
            .iter()
            .flat_map(|(_, names)| *names)
            .chain(LATER)
            .chain(NO_SCRIPT.iter().flat_map(|(_, _, names)| *names))
            .chain(RANDOM.iter().flat_map(|(_, names)| *names));
        for name in names {
            assert!(COMMANDS.iter().any(|row| row.name == *name), "{name}");
        }
    }
}
