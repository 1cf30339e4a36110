//! What read commands answer to scripts (feature `lua`), as Redis 2.6 to 6.2 answered.
//!
//! In a log a read command changes nothing, and is not carried out; a script may act on
//! the answer. Answers that have no order of their own (SMEMBERS, KEYS) come in any: the
//! caller sorts them, as servers did. A command without a row here is one whose answer
//! only the server knows: OBJECT, DUMP, INFO, SCAN, XINFO, XPENDING and their kind.
//!
//! | commands | file |
//! |---|---|
//! | on keys, strings and bits | `strings.rs` |
//! | on lists, sets and hashes | `collections.rs` |
//! | on sorted sets | `zsets.rs` |
//! | on geo indexes | `geo.rs` |
//! | on streams | `streams.rs` |

mod collections;
mod geo;
mod streams;
mod strings;
mod zsets;

use super::table::Handler;
use super::{Args, Reject, Replayer, Reply};
use crate::store::{Bytes, Str};

/// Who answers a read command.
pub(crate) fn find(name: &str) -> Option<Handler> {
    Some(match name {
        "get" => strings::get,
        "mget" => strings::mget,
        "strlen" => strings::strlen,
        "getrange" | "substr" => strings::getrange,
        "getbit" => strings::getbit,
        "bitcount" => strings::bitcount,
        "bitpos" => strings::bitpos,
        "bitfield_ro" => strings::bitfield_ro,
        "exists" => strings::exists,
        "touch" => strings::exists,
        "type" => strings::type_of,
        "dbsize" => strings::dbsize,
        "keys" => strings::keys,
        "ttl" => strings::ttl,
        "pttl" => strings::pttl,
        "echo" => strings::echo,
        "ping" => strings::ping,
        "publish" => strings::publish,
        "llen" => collections::llen,
        "lindex" => collections::lindex,
        "lrange" => collections::lrange,
        "lpos" => collections::lpos,
        "scard" => collections::scard,
        "sismember" => collections::sismember,
        "smismember" => collections::smismember,
        "smembers" => collections::smembers,
        "sinter" => collections::sinter,
        "sunion" => collections::sunion,
        "sdiff" => collections::sdiff,
        "hget" => collections::hget,
        "hmget" => collections::hmget,
        "hexists" => collections::hexists,
        "hlen" => collections::hlen,
        "hstrlen" => collections::hstrlen,
        "hkeys" => collections::hkeys,
        "hvals" => collections::hvals,
        "hgetall" => collections::hgetall,
        "zcard" => zsets::zcard,
        "zscore" => zsets::zscore,
        "zmscore" => zsets::zmscore,
        "zrank" => zsets::zrank,
        "zrevrank" => zsets::zrevrank,
        "zcount" => zsets::zcount,
        "zlexcount" => zsets::zlexcount,
        "zrange" => zsets::zrange,
        "zrevrange" => zsets::zrevrange,
        "zrangebyscore" => zsets::zrangebyscore,
        "zrevrangebyscore" => zsets::zrevrangebyscore,
        "zrangebylex" => zsets::zrangebylex,
        "zrevrangebylex" => zsets::zrevrangebylex,
        "zunion" => zsets::zunion,
        "zinter" => zsets::zinter,
        "zdiff" => zsets::zdiff,
        "geodist" => geo::geodist,
        "geohash" => geo::geohash,
        "geopos" => geo::geopos,
        "georadius_ro" => geo::georadius_ro,
        "georadiusbymember_ro" => geo::georadiusbymember_ro,
        "geosearch" => geo::geosearch,
        "xlen" => streams::xlen,
        "xrange" => streams::xrange,
        "xrevrange" => streams::xrevrange,
        "xread" => streams::xread,
        _ => return None,
    })
}

/// Whether the answer of a command comes in any order, and servers sort it for scripts.
pub(crate) fn is_sorted(name: &str) -> bool {
    matches!(
        name,
        "hkeys" | "hvals" | "keys" | "sdiff" | "sinter" | "smembers" | "sunion"
    )
}

fn bulk<'a>(text: impl Into<Str<'a>>) -> Reply<'a> {
    Reply::Bulk(text.into())
}

fn text<'a>(text: String) -> Reply<'a> {
    bulk(text.into_bytes())
}

fn members<'a>(members: impl IntoIterator<Item = Bytes<'a>>) -> Reply<'a> {
    Reply::Array(members.into_iter().map(bulk).collect())
}
