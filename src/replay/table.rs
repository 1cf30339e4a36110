//! The table of commands: names, arity, keys, what they are for, and who does them.
//!
//! Every command of Redis 2.2 to 8.10 and Valkey 7.2 to 9.1 has one row. A
//! subcommand has a row of its own, `xgroup|create`, and its container a row that
//! only counts arguments. Where releases differ in the number of arguments the row
//! takes what any of them takes; the handler knows the rest.
//!
//! [`find`] tells the row of a record.

use super::{
    Args, Reject, Replayer, Reply, array, bits, function, geo, hash, hash_expiry, hll, keys, list,
    read, server, set, since::since, sort, stream, stream_claim, stream_group, stream_idmp,
    stream_read, string, vector, zset, zstore,
};

pub use super::lookup::find;

/// Carries a command out.
pub(crate) type Handler =
    for<'r, 'a> fn(&mut Replayer<'a>, Args<'r, 'a>) -> Result<Reply<'a>, Reject>;

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Changes data.
    Write,
    /// Changes nothing.
    Read,
    /// Scripts and functions.
    Script,
    /// Selects a database, or frames a transaction.
    Session,
    /// Has subcommands.
    Container,
    /// Runs the server; no log holds it, and to replay it would be a guess.
    Admin,
}

/// Which arguments are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keys {
    /// None.
    None,
    /// From `first` to `last`, which counts from the end if negative, every `step`-th.
    Range {
        /// Index of the first key.
        first: usize,
        /// Index of the last key.
        last: isize,
        /// Distance of two keys.
        step: usize,
    },
    /// The argument `at` says how many follow it; `first` is one more, unless it is 0.
    Counted {
        /// Index of the number.
        at: usize,
        /// Index of a key beside them.
        first: usize,
    },
    /// The first argument says how many pairs of key and value follow (MSETEX).
    CountedPairs,
    /// The first argument, and the one after `STORE` or `STOREDIST`.
    WithStore,
    /// The first half of what follows `STREAMS`.
    Streams,
}

/// One row.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Command {
    /// The name in lower case; `container|subcommand` for a subcommand.
    pub name: &'static str,
    /// How many arguments, the name among them; `-n` is `n` or more.
    pub arity: i8,
    /// What it is for.
    pub class: Class,
    /// Which arguments are keys.
    pub keys: Keys,
    /// Major and minor number of the first Redis that has it; 6.2 stands for all before, for
    /// what only Valkey has, and for what changes nothing.
    pub since: (u16, u16),
    pub(crate) handler: Handler,
    /// It writes the first argument after the name, and no other key, if it has at most so
    /// many arguments.
    one_key_to: usize,
    pub(super) is_subcommand: bool,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.name)
            .field("arity", &self.arity)
            .field("class", &self.class)
            .field("keys", &self.keys)
            .finish()
    }
}

impl Command {
    /// Whether a record of so many arguments, the name among them, is complete.
    #[must_use]
    pub fn takes(&self, args: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 {
            args >= wanted
        } else {
            args == wanted
        }
    }

    /// Whether a record of so many arguments writes one key, the first after the name.
    pub(crate) fn writes_one_key(&self, args: usize) -> bool {
        args <= self.one_key_to
    }

    /// The first key of a record, for messages and statistics.
    #[must_use]
    pub fn first_key<'r, A: AsRef<[u8]>>(&self, args: &'r [A]) -> Option<&'r [u8]> {
        let at = match self.keys {
            Keys::None => return None,
            Keys::Range { first, .. } => first,
            Keys::Counted { first: 0, at } => at + 1,
            Keys::Counted { first, .. } => first,
            Keys::CountedPairs => 2,
            Keys::WithStore => 1,
            Keys::Streams => {
                let streams = args
                    .iter()
                    .position(|arg| arg.as_ref().eq_ignore_ascii_case(b"streams"))?;
                streams + 1
            }
        };
        args.get(at).map(AsRef::as_ref)
    }
}

use Class::{
    Admin as ADMIN, Container as CONTAINER, Read as READ, Script as SCRIPT, Session as SESSION,
    Write as WRITE,
};

const KEY: Keys = Keys::Range {
    first: 1,
    last: 1,
    step: 1,
};
const TWO: Keys = Keys::Range {
    first: 1,
    last: 2,
    step: 1,
};
const ALL: Keys = Keys::Range {
    first: 1,
    last: -1,
    step: 1,
};

const fn row(name: &'static str, arity: i8, class: Class, keys: Keys, handler: Handler) -> Command {
    Command {
        name,
        arity,
        class,
        keys,
        since: since(name),
        handler,
        one_key_to: match (class, keys) {
            (WRITE, KEY) => usize::MAX,
            (WRITE, ALL) => 2,
            _ => 0,
        },
        is_subcommand: has_bar(name.as_bytes()),
    }
}

const fn has_bar(name: &[u8]) -> bool {
    match name {
        [] => false,
        [b'|', ..] => true,
        [_, rest @ ..] => has_bar(rest),
    }
}

