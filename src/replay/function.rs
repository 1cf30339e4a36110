//! Functions and scripts.

use std::collections::BTreeSet;

use sha1::{Digest as _, Sha1};

use super::reply::SYNTAX;
use super::{Args, Reject, Replayer, Reply};
use crate::bytes::crc64::crc64;
use crate::model::function::library_name;
use crate::rdb::RdbString;
use crate::rdb::constants::Opcode;
use crate::rdb::string::string;
use crate::store::Bytes;

const NO_NAME: Reject = Reject::error("ERR Missing library metadata");
const SCRIPTS_OFF: Reject = Reject::unsupported("a script, which was not asked to be run");
const EXISTS: Reject = Reject::error("ERR Library already exists");

/// `EVAL body n key .. arg ..`: runs a script and remembers it for EVALSHA.
pub(super) fn eval<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let sha: [u8; 20] = Sha1::digest(args.get(1)).into();
    let body = args.bytes(1);
    let scripts = &mut replayer.store.scripts;
    scripts.entry(sha).or_insert_with(|| body.clone());
    run_script(replayer, args, sha, &body)
}

/// `EVALSHA sha n key .. arg ..`: runs a script that an EVAL or SCRIPT LOAD has shown.
pub(super) fn evalsha<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    const UNKNOWN: Reject = Reject::error("NOSCRIPT No matching script. Please use EVAL.");
    let sha = parse_sha(args.get(1)).ok_or(UNKNOWN)?;
    let body = replayer.store.scripts.get(&sha).ok_or(UNKNOWN)?.clone();
    run_script(replayer, args, sha, &body)
}

fn parse_sha(hex: &[u8]) -> Option<[u8; 20]> {
    let (pairs, rest) = hex.as_chunks::<2>();
    let mut sha = [0; 20];
    if !rest.is_empty() || pairs.len() != sha.len() {
        return None;
    }
    for (byte, pair) in sha.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = (high? << 4 | low?) as u8;
    }
    Some(sha)
}

#[cfg(feature = "lua")]
fn run_script<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    sha: [u8; 20],
    body: &[u8],
) -> Result<Reply<'a>, Reject> {
    if !replayer.options().scripts {
        return Err(SCRIPTS_OFF);
    }
    let keys = args.int(2)?;
    let given = args.len() - 3;
    let keys =
        usize::try_from(keys).map_err(|_| Reject::error("ERR Number of keys can't be negative"))?;
    if keys > given {
        return Err(Reject::error(
            "ERR Number of keys can't be greater than number of args",
        ));
    }
    let texts = |from: usize, to: usize| (from..to).map(|at| args.get(at).to_vec()).collect();
    let (keys, args) = (texts(3, 3 + keys), texts(3 + keys, args.len()));
    crate::script::eval(replayer, sha, body, keys, args)
}

#[cfg(not(feature = "lua"))]
fn run_script<'a>(
    _: &mut Replayer<'a>,
    _: Args<'_, 'a>,
    _: [u8; 20],
    _: &[u8],
) -> Result<Reply<'a>, Reject> {
    Err(SCRIPTS_OFF)
}

/// `FCALL function n key .. arg ..`: stands in no server's log, which holds what the
/// function did.
pub(super) fn fcall<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("FCALL; servers log its effect"))
}

/// `FUNCTION LOAD [REPLACE] code`: keeps the library; no function of it is run, because
/// since 7.0 logs hold what functions did.
pub(super) fn function_load<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let last = args.len() - 1;
    let replace = args.is(2, "REPLACE") && last == 3;
    if last != 2 && !replace {
        return Err(Reject::error("ERR Unknown option given"));
    }
    let code = args.bytes(last);
    let name = Bytes::copied(library_name(&code).ok_or(NO_NAME)?);
    if !replace && replayer.store.functions.contains_key(&*name) {
        return Err(EXISTS);
    }
    replayer.store.functions.insert(name.clone(), code);
    Ok(Reply::Bulk(name.into()))
}

/// `FUNCTION DELETE library`
pub(super) fn function_delete<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    match replayer.store.functions.remove(args.get(2)) {
        Some(_) => Ok(Reply::Ok),
        None => Err(Reject::error("ERR Library not found")),
    }
}

/// `FUNCTION FLUSH [ASYNC | SYNC]`
pub(super) fn function_flush<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    check_flush_mode(args)?;
    replayer.store.functions.clear();
    Ok(Reply::Ok)
}

/// The mode that may follow FLUSH.
fn check_flush_mode(args: Args<'_, '_>) -> Result<(), Reject> {
    match args.len() {
        2 => Ok(()),
        3 if args.is(2, "ASYNC") || args.is(2, "SYNC") => Ok(()),
        _ => Err(SYNTAX),
    }
}

/// `FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]`: the libraries of FUNCTION
/// DUMP, all or none of them.
pub(super) fn function_restore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let policy = args.len() - 3;
    let (flush, replace) = match policy {
        0 => (false, false),
        1 if args.is(3, "APPEND") => (false, false),
        1 if args.is(3, "FLUSH") => (true, false),
        1 if args.is(3, "REPLACE") => (false, true),
        _ => return Err(SYNTAX),
    };
    let libraries = match args.in_log(2) {
        Some(payload) => libraries(payload, Bytes::borrowed),
        None => libraries(args.get(2), Bytes::copied),
    }?;
    let mut names = BTreeSet::new();
    for (name, _) in &libraries {
        let taken = !flush && !replace && replayer.store.functions.contains_key(&**name);
        if taken || !names.insert(name) {
            return Err(EXISTS);
        }
    }
    if flush {
        replayer.store.functions.clear();
    }
    replayer.store.functions.extend(libraries);
    Ok(Reply::Ok)
}

