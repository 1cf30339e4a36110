//! Edges of commands, in logs that are loaded and replayed: DEBUG DIGEST and everything
//! else that a log determines are the same.

mod util;

use rdbkit::num::Flavor;
use rdbkit::ops::log::Log;
use rdbkit::store::Store;
use rdbkit::store::digest::digest_store;
use util::replayed::{describe, flavor, replay};
use util::resp::encode;
use util::server::{Release, Server, old_servers, server_named, servers};

/// A log of commands whose words are set apart by one blank; two blanks make an empty
/// word. A line that begins with `#` is an annotation.
fn log_of(lines: &[&str]) -> Vec<u8> {
    let mut log = Vec::new();
    for line in lines {
        if line.starts_with('#') {
            log.extend_from_slice(line.as_bytes());
            log.extend_from_slice(b"\r\n");
        } else {
            encode(&line.split(' ').collect::<Vec<_>>(), &mut log);
        }
    }
    log
}

fn digest(store: &Store<'_>, release: &Release) -> String {
    let digest = digest_store(store, flavor(release), 0);
    digest.expect("known").to_string()
}

/// Loads a log into each server that `has` what it takes, and replays it.
fn compare(has: fn(&Release) -> bool, lines: &[&str]) {
    let log = vec![log_of(lines)];
    for release in servers().into_iter().chain(old_servers()).filter(has) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("appendonly.aof");
        std::fs::write(&path, &log[0]).unwrap();
        let server = Server::load_aof(release, &path).unwrap_or_else(|log| panic!("{log}"));
        let ours = replay(&log, &release, release.name);
        assert_eq!(digest(&ours, &release), server.digest(), "{}", release.name);
        let rdb = vec![std::fs::read(server.save()).unwrap()];
        let theirs = replay(&rdb, &release, release.name);
        let counters = release.has_stream_counters();
        let (ours, theirs) = (describe(&ours, counters), describe(&theirs, counters));
        // A file has no empty attributes of vectors.
        let ours = ours
            .into_iter()
            .map(|(key, text)| (key, text.replace("Some(\"\")", "None")))
            .collect::<std::collections::BTreeMap<_, _>>();
        assert_eq!(ours, theirs, "{}", release.name);
    }
}

#[test]
fn an_index_of_a_list_has_32_bits_since_7_2() {
    compare(
        |release| release.redis_since(7, 2),
        &[
            "RPUSH l a b c",
            "LSET l 4294967296 first",
            "LSET l 4294967295 last",
            "RPUSH m a b c",
            "LSET m -9223372036854775808 first",
        ],
    );
}

#[test]
fn places_on_the_edge_of_the_world_are_found() {
    compare(
        |release| release.redis_since(6, 2),
        &[
            "GEOADD g 117.35541790723800659 85.05112878 pole",
            "GEOADD g 180 85.05112878 corner",
            "GEOADD g 180 10 date-line",
            "GEOADD g -180 -85.05112878 other-corner",
            "GEOADD g 10 -85.05112878 south",
            "GEORADIUSBYMEMBER g pole 1 km STORE d1",
            "GEORADIUSBYMEMBER g corner 1 km STORE d2",
            "GEORADIUSBYMEMBER g date-line 1 km STORE d3",
            "GEORADIUSBYMEMBER g other-corner 1 km STORE d4",
            "GEORADIUSBYMEMBER g south 1 km STORE d5",
            "GEORADIUSBYMEMBER g pole 5000 km STORE d6",
            "GEOSEARCHSTORE d7 g FROMMEMBER corner BYBOX 3000 3000 km",
            "GEOSEARCHSTORE d8 g FROMLONLAT 180 85.05112878 BYRADIUS 20000 km",
            "GEOSEARCHSTORE d9 g FROMLONLAT 0 85.05112878 BYRADIUS 100 km",
        ],
    );
}