/// Every command.
#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    // string.rs
    row("set", -3, WRITE, KEY, string::set),
    row("getset", 3, WRITE, KEY, string::getset),
    row("getdel", 2, WRITE, KEY, string::getdel),
    row("getex", -2, WRITE, KEY, string::getex),
    row("append", 3, WRITE, KEY, string::append),
    row("incr", 2, WRITE, KEY, string::incr),
    row("decr", 2, WRITE, KEY, string::decr),
    row("incrby", 3, WRITE, KEY, string::incrby),
    row("decrby", 3, WRITE, KEY, string::decrby),
    row("incrbyfloat", 3, WRITE, KEY, string::incrbyfloat),
    row("setrange", 4, WRITE, KEY, string::setrange),
    row("mset", -3, WRITE, Keys::Range { first: 1, last: -1, step: 2 }, string::mset),
    row("msetnx", -3, WRITE, Keys::Range { first: 1, last: -1, step: 2 }, string::msetnx),
    row("msetex", -4, WRITE, Keys::CountedPairs, string::msetex),
    row("setex", 4, WRITE, KEY, string::setex),
    row("psetex", 4, WRITE, KEY, string::psetex),
    row("setnx", 3, WRITE, KEY, string::setnx),
    row("delex", -2, WRITE, KEY, string::delex),
    row("delifeq", 3, WRITE, KEY, string::delifeq),
    row("increx", -2, WRITE, KEY, string::increx),
    // bits.rs
    row("setbit", 4, WRITE, KEY, bits::setbit),
    row("bitop", -4, WRITE, Keys::Range { first: 2, last: -1, step: 1 }, bits::bitop),
    row("bitfield", -2, WRITE, KEY, bits::bitfield),
    // hll.rs
    row("pfadd", -2, WRITE, KEY, hll::pfadd),
    row("pfmerge", -2, WRITE, ALL, hll::pfmerge),
    row("pfcount", -2, WRITE, ALL, hll::pfcount),
    row("pfdebug", -3, WRITE, Keys::Range { first: 2, last: 2, step: 1 }, hll::pfdebug),
    // list.rs
    row("lpush", -3, WRITE, KEY, list::lpush),
    row("rpush", -3, WRITE, KEY, list::rpush),
    row("lpushx", -3, WRITE, KEY, list::lpushx),
    row("rpushx", -3, WRITE, KEY, list::rpushx),
    row("lpop", -2, WRITE, KEY, list::lpop),
    row("rpop", -2, WRITE, KEY, list::rpop),
    row("lset", 4, WRITE, KEY, list::lset),
    row("linsert", 5, WRITE, KEY, list::linsert),
    row("lrem", 4, WRITE, KEY, list::lrem),
    row("ltrim", 4, WRITE, KEY, list::ltrim),
    row("rpoplpush", 3, WRITE, TWO, list::rpoplpush),
    row("lmove", 5, WRITE, TWO, list::lmove),
    row("lmpop", -4, WRITE, Keys::Counted { at: 1, first: 0 }, list::lmpop),
    row("lmovem", -5, WRITE, TWO, list::lmovem),
    row("blpop", -3, WRITE, Keys::Range { first: 1, last: -2, step: 1 }, list::blpop),
    row("brpop", -3, WRITE, Keys::Range { first: 1, last: -2, step: 1 }, list::brpop),
    row("blmove", 6, WRITE, TWO, list::blmove),
    row("brpoplpush", 4, WRITE, TWO, list::brpoplpush),
    row("blmpop", -5, WRITE, Keys::Counted { at: 2, first: 0 }, list::blmpop),
    row("blmovem", -6, WRITE, TWO, list::blmovem),
    // set.rs
    row("sadd", -3, WRITE, KEY, set::sadd),
    row("srem", -3, WRITE, KEY, set::srem),
    row("smove", 4, WRITE, TWO, set::smove),
    row("spop", -2, WRITE, KEY, set::spop),
    row("sinterstore", -3, WRITE, ALL, set::sinterstore),
    row("sunionstore", -3, WRITE, ALL, set::sunionstore),
    row("sdiffstore", -3, WRITE, ALL, set::sdiffstore),
    // zset.rs
    row("zadd", -4, WRITE, KEY, zset::zadd),
    row("zincrby", 4, WRITE, KEY, zset::zincrby),
    row("zrem", -3, WRITE, KEY, zset::zrem),
    row("zremrangebyrank", 4, WRITE, KEY, zset::zremrangebyrank),
    row("zremrangebyscore", 4, WRITE, KEY, zset::zremrangebyscore),
    row("zremrangebylex", 4, WRITE, KEY, zset::zremrangebylex),
    row("zpopmin", -2, WRITE, KEY, zset::zpopmin),
    row("zpopmax", -2, WRITE, KEY, zset::zpopmax),
    row("bzpopmin", -3, WRITE, Keys::Range { first: 1, last: -2, step: 1 }, zset::bzpopmin),
    row("bzpopmax", -3, WRITE, Keys::Range { first: 1, last: -2, step: 1 }, zset::bzpopmax),
    row("zmpop", -4, WRITE, Keys::Counted { at: 1, first: 0 }, zset::zmpop),
    row("bzmpop", -5, WRITE, Keys::Counted { at: 2, first: 0 }, zset::bzmpop),
    // zstore.rs
    row("zunionstore", -4, WRITE, Keys::Counted { at: 2, first: 1 }, zstore::zunionstore),
    row("zinterstore", -4, WRITE, Keys::Counted { at: 2, first: 1 }, zstore::zinterstore),
    row("zdiffstore", -4, WRITE, Keys::Counted { at: 2, first: 1 }, zstore::zdiffstore),
    row("zrangestore", -5, WRITE, TWO, zstore::zrangestore),
    // geo.rs
    row("geoadd", -5, WRITE, KEY, geo::geoadd),
    row("georadius", -6, WRITE, Keys::WithStore, geo::georadius),
    row("georadiusbymember", -5, WRITE, Keys::WithStore, geo::georadiusbymember),
    row("geosearchstore", -8, WRITE, TWO, geo::geosearchstore),
    // sort.rs
    row("sort", -2, WRITE, Keys::WithStore, sort::sort),
    // keys.rs
    row("del", -2, WRITE, ALL, keys::del),
    row("unlink", -2, WRITE, ALL, keys::unlink),
    row("rename", 3, WRITE, TWO, keys::rename),
    row("renamenx", 3, WRITE, TWO, keys::renamenx),
    row("copy", -3, WRITE, TWO, keys::copy),
    row("move", 3, WRITE, KEY, keys::move_key),
    row("persist", 2, WRITE, KEY, keys::persist),
    row("expire", -3, WRITE, KEY, keys::expire),
    row("pexpire", -3, WRITE, KEY, keys::pexpire),
    row("expireat", -3, WRITE, KEY, keys::expireat),
    row("pexpireat", -3, WRITE, KEY, keys::pexpireat),
    row("restore", -4, WRITE, KEY, keys::restore),
    row("restore-asking", -4, WRITE, KEY, keys::restore),
    // server.rs
    row("select", 2, SESSION, Keys::None, server::select),
    row("swapdb", 3, WRITE, Keys::None, server::swapdb),
    row("flushdb", -1, WRITE, Keys::None, server::flushdb),
    row("flushall", -1, WRITE, Keys::None, server::flushall),
    row("trimslots", -5, WRITE, Keys::None, server::trimslots),
    row("migrate", -6, WRITE, Keys::None, server::migrate),
    row("cluster", -2, CONTAINER, Keys::None, read::ignored),
    row("cluster|flushslot", -3, WRITE, Keys::None, server::cluster_flushslot),
    row("cluster|addslots", -3, ADMIN, Keys::None, server::administrative),
    row("cluster|addslotsrange", -4, ADMIN, Keys::None, server::administrative),
    row("cluster|bumpepoch", 2, ADMIN, Keys::None, server::administrative),
    row("cluster|cancelslotmigrations", 2, ADMIN, Keys::None, server::administrative),
    row("cluster|count-failure-reports", 3, ADMIN, Keys::None, server::administrative),
    row("cluster|countkeysinslot", 3, READ, Keys::None, read::ignored),
    row("cluster|delslots", -3, ADMIN, Keys::None, server::administrative),
    row("cluster|delslotsrange", -4, ADMIN, Keys::None, server::administrative),
    row("cluster|failover", -2, ADMIN, Keys::None, server::administrative),
    row("cluster|flushslots", 2, ADMIN, Keys::None, server::administrative),
    row("cluster|forget", 3, ADMIN, Keys::None, server::administrative),
    row("cluster|getkeysinslot", 4, READ, Keys::None, read::ignored),
    row("cluster|getslotmigrations", 2, ADMIN, Keys::None, server::administrative),
    row("cluster|help", 2, READ, Keys::None, read::ignored),
    row("cluster|info", 2, READ, Keys::None, read::ignored),
    row("cluster|keyslot", 3, READ, Keys::None, read::ignored),
    row("cluster|links", 2, READ, Keys::None, read::ignored),
    row("cluster|meet", -4, ADMIN, Keys::None, server::administrative),
    row("cluster|migrateslots", -4, ADMIN, Keys::None, server::administrative),
    row("cluster|migration", -4, ADMIN, Keys::None, server::administrative),
    row("cluster|myid", 2, READ, Keys::None, read::ignored),
    row("cluster|myshardid", 2, READ, Keys::None, read::ignored),
    row("cluster|nodes", 2, READ, Keys::None, read::ignored),
    row("cluster|replicas", 3, ADMIN, Keys::None, server::administrative),
    row("cluster|replicate", -3, ADMIN, Keys::None, server::administrative),
    row("cluster|reset", -2, ADMIN, Keys::None, server::administrative),
    row("cluster|saveconfig", 2, ADMIN, Keys::None, server::administrative),
    row("cluster|set-config-epoch", 3, ADMIN, Keys::None, server::administrative),
    row("cluster|setslot", -4, ADMIN, Keys::None, server::administrative),
    row("cluster|shards", 2, READ, Keys::None, read::ignored),
    row("cluster|slaves", 3, ADMIN, Keys::None, server::administrative),
    row("cluster|slot-stats", -4, READ, Keys::None, read::ignored),
    row("cluster|slots", 2, READ, Keys::None, read::ignored),
    row("cluster|syncslots", -3, ADMIN, Keys::None, server::administrative),
    // hash.rs
    row("hset", -4, WRITE, KEY, hash::hset),
    row("hmset", -4, WRITE, KEY, hash::hmset),
    row("hsetnx", 4, WRITE, KEY, hash::hsetnx),
    row("hdel", -3, WRITE, KEY, hash::hdel),
    row("hincrby", 4, WRITE, KEY, hash::hincrby),
    row("hincrbyfloat", 4, WRITE, KEY, hash::hincrbyfloat),
    row("hexpire", -6, WRITE, KEY, hash_expiry::hexpire),
    row("hpexpire", -6, WRITE, KEY, hash_expiry::hpexpire),
    row("hexpireat", -6, WRITE, KEY, hash_expiry::hexpireat),
    row("hpexpireat", -6, WRITE, KEY, hash_expiry::hpexpireat),
    row("hpersist", -5, WRITE, KEY, hash_expiry::hpersist),
    row("hgetex", -5, WRITE, KEY, hash_expiry::hgetex),
    row("hgetdel", -5, WRITE, KEY, hash_expiry::hgetdel),
    row("hsetex", -6, WRITE, KEY, hash_expiry::hsetex),
    // stream.rs
    row("xadd", -5, WRITE, KEY, stream::xadd),
    row("xtrim", -4, WRITE, KEY, stream::xtrim),
    row("xdel", -3, WRITE, KEY, stream::xdel),
    row("xdelex", -5, WRITE, KEY, stream::xdelex),
    row("xack", -4, WRITE, KEY, stream_group::xack),
    row("xackdel", -6, WRITE, KEY, stream_group::xackdel),
    row("xsetid", -3, WRITE, KEY, stream::xsetid),
    row("xclaim", -6, WRITE, KEY, stream_claim::xclaim),
    row("xautoclaim", -6, WRITE, KEY, stream_claim::xautoclaim),
    row("xreadgroup", -7, WRITE, Keys::Streams, stream_read::xreadgroup),
    row("xcfgset", -2, WRITE, KEY, stream_idmp::xcfgset),
    row("xidmprecord", 5, WRITE, KEY, stream_idmp::xidmprecord),
    row("xnack", -7, WRITE, KEY, stream_group::xnack),
    row("xgroup", -2, CONTAINER, Keys::None, read::ignored),
    row("xgroup|create", -5, WRITE, Keys::Range { first: 2, last: 2, step: 1 }, stream_group::xgroup_create),
    row("xgroup|setid", -5, WRITE, Keys::Range { first: 2, last: 2, step: 1 }, stream_group::xgroup_setid),
    row("xgroup|destroy", 4, WRITE, Keys::Range { first: 2, last: 2, step: 1 }, stream_group::xgroup_destroy),
    row("xgroup|createconsumer", 5, WRITE, Keys::Range { first: 2, last: 2, step: 1 }, stream_group::xgroup_createconsumer),
    row("xgroup|delconsumer", 5, WRITE, Keys::Range { first: 2, last: 2, step: 1 }, stream_group::xgroup_delconsumer),
    row("xgroup|help", 2, READ, Keys::None, read::ignored),
    // function.rs
    row("eval", -3, SCRIPT, Keys::Counted { at: 2, first: 0 }, function::eval),
    row("evalsha", -3, SCRIPT, Keys::Counted { at: 2, first: 0 }, function::evalsha),
    row("fcall", -3, SCRIPT, Keys::Counted { at: 2, first: 0 }, function::fcall),
    row("eval_ro", -3, SCRIPT, Keys::Counted { at: 2, first: 0 }, read::ignored),
    row("evalsha_ro", -3, SCRIPT, Keys::Counted { at: 2, first: 0 }, read::ignored),
    row("fcall_ro", -3, SCRIPT, Keys::Counted { at: 2, first: 0 }, read::ignored),
    row("function", -2, CONTAINER, Keys::None, read::ignored),
    row("function|load", -3, SCRIPT, Keys::None, function::function_load),
    row("function|delete", 3, SCRIPT, Keys::None, function::function_delete),
    row("function|flush", -2, SCRIPT, Keys::None, function::function_flush),
    row("function|restore", -3, SCRIPT, Keys::None, function::function_restore),
    row("function|dump", 2, READ, Keys::None, read::ignored),
    row("function|list", -2, READ, Keys::None, read::ignored),
    row("function|stats", 2, READ, Keys::None, read::ignored),
    row("function|help", 2, READ, Keys::None, read::ignored),
    row("function|kill", 2, READ, Keys::None, read::ignored),
    row("script", -2, CONTAINER, Keys::None, read::ignored),
    row("script|load", 3, SCRIPT, Keys::None, function::script_load),
    row("script|flush", -2, SCRIPT, Keys::None, function::script_flush),
    row("script|exists", -3, READ, Keys::None, read::ignored),
    row("script|debug", -3, READ, Keys::None, read::ignored),
    row("script|kill", 2, READ, Keys::None, read::ignored),
    row("script|help", 2, READ, Keys::None, read::ignored),
    row("script|show", 3, READ, Keys::None, read::ignored),
    // vector.rs
    row("vadd", -5, WRITE, KEY, vector::vadd),
    row("vrem", 3, WRITE, KEY, vector::vrem),
    row("vsetattr", 4, WRITE, KEY, vector::vsetattr),
    // array.rs
    row("arset", -4, WRITE, KEY, array::arset),
    row("armset", -4, WRITE, KEY, array::armset),
    row("arinsert", -3, WRITE, KEY, array::arinsert),
    row("arring", -4, WRITE, KEY, array::arring),
    row("arseek", 3, WRITE, KEY, array::arseek),
    row("ardel", -3, WRITE, KEY, array::ardel),
    row("ardelrange", -4, WRITE, KEY, array::ardelrange),
    // read.rs
    row("arcount", -2, READ, KEY, read::ignored),
    row("arget", -2, READ, KEY, read::ignored),
    row("argetrange", -2, READ, KEY, read::ignored),
    row("argrep", -2, READ, KEY, read::ignored),
    row("arinfo", -2, READ, KEY, read::ignored),
    row("arlastitems", -2, READ, KEY, read::ignored),
    row("arlen", -2, READ, KEY, read::ignored),
    row("armget", -2, READ, KEY, read::ignored),
    row("arnext", -2, READ, KEY, read::ignored),
    row("arop", -2, READ, KEY, read::ignored),
    row("arscan", -2, READ, KEY, read::ignored),
    row("asking", 1, READ, Keys::None, read::ignored),
    row("auth", -2, READ, Keys::None, read::ignored),
    row("bitcount", -2, READ, KEY, read::ignored),
    row("bitfield_ro", -2, READ, KEY, read::ignored),
    row("bitpos", -3, READ, KEY, read::ignored),
    row("client", -2, CONTAINER, Keys::None, read::ignored),
    row("client|caching", 3, READ, Keys::None, read::ignored),
    row("client|capa", -3, READ, Keys::None, read::ignored),
    row("client|getname", 2, READ, Keys::None, read::ignored),
    row("client|getredir", 2, READ, Keys::None, read::ignored),
    row("client|help", 2, READ, Keys::None, read::ignored),
    row("client|id", 2, READ, Keys::None, read::ignored),
    row("client|import-source", 3, READ, Keys::None, read::ignored),
    row("client|info", 2, READ, Keys::None, read::ignored),
    row("client|kill", -3, READ, Keys::None, read::ignored),
    row("client|list", -2, READ, Keys::None, read::ignored),
    row("client|no-evict", 3, READ, Keys::None, read::ignored),
    row("client|no-touch", 3, READ, Keys::None, read::ignored),
    row("client|pause", -3, READ, Keys::None, read::ignored),
    row("client|reply", 3, READ, Keys::None, read::ignored),
    row("client|setinfo", 4, READ, Keys::None, read::ignored),
    row("client|setname", 3, READ, Keys::None, read::ignored),
    row("client|tracking", -3, READ, Keys::None, read::ignored),
    row("client|trackinginfo", 2, READ, Keys::None, read::ignored),
    row("client|unblock", -3, READ, Keys::None, read::ignored),
    row("client|unpause", 2, READ, Keys::None, read::ignored),
    row("clusterscan", -2, READ, KEY, read::ignored),
    row("command", -1, CONTAINER, Keys::None, read::ignored),
    row("command|count", 2, READ, Keys::None, read::ignored),
    row("command|docs", -2, READ, Keys::None, read::ignored),
    row("command|getkeys", -3, READ, Keys::None, read::ignored),
    row("command|getkeysandflags", -3, READ, Keys::None, read::ignored),
    row("command|help", 2, READ, Keys::None, read::ignored),
    row("command|info", -2, READ, Keys::None, read::ignored),
    row("command|list", -2, READ, Keys::None, read::ignored),
    row("commandlog", -2, CONTAINER, Keys::None, read::ignored),
    row("commandlog|get", 4, READ, Keys::None, read::ignored),
    row("commandlog|help", 2, READ, Keys::None, read::ignored),
    row("commandlog|len", 3, READ, Keys::None, read::ignored),
    row("commandlog|reset", 3, READ, Keys::None, read::ignored),
    row("dbsize", 1, READ, Keys::None, read::ignored),
    row("digest", 2, READ, KEY, read::ignored),
    row("dump", 2, READ, KEY, read::ignored),
    row("echo", 2, READ, Keys::None, read::ignored),
    row("exists", -2, READ, ALL, read::ignored),
    row("expiretime", 2, READ, KEY, read::ignored),
    row("geodist", -4, READ, KEY, read::ignored),
    row("geohash", -2, READ, KEY, read::ignored),
    row("geopos", -2, READ, KEY, read::ignored),
    row("georadius_ro", -6, READ, KEY, read::ignored),
    row("georadiusbymember_ro", -5, READ, KEY, read::ignored),
    row("geosearch", -7, READ, KEY, read::ignored),
    row("get", 2, READ, KEY, read::ignored),
    row("getbit", 3, READ, KEY, read::ignored),
    row("getrange", 4, READ, KEY, read::ignored),
    row("hello", -1, READ, Keys::None, read::ignored),
    row("hexists", 3, READ, KEY, read::ignored),
    row("hexpiretime", -5, READ, KEY, read::ignored),
    row("hget", 3, READ, KEY, read::ignored),
    row("hgetall", 2, READ, KEY, read::ignored),
    row("himport", -2, READ, Keys::None, read::ignored),
    row("hkeys", 2, READ, KEY, read::ignored),
    row("hlen", 2, READ, KEY, read::ignored),
    row("hmget", -3, READ, KEY, read::ignored),
    row("hotkeys", -2, CONTAINER, Keys::None, read::ignored),
    row("hotkeys|get", 2, READ, Keys::None, read::ignored),
    row("hotkeys|help", 2, READ, Keys::None, read::ignored),
    row("hotkeys|reset", 2, READ, Keys::None, read::ignored),
    row("hotkeys|start", -2, READ, Keys::None, read::ignored),
    row("hotkeys|stop", 2, READ, Keys::None, read::ignored),
    row("hpexpiretime", -5, READ, KEY, read::ignored),
    row("hpttl", -5, READ, KEY, read::ignored),
    row("hrandfield", -2, READ, KEY, read::ignored),
    row("hscan", -3, READ, KEY, read::ignored),
    row("hstrlen", 3, READ, KEY, read::ignored),
    row("httl", -5, READ, KEY, read::ignored),
    row("hvals", 2, READ, KEY, read::ignored),
    row("info", -1, READ, Keys::None, read::ignored),
    row("keys", 2, READ, Keys::None, read::ignored),
    row("lastsave", 1, READ, Keys::None, read::ignored),
    row("latency", -2, CONTAINER, Keys::None, read::ignored),
    row("latency|doctor", 2, READ, Keys::None, read::ignored),
    row("latency|graph", 3, READ, Keys::None, read::ignored),
    row("latency|help", 2, READ, Keys::None, read::ignored),
    row("latency|histogram", -2, READ, Keys::None, read::ignored),
    row("latency|history", 3, READ, Keys::None, read::ignored),
    row("latency|latest", 2, READ, Keys::None, read::ignored),
    row("latency|reset", -2, READ, Keys::None, read::ignored),
    row("lcs", -3, READ, TWO, read::ignored),
    row("lindex", 3, READ, KEY, read::ignored),
    row("llen", 2, READ, KEY, read::ignored),
    row("lolwut", -1, READ, Keys::None, read::ignored),
    row("lpos", -3, READ, KEY, read::ignored),
    row("lrange", 4, READ, KEY, read::ignored),
    row("memory", -2, CONTAINER, Keys::None, read::ignored),
    row("memory|doctor", 2, READ, Keys::None, read::ignored),
    row("memory|help", 2, READ, Keys::None, read::ignored),
    row("memory|malloc-stats", 2, READ, Keys::None, read::ignored),
    row("memory|purge", 2, READ, Keys::None, read::ignored),
    row("memory|stats", 2, READ, Keys::None, read::ignored),
    row("memory|usage", -3, READ, Keys::Range { first: 2, last: 2, step: 1 }, read::ignored),
    row("mget", -2, READ, ALL, read::ignored),
    row("monitor", 1, READ, Keys::None, read::ignored),
    row("object", -2, CONTAINER, Keys::None, read::ignored),
    row("object|encoding", 3, READ, Keys::Range { first: 2, last: 2, step: 1 }, read::ignored),
    row("object|freq", 3, READ, Keys::Range { first: 2, last: 2, step: 1 }, read::ignored),
    row("object|help", 2, READ, Keys::None, read::ignored),
    row("object|idletime", 3, READ, Keys::Range { first: 2, last: 2, step: 1 }, read::ignored),
    row("object|refcount", 3, READ, Keys::Range { first: 2, last: 2, step: 1 }, read::ignored),
    row("pexpiretime", 2, READ, KEY, read::ignored),
    row("pfselftest", 1, READ, Keys::None, read::ignored),
    row("ping", -1, READ, Keys::None, read::ignored),
    row("psubscribe", -2, READ, Keys::None, read::ignored),
    row("pttl", 2, READ, KEY, read::ignored),
    row("publish", 3, READ, Keys::None, read::ignored),
    row("pubsub", -2, CONTAINER, Keys::None, read::ignored),
    row("pubsub|channels", -2, READ, Keys::None, read::ignored),
    row("pubsub|help", 2, READ, Keys::None, read::ignored),
    row("pubsub|numpat", 2, READ, Keys::None, read::ignored),
    row("pubsub|numsub", -2, READ, Keys::None, read::ignored),
    row("pubsub|shardchannels", -2, READ, Keys::None, read::ignored),
    row("pubsub|shardnumsub", -2, READ, Keys::None, read::ignored),
    row("punsubscribe", -1, READ, Keys::None, read::ignored),
    row("quit", -1, READ, Keys::None, read::ignored),
    row("randomkey", 1, READ, Keys::None, read::ignored),
    row("readonly", 1, READ, Keys::None, read::ignored),
    row("readwrite", 1, READ, Keys::None, read::ignored),
    row("reset", 1, READ, Keys::None, read::ignored),
    row("role", 1, READ, Keys::None, read::ignored),
    row("scan", -2, READ, Keys::None, read::ignored),
    row("scard", 2, READ, KEY, read::ignored),
    row("sdiff", -2, READ, ALL, read::ignored),
    row("sdiffcard", -2, READ, Keys::Counted { at: 1, first: 0 }, read::ignored),
    row("sinter", -2, READ, ALL, read::ignored),
    row("sintercard", -3, READ, Keys::Counted { at: 1, first: 0 }, read::ignored),
    row("sismember", 3, READ, KEY, read::ignored),
    row("slowlog", -2, CONTAINER, Keys::None, read::ignored),
    row("slowlog|get", -2, READ, Keys::None, read::ignored),
    row("slowlog|help", 2, READ, Keys::None, read::ignored),
    row("slowlog|len", 2, READ, Keys::None, read::ignored),
    row("slowlog|reset", 2, READ, Keys::None, read::ignored),
    row("smembers", 2, READ, KEY, read::ignored),
    row("smismember", -3, READ, KEY, read::ignored),
    row("sort_ro", -2, READ, Keys::WithStore, read::ignored),
    row("spublish", 3, READ, KEY, read::ignored),
    row("srandmember", -2, READ, KEY, read::ignored),
    row("sscan", -3, READ, KEY, read::ignored),
    row("ssubscribe", -2, READ, ALL, read::ignored),
    row("stralgo", -2, READ, Keys::None, read::ignored),
    row("strlen", 2, READ, KEY, read::ignored),
    row("subscribe", -2, READ, Keys::None, read::ignored),
    row("substr", 4, READ, KEY, read::ignored),
    row("sunion", -2, READ, ALL, read::ignored),
    row("sunioncard", -2, READ, Keys::Counted { at: 1, first: 0 }, read::ignored),
    row("sunsubscribe", -1, READ, ALL, read::ignored),
    row("time", 1, READ, Keys::None, read::ignored),
    row("touch", -2, READ, ALL, read::ignored),
    row("ttl", 2, READ, KEY, read::ignored),
    row("type", 2, READ, KEY, read::ignored),
    row("unsubscribe", -1, READ, Keys::None, read::ignored),
    row("unwatch", 1, READ, Keys::None, read::ignored),
    row("vcard", 2, READ, KEY, read::ignored),
    row("vdim", 2, READ, KEY, read::ignored),
    row("vemb", -3, READ, KEY, read::ignored),
    row("vgetattr", 3, READ, KEY, read::ignored),
    row("vinfo", 2, READ, KEY, read::ignored),
    row("vismember", 3, READ, KEY, read::ignored),
    row("vlinks", -3, READ, KEY, read::ignored),
    row("vrandmember", -2, READ, KEY, read::ignored),
    row("vrange", -4, READ, KEY, read::ignored),
    row("vsim", -4, READ, KEY, read::ignored),
    row("wait", 3, READ, Keys::None, read::ignored),
    row("waitaof", 4, READ, Keys::None, read::ignored),
    row("watch", -2, READ, ALL, read::ignored),
    row("xinfo", -2, CONTAINER, Keys::None, read::ignored),
    row("xinfo|consumers", 4, READ, Keys::Range { first: 2, last: 2, step: 1 }, read::ignored),
    row("xinfo|groups", 3, READ, Keys::Range { first: 2, last: 2, step: 1 }, read::ignored),
    row("xinfo|help", 2, READ, Keys::None, read::ignored),
    row("xinfo|stream", -3, READ, Keys::Range { first: 2, last: 2, step: 1 }, read::ignored),
    row("xlen", 2, READ, KEY, read::ignored),
    row("xpending", -3, READ, KEY, read::ignored),
    row("xrange", -4, READ, KEY, read::ignored),
    row("xread", -4, READ, Keys::Streams, read::ignored),
    row("xrevrange", -4, READ, KEY, read::ignored),
    row("zcard", 2, READ, KEY, read::ignored),
    row("zcount", 4, READ, KEY, read::ignored),
    row("zdiff", -3, READ, Keys::Counted { at: 1, first: 0 }, read::ignored),
    row("zinter", -3, READ, Keys::Counted { at: 1, first: 0 }, read::ignored),
    row("zintercard", -3, READ, Keys::Counted { at: 1, first: 0 }, read::ignored),
    row("zlexcount", 4, READ, KEY, read::ignored),
    row("zmscore", -3, READ, KEY, read::ignored),
    row("zrandmember", -2, READ, KEY, read::ignored),
    row("zrange", -4, READ, KEY, read::ignored),
    row("zrangebylex", -4, READ, KEY, read::ignored),
    row("zrangebyscore", -4, READ, KEY, read::ignored),
    row("zrank", -3, READ, KEY, read::ignored),
    row("zrevrange", -4, READ, KEY, read::ignored),
    row("zrevrangebylex", -4, READ, KEY, read::ignored),
    row("zrevrangebyscore", -4, READ, KEY, read::ignored),
    row("zrevrank", -3, READ, KEY, read::ignored),
    row("zscan", -3, READ, KEY, read::ignored),
    row("zscore", 3, READ, KEY, read::ignored),
    row("zunion", -3, READ, Keys::Counted { at: 1, first: 0 }, read::ignored),
    // What a server runs and no log holds.
    row("acl", -2, CONTAINER, Keys::None, read::ignored),
    row("acl|cat", -2, ADMIN, Keys::None, server::administrative),
    row("acl|deluser", -3, ADMIN, Keys::None, server::administrative),
    row("acl|dryrun", -4, ADMIN, Keys::None, server::administrative),
    row("acl|genpass", -2, ADMIN, Keys::None, server::administrative),
    row("acl|getuser", 3, ADMIN, Keys::None, server::administrative),
    row("acl|help", 2, ADMIN, Keys::None, server::administrative),
    row("acl|list", 2, ADMIN, Keys::None, server::administrative),
    row("acl|load", 2, ADMIN, Keys::None, server::administrative),
    row("acl|log", -2, ADMIN, Keys::None, server::administrative),
    row("acl|save", 2, ADMIN, Keys::None, server::administrative),
    row("acl|setuser", -3, ADMIN, Keys::None, server::administrative),
    row("acl|users", 2, ADMIN, Keys::None, server::administrative),
    row("acl|whoami", 2, ADMIN, Keys::None, server::administrative),
    row("bgrewriteaof", 1, ADMIN, Keys::None, server::administrative),
    row("bgsave", -1, ADMIN, Keys::None, server::administrative),
    row("config", -2, CONTAINER, Keys::None, read::ignored),
    row("config|get", -3, ADMIN, Keys::None, server::administrative),
    row("config|help", 2, ADMIN, Keys::None, server::administrative),
    row("config|resetstat", 2, ADMIN, Keys::None, server::administrative),
    row("config|rewrite", 2, ADMIN, Keys::None, server::administrative),
    row("config|set", -4, ADMIN, Keys::None, server::administrative),
    row("debug", -2, ADMIN, Keys::None, server::administrative),
    row("failover", -1, ADMIN, Keys::None, server::administrative),
    row("host:", -1, ADMIN, Keys::None, server::administrative),
    row("module", -2, CONTAINER, Keys::None, read::ignored),
    row("module|help", 2, ADMIN, Keys::None, server::administrative),
    row("module|list", 2, ADMIN, Keys::None, server::administrative),
    row("module|load", -3, ADMIN, Keys::None, server::administrative),
    row("module|loadex", -3, ADMIN, Keys::None, server::administrative),
    row("module|unload", 3, ADMIN, Keys::None, server::administrative),
    row("post", -1, ADMIN, Keys::None, server::administrative),
    row("psync", -3, ADMIN, Keys::None, server::administrative),
    row("replconf", -1, ADMIN, Keys::None, server::administrative),
    row("replicaof", 3, ADMIN, Keys::None, server::administrative),
    row("save", 1, ADMIN, Keys::None, server::administrative),
    row("shutdown", -1, ADMIN, Keys::None, server::administrative),
    row("slaveof", 3, ADMIN, Keys::None, server::administrative),
    row("sync", 1, ADMIN, Keys::None, server::administrative),
    // txn.rs does these before the table is asked.
    row("multi", 1, SESSION, Keys::None, server::transaction),
    row("exec", 1, SESSION, Keys::None, server::transaction),
    row("discard", 1, SESSION, Keys::None, server::transaction),
];
