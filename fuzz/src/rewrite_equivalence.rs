//! What a log leaves is what its compact form leaves, in commands and in an RDB.

use std::io::Cursor;

use rdbkit::input::{Input, Kind, OpenOptions};
use rdbkit::keyset::join::Side;
use rdbkit::ops::diff::{Diff, DiffOptions};
use rdbkit::ops::log::Log;
use rdbkit::ops::replay::{LogPart, ReplayOptions, Replayed, replay_log};
use rdbkit::ops::rewrite::Rewriter;
use rdbkit::rdb::Target;

/// Replays at a fixed time.
fn replay(bytes: &[u8]) -> (Replayed<'_>, bool) {
    let part = LogPart { name: None, bytes };
    let mut options = ReplayOptions::default();
    options.replay.now = rdbkit::replay::Now::At(1_700_000_000_000);
    let mut is_clean = true;
    let replayed = replay_log(&[part], &options, &mut |_| is_clean = false);
    let replayed = replayed.expect("only a bad place to stop at is an error");
    let is_clean = is_clean && replayed.exact;
    (replayed, is_clean)
}

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else {
        return;
    };
    let (before, is_clean) = replay(bytes);
    if !is_clean || before.losses.loses_data() {
        return;
    }
    let options = OpenOptions::new().as_kind(Kind::Aof);
    let Ok(input) = Input::from_reader("log", Cursor::new(bytes.to_vec()), &options) else {
        return;
    };
    let Ok(log) = Log::of_input(input) else {
        return;
    };
    let target = Target::named("redis-8.10").expect("a release");
    let mut replay_options = ReplayOptions::default();
    replay_options.replay.now = rdbkit::replay::Now::At(1_700_000_000_000);
    let rewriter = Rewriter::new()
        .target(target)
        .replay(replay_options)
        .preamble(choice & 1 != 0);
    let (out, _) = match rewriter.rewrite(&log, Vec::new(), &mut |_| {}) {
        Ok(rewritten) => rewritten,
        Err(error) if error.code().as_str() == "data_loss" => return,
        Err(error) => panic!("{error}"),
    };
    let (after, is_clean) = replay(&out);
    assert!(is_clean);
    let mut diff = Diff::new(DiffOptions::default());
    let names = [
        diff.add_store(Side::A, &before.replayer.store)
            .expect("no file"),
        diff.add_store(Side::B, &after.replayer.store)
            .expect("no file"),
    ];
    let diffed = diff.finish(names, |key| panic!("{key:?}"));
    assert!(diffed.expect("no file").is_equal());
}