#[test]
fn a_claim_of_any_age_takes_what_was_delivered_after_the_annotation() {
    compare(
        |release| release.redis_since(7, 0),
        &[
            "#TS:1700000000",
            "XADD x 1-0 a b",
            "XGROUP CREATE x g 0",
            "XCLAIM x g ann 0 1-0 TIME 1700000000500 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
            "XCLAIM x g bob 0 1-0 TIME 1700000000600 RETRYCOUNT 2 FORCE JUSTID LASTID 1-0",
        ],
    );
}

#[test]
fn empty_attributes_of_a_new_vector_count() {
    compare(
        Release::has_vector_sets,
        &[
            "VADD none VALUES 3 1 -2 3 a",
            "VADD empty VALUES 3 1 -2 3 a SETATTR ",
            "VADD emptied VALUES 3 1 -2 3 a SETATTR text",
            "VADD emptied VALUES 3 1 -2 3 a SETATTR ",
            "VADD taken VALUES 3 1 -2 3 a SETATTR text",
            "VSETATTR taken a ",
        ],
    );
}

#[test]
fn fields_of_bits_keep_to_their_widths_as_servers_do() {
    let least = i64::MIN.to_string();
    let most = i64::MAX.to_string();
    let numbers = [&*least, &*most, "0", "-5", "5", "-64", "63", "100", "-100"];
    let mut lines = Vec::new();
    for kind in ["i1", "i7", "i33", "i63", "i64", "u1", "u7", "u63"] {
        for (first, second) in numbers.iter().flat_map(|a| numbers.map(|b| (*a, b))) {
            for how in ["WRAP", "SAT", "FAIL"] {
                for act in ["SET", "INCRBY"] {
                    let key = format!("{kind}:{first}:{second}:{how}:{act}");
                    let second = format!("OVERFLOW {how} {act} {kind} 8 {second}");
                    lines.push(format!("BITFIELD {key} SET {kind} 8 {first} {second}"));
                }
            }
        }
    }
    let lines: Vec<_> = lines.iter().map(|line| &**line).collect();
    compare(|release| release.redis_since(3, 2), &lines);
}

#[test]
fn a_set_that_an_older_server_began_is_of_the_later_one() {
    let Some(old) = server_named("redis-6.2.14") else {
        return;
    };
    let server = Server::start(old, &["--appendonly", "yes"]);
    server.client().ok(&["ZADD", "z", "0.1", "a"]);
    server.rewrite_aof();
    let log = Log::open(server.aof()).unwrap();
    assert_eq!(
        (log.flavor(), log.is_taken_over()),
        (Flavor::redis(6, 2), false)
    );
    // Which of those without offsets it is, nothing says.
    for (name, flavor, is_taken_over) in [
        ("redis-7.0.15", Flavor::redis(7, 0), true),
        ("valkey-8.1.8", Flavor::redis(7, 0), true),
        ("redis-8.2.3", Flavor::redis(8, 6), false),
    ] {
        let Some(release) = server_named(name) else {
            continue;
        };
        let later = Server::load_aof(release, &server.aof()).unwrap();
        later.client().ok(&["ZADD", "z", "0.2", "b"]);
        let log = Log::open(later.aof()).unwrap();
        assert_eq!(
            (log.flavor(), log.is_taken_over()),
            (flavor, is_taken_over),
            "{name}"
        );
    }
}

#[test]
fn empty_fields_are_numbers_in_old_releases() {
    compare(
        |release| !release.redis_since(3, 2),
        &[
            "HSET h a ",
            "HINCRBY h a 3",
            "HSET h b +5",
            "HINCRBY h b 1",
            "SET s ",
            "INCR s",
        ],
    );
    compare(
        |release| !release.redis_since(6, 0),
        &["HSET h a ", "HINCRBYFLOAT h a 1.5"],
    );
}

#[test]
fn a_moved_key_keeps_its_deadline_since_3_0() {
    compare(
        |_| true,
        &["SET k v", "PEXPIREAT k 4102444800000", "MOVE k 3"],
    );
}
