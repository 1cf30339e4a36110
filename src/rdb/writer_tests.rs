use std::error::Error as _;
use std::io::{self, Write};

use super::*;
use crate::error::{Code, ErrorKind};
use crate::model::ValueType;
use crate::model::stream::StreamId;
use crate::rdb::{Item, Items};

/// Takes so many bytes and no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::Error::from(io::ErrorKind::StorageFull))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn target(name: &str) -> &'static Target {
    Target::named(name).unwrap()
}

#[test]
fn error_of_the_sink_is_the_source() {
    for room in [0, 20] {
        let mut writer = RdbWriter::new(Full(room), target("redis-7.2")).unwrap();
        let head = KeyHead::new(0, b"key", ValueType::String);
        let long = vec![b'x'; 200_000];
        // What goes past the buffer fails at once, the rest in the end.
        let failed = match room {
            0 => writer
                .key(&head, |value| value.string(&long[..0]))
                .and_then(|_| writer.finish().map(drop)),
            _ => writer.raw(&long),
        };
        let error = failed.unwrap_err();
        assert_eq!(error.code(), Code::Io);
        let source = error.source().unwrap().downcast_ref::<io::Error>();
        assert_eq!(source.unwrap().kind(), io::ErrorKind::StorageFull);
    }
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing() {
    type Tell = fn(&mut ValueWriter<'_>);
    let cases: &[(&str, ValueType, Tell)] = &[
        ("redis-7.2", ValueType::String, |_| ()),
        ("redis-7.2", ValueType::String, |value| {
            value.string(b"a");
            value.string(b"b");
        }),
        ("redis-7.2", ValueType::Set, |value| value.field(b"f", b"v")),
        ("redis-7.2", ValueType::Set, |value| {
            value.element(b"a");
            value.element(b"a");
        }),
        ("redis-7.2", ValueType::Zset, |value| {
            value.scored(b"a", 1.0);
            value.scored(b"a", 2.0);
        }),
        ("redis-7.2", ValueType::Zset, |value| {
            value.scored(b"a", f64::NAN);
        }),
        ("redis-7.2", ValueType::Hash, |value| {
            value.field_until(b"f", b"v", 1);
        }),
        ("redis-7.4", ValueType::Hash, |value| {
            value.field_until(b"f", b"v", 0);
        }),
        ("redis-3.2", ValueType::Stream, |value| {
            value.entry(StreamId::new(1, 0), &[(b"f", b"v")]);
        }),
        ("redis-7.2", ValueType::Stream, |value| {
            value.entry(StreamId::new(0, 0), &[(b"f", b"v")]);
        }),
        ("redis-7.2", ValueType::Stream, |value| {
            value.entry(StreamId::new(1, 0), &[]);
        }),
        ("redis-7.2", ValueType::Array, |value| value.item(1, b"x")),
        ("redis-8.8", ValueType::Array, |value| {
            value.item(1, b"x");
            value.item(1, b"y");
        }),
        ("redis-8.8", ValueType::Module, |_| ()),
    ];
    for (release, value_type, tell) in cases {
        let mut writer = RdbWriter::new(Vec::new(), target(release)).unwrap();
        let head = KeyHead::new(7, b"key", *value_type);
        let error = writer.key(&head, tell).unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Usage(_) | ErrorKind::Unsupported { .. }
            ),
            "{release} {value_type:?}: {error}"
        );
        assert_eq!(error.context().key.as_deref(), Some(b"key".as_slice()));
        // The writer goes on as if nothing had been.
        let next = KeyHead::new(0, b"list", ValueType::List);
        assert!(writer.key(&next, |value| value.element(b"a")).unwrap());
        let empty = KeyHead::new(1, b"empty", ValueType::List);
        assert!(!writer.key(&empty, |_| ()).unwrap());
        let file = writer.finish().unwrap();
        let items: Vec<_> = Items::new(&file).map(Result::unwrap).collect();
        assert!(
            matches!(
                items.as_slice(),
                [
                    Item::Header(_),
                    Item::SelectDb(0),
                    Item::Key(_),
                    Item::End { .. }
                ]
            ),
            "{items:?}"
        );
    }
}
