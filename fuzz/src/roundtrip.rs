//! A value, written for any release, reads back equal or what it lost is reported.

use arbitrary::{Result, Unstructured};
use rdbkit::model::loss::Loss;
use rdbkit::model::stream::StreamId;
use rdbkit::ops::rdb_write::{WriteOptions, survey_rdb, write_rdb};
use rdbkit::rdb::{Encodings, RdbReader, Target};

use super::draw;
use super::model::{Model, assert_same_stream, collect, expected, file};

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    // Too few bytes for a value are no value.
    let _ = property(&mut Unstructured::new(bytes));
}

fn property(u: &mut Unstructured<'_>) -> Result<()> {
    let is_universal: bool = u.arbitrary()?;
    let targets: Vec<&'static Target> = Target::all().collect();
    let target = *u.choose(&targets)?;
    let expire_at_ms = draw::deadline(u)?;
    let key_meta = draw::key_meta(u)?;
    let model = draw::model(u)?;
    if let Model::Stream(entries, _) = &model
        && entries.contains_key(&StreamId::MIN)
    {
        // No server has such an entry.
        return Ok(());
    }
    // The newest release carries everything.
    let newest = Target::named("redis-8.10").expect("a release");
    let source = file(&model, expire_at_ms, &key_meta, newest);
    let before = collect(&source);
    assert_eq!(before.model.as_ref(), Some(&model));
    assert_eq!(
        (before.expire_at_ms, &before.key_meta),
        (expire_at_ms, &key_meta)
    );
    let mut options = WriteOptions::new(target);
    if is_universal {
        options.encodings = Encodings::Universal;
    }
    let survey = survey_rdb(&mut RdbReader::from_slice(&source), &options).expect("it reads");
    let lost: Vec<_> = survey.losses.data.keys().copied().collect();
    let mut report = |finding| panic!("{target}: {finding}");
    let mut reader = RdbReader::from_slice(&source);
    let written = write_rdb(&mut reader, &options, &survey, Vec::new(), &mut report);
    let (out, _) = written.expect("it can be written");
    let expected = expected(&model, &lost, target);
    let after = collect(&out);
    match (&expected, &after.model) {
        (Some(Model::Stream(entries, state)), Some(Model::Stream(found, left))) => {
            assert_eq!(entries, found, "{target}");
            assert_same_stream(state, left, &lost);
        }
        _ => assert_eq!(expected, after.model, "{target}"),
    }
    if after.model.is_some() {
        assert_eq!(expire_at_ms, after.expire_at_ms, "{target}");
        match lost.contains(&Loss::KeyMeta) {
            true => assert!(
                !target.has_key_meta() && after.key_meta.is_empty(),
                "{target}"
            ),
            false => assert_eq!(key_meta, after.key_meta, "{target}"),
        }
    }
    Ok(())
}