/// Libraries in a payload: `f5 string` for each, then version and CRC64 as after a
/// DUMP. `keep` makes bytes of what stands raw in it.
fn libraries<'p, 'a>(
    payload: &'p [u8],
    keep: impl Fn(&'p [u8]) -> Bytes<'a>,
) -> Result<Vec<(Bytes<'a>, Bytes<'a>)>, Reject> {
    const DAMAGED: Reject = Reject::error("ERR DUMP payload version or checksum are wrong");
    let (hashed, crc) = payload.split_last_chunk().ok_or(DAMAGED)?;
    let (mut body, version) = hashed.split_last_chunk().ok_or(DAMAGED)?;
    let stored = u64::from_le_bytes(*crc);
    // As in a DUMP payload, from version 13 on 0 means that none was computed.
    let disabled = stored == 0 && u16::from_le_bytes(*version) >= 13;
    if !disabled && stored != crc64(hashed) {
        return Err(DAMAGED);
    }
    let mut libraries = Vec::new();
    while let Some((&opcode, rest)) = body.split_first() {
        if Opcode(opcode) != Opcode::FUNCTION2 {
            return Err(Reject::error("ERR given type is not a function"));
        }
        let (rest, code) =
            string(rest).map_err(|_| Reject::error("ERR failed loading functions payload"))?;
        let code = match code {
            RdbString::Raw(raw) => keep(raw),
            other => match other.to_vec() {
                Ok(code) => code.into(),
                Err(_) => return Err(Reject::error("ERR failed loading functions payload")),
            },
        };
        let name = Bytes::copied(library_name(&code).ok_or(NO_NAME)?);
        libraries.push((name, code));
        body = rest;
    }
    Ok(libraries)
}

/// `SCRIPT LOAD body`: keeps the script for EVALSHA.
pub(super) fn script_load<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let body = args.bytes(2);
    let sha: [u8; 20] = Sha1::digest(&*body).into();
    replayer.store.scripts.insert(sha, body);
    let hex = sha.iter().fold(String::new(), |mut hex, byte| {
        use std::fmt::Write as _;
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok(Reply::Bulk(hex.into_bytes().into()))
}

/// `SCRIPT FLUSH [ASYNC | SYNC]`
pub(super) fn script_flush<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    check_flush_mode(args)?;
    replayer.store.scripts.clear();
    // With the scripts goes what they have left in Lua.
    #[cfg(feature = "lua")]
    {
        replayer.scripting = None;
    }
    Ok(Reply::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::testing::Session;

    #[test]
    fn libraries_come_and_go() {
        Session::new().all(&[
            ("FUNCTION LOAD #!lua\tname=a\nx", "a"),
            ("FUNCTION LOAD #!lua\tname=a\ny", "!ERR"),
            ("FUNCTION LOAD REPLACE #!lua\tname=a\ny", "a"),
            ("FUNCTION LOAD KEEP #!lua\tname=a\ny", "!ERR"),
            ("FUNCTION LOAD x", "!ERR"),
            ("FUNCTION DELETE b", "!ERR"),
            ("FUNCTION DELETE a", "OK"),
            ("FUNCTION LOAD #!lua\tname=a\nx", "a"),
            ("FUNCTION FLUSH NOW", "!ERR"),
            ("FUNCTION FLUSH async", "OK"),
            ("FUNCTION DELETE a", "!ERR"),
            ("SCRIPT LOAD x", "11f6ad8ec52a2984abaafd7c3b516503785c2072"),
            ("SCRIPT FLUSH", "OK"),
        ]);
    }

    #[test]
    fn payloads_of_function_dump_are_restored() {
        let mut payload = Vec::new();
        for code in [b"#!lua name=a\n1", b"#!lua name=b\n2"] {
            payload.extend([Opcode::FUNCTION2.0, code.len() as u8]);
            payload.extend(code);
        }
        payload.extend(10u16.to_le_bytes());
        let crc = crc64(&payload);
        payload.extend(crc.to_le_bytes());
        let mut session = Session::new();
        let restore = |session: &mut Session, policy: &[u8]| {
            let words = [b"FUNCTION", &b"RESTORE"[..], &payload, policy];
            session.0.call(&words).is_ok()
        };
        session.run("FUNCTION LOAD #!lua\tname=b\n3");
        session.run("FUNCTION LOAD #!lua\tname=c\n3");
        assert!(!restore(&mut session, b"APPEND"));
        assert_eq!(session.0.store.functions.len(), 2);
        assert!(restore(&mut session, b"REPLACE"));
        assert_eq!(session.0.store.functions.len(), 3);
        assert!(restore(&mut session, b"FLUSH"));
        assert_eq!(session.0.store.functions.len(), 2);
        for len in 0..payload.len() {
            let words = [b"FUNCTION", &b"RESTORE"[..], &payload[..len]];
            assert!(session.0.call(&words).is_err(), "{len} bytes");
        }
    }
}
