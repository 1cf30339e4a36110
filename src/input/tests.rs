use std::io::Write;

use super::*;
use crate::error::Code;
use crate::rdb::{Item, RdbReader, ReadItems as _};

const RDB: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01b\xfe\x02\x00\x01c\xc1\x10\x20\xff";
const MARK: &[u8; MARK_BYTES] = b"a9f2816c2665bcb4b42646d74d562d3c07873975";

/// Gives 1 to 7 bytes at a time.
struct Dribble(io::Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let n = buffer.len().min(self.1);
        self.0.read(&mut buffer[..n])
    }
}

fn dribble(bytes: &[u8]) -> Dribble {
    Dribble(io::Cursor::new(bytes.to_vec()), 3)
}

/// Everything an input says: its items, and what is behind.
type Told = Result<(Vec<String>, AfterRdb)>;

fn read(input: Input) -> Told {
    let (origin, source) = input.into_parts();
    let mut items = Vec::new();
    let mut reader = RdbReader::new(source).at_offset(origin.base_offset());
    reader
        .for_each(|item, _| {
            items.push(match item {
                Item::Key(record) => {
                    let value = record.raw_value().escape_ascii();
                    format!("{} {:?} {value}", record.db, record.key)
                }
                item => format!("{item:?}"),
            });
            Ok(())
        })
        .map_err(|error| origin.explain(error))?;
    let offset = reader.offset();
    let after = origin.after_rdb(&mut reader.into_source(), offset)?;
    origin.check_unchanged()?;
    Ok((items, after))
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Opens the same bytes as a map, a file and two pipes, which must agree.
fn told_everywhere(bytes: &[u8]) -> Told {
    let file = file(bytes);
    let options = OpenOptions::new();
    let ways = [
        Input::open(file.path(), &options.clone().map(true)),
        Input::open(file.path(), &options),
        Input::from_reader("pipe", io::Cursor::new(bytes.to_vec()), &options),
        Input::from_reader("pipe", dribble(bytes), &options),
    ];
    let mut told: Vec<_> = ways.map(|input| input.and_then(read)).into();
    let last = told.pop().unwrap();
    for other in &told {
        match (other, &last) {
            (Ok(one), Ok(two)) => assert_eq!(one, two),
            (Err(one), Err(two)) => {
                assert_eq!(one.kind(), two.kind());
                assert_eq!(one.offset(), two.offset());
            }
            (one, two) => panic!("{one:?} is not {two:?}"),
        }
    }
    last
}

fn code(bytes: &[u8]) -> Code {
    told_everywhere(bytes).unwrap_err().code()
}

#[test]
fn what_follows_an_rdb_is_told() {
    for (tail, expected) in [
        (&b""[..], AfterRdb::End),
        (b"*1\r\n$4\r\nPING\r\n", AfterRdb::Log),
        (b"#TS:1\r\n", AfterRdb::Log),
        (
            b"\0",
            AfterRdb::Trailing {
                offset: RDB.len() as u64,
            },
        ),
        (
            b"REDIS0003\xff",
            AfterRdb::Trailing {
                offset: RDB.len() as u64,
            },
        ),
    ] {
        let (items, after) = told_everywhere(&[RDB, tail].concat()).unwrap();
        assert_eq!((items.len(), after), (6, expected));
    }
}

/// What is behind the end of a file in its last page reads as zeros, without a fault.
#[test]
fn mapped_file_that_shrinks_in_its_last_page_has_changed() {
    for (value_bytes, missing) in [(700_000_u32, 8), (700_000, 1), (100, 8)] {
        let mut rdb = b"REDIS0003".to_vec();
        for key in [b'a', b'b'] {
            rdb.extend([0, 1, key, 0x80]);
            rdb.extend(value_bytes.to_be_bytes());
            rdb.resize(rdb.len() + value_bytes as usize, b'x');
        }
        // So that the end of the file is not at the beginning of a page.
        rdb.extend([0, 1, b'c', 0x40, 100]);
        rdb.resize(rdb.len() + 100, b'x');
        rdb.push(0xff);
        let file = file(&rdb);
        let input = Input::open(file.path(), &OpenOptions::new().map(true)).unwrap();
        let len = rdb.len() - missing;
        file.as_file().set_len(len as u64).unwrap();
        assert_eq!(read(input).unwrap_err().code(), Code::InputChanged);
    }
}

#[test]
fn framed_rdb_is_the_same_as_a_bare_one_and_cut_anywhere_it_ends_early() {
    let (bare, _) = told_everywhere(RDB).unwrap();
    let length = format!("${}\r\n", RDB.len());
    let greeting = [b"\n+FULLRESYNC ", &MARK[..], b" 77\r\n\n"].concat();
    for framed in [
        [b"$EOF:", &MARK[..], b"\r\n", RDB, MARK].concat(),
        [&greeting[..], b"$EOF:", MARK, b"\r\n", RDB, MARK].concat(),
        [length.as_bytes(), RDB].concat(),
        [&greeting[..], length.as_bytes(), RDB].concat(),
    ] {
        let (items, after) = told_everywhere(&framed).unwrap();
        assert_eq!((&items, after), (&bare, AfterRdb::End));
        for len in 0..framed.len() {
            assert_eq!(code(&framed[..len]), Code::UnexpectedEof, "{len}");
        }
        let trailing = told_everywhere(&[&framed, &b"*1\r\n"[..]].concat()).unwrap();
        let offset = framed.len() as u64;
        assert_eq!(trailing.1, AfterRdb::Trailing { offset });
    }
}

#[test]
fn framing_that_lies_about_the_end_is_a_bad_length() {
    for declared in [RDB.len() - 1, RDB.len() + 1, 0] {
        let framed = [format!("${declared}\r\n").as_bytes(), RDB, b"**"].concat();
        assert_eq!(code(&framed), Code::BadLength);
    }
    for at in 0..MARK_BYTES {
        let mut mark = *MARK;
        mark[at] ^= 1;
        let framed = [b"$EOF:", &MARK[..], b"\r\n", RDB, &mark].concat();
        let error = told_everywhere(&framed).unwrap_err();
        assert_eq!(error.code(), Code::BadLength);
        let mark_at = framed.len() - MARK_BYTES;
        assert_eq!(error.offset(), Some((mark_at + at) as u64));
    }
}

#[test]
fn empty_and_unknown_inputs_are_refused_at_once() {
    assert_eq!(code(b""), Code::UnexpectedEof);
    assert_eq!(code(b"VCS1"), Code::BadMagic);
    assert_eq!(code(b"just text\n"), Code::BadMagic);
    let empty = OpenOptions::new().as_kind(Kind::Aof);
    let input = Input::from_reader("pipe", io::empty(), &empty).unwrap();
    assert_eq!(input.read_all(0).unwrap(), b"");
}

#[test]
fn kind_can_be_given() {
    let options = |kind| OpenOptions::new().as_kind(kind);
    let payload = b"\x1f\x8b not an archive";
    let input = Input::from_reader("pipe", &payload[..], &options(Kind::DumpPayload)).unwrap();
    assert_eq!(input.origin().kind(), Kind::DumpPayload);
    assert_eq!(input.read_all(100).unwrap(), payload);
    let input = Input::from_reader("pipe", RDB, &options(Kind::Aof)).unwrap();
    assert_eq!(input.origin().kind(), Kind::Aof);
    let input = Input::from_reader("pipe", &b"text"[..], &options(Kind::Rdb)).unwrap();
    assert_eq!(read(input).unwrap_err().code(), Code::BadMagic);
    let input = Input::from_reader("pipe", RDB, &options(Kind::Json)).unwrap();
    let error = input.read_all(RDB.len() - 1).unwrap_err();
    assert_eq!(error.code(), Code::LimitExceeded);
}

#[test]
fn peek_consumes_nothing() {
    let long = b"*1\r\n$4\r\nPING\r\n".repeat(20_000);
    let file = file(&long);
    for map in [false, true] {
        let options = OpenOptions::new().map(map);
        let mut input = Input::open(file.path(), &options).unwrap();
        assert_eq!(input.origin().kind(), Kind::Aof);
        assert!(input.peek().unwrap().len() >= PEEK_BYTES);
        assert!(long.starts_with(input.peek().unwrap()));
        assert_eq!(input.origin().total_len(), Some(long.len() as u64));
        let progress = input.origin().progress().clone();
        assert_eq!(input.read_all(usize::MAX).unwrap(), long);
        assert_eq!(progress.read(), long.len() as u64);
        assert_eq!(progress.total(), Some(long.len() as u64));
    }
}

#[cfg(feature = "compress")]
mod compressed {
    use super::super::compress::tests::{gzip, lz4, zstd};
    use super::*;

    #[test]
    fn compressed_rdb_is_the_same_as_a_bare_one() {
        let bare = told_everywhere(RDB).unwrap();
        let framed = [b"$EOF:", &MARK[..], b"\r\n", RDB, MARK].concat();
        for pack in [gzip, zstd, lz4] {
            assert_eq!(told_everywhere(&pack(RDB)).unwrap(), bare);
            assert_eq!(told_everywhere(&pack(&framed)).unwrap(), bare);
            let packed = pack(RDB);
            for len in 4..packed.len() {
                assert_eq!(code(&packed[..len]), Code::UnexpectedEof, "{len}");
            }
            // Compressed twice, it is named.
            let error = told_everywhere(&pack(&packed)).unwrap_err();
            assert_eq!(
                (error.code(), error.fault()),
                (Code::BadMagic, Fault::Unsupported)
            );
            assert_eq!(code(&pack(b"")), Code::UnexpectedEof);
        }
    }

    #[test]
    fn compressed_file_knows_its_compression_and_progress() {
        let packed = gzip(RDB);
        let file = file(&packed);
        let input = Input::open(file.path(), &OpenOptions::new().map(true)).unwrap();
        let origin = input.origin().clone();
        assert_eq!(origin.compression(), Some(Compression::Gzip));
        assert_eq!(origin.total_len(), None);
        assert_eq!(origin.progress().total(), Some(packed.len() as u64));
        assert_eq!(
            origin.file_id(),
            Some(FileId::of_path(file.path()).unwrap())
        );
        assert_eq!(input.read_all(1000).unwrap(), RDB);
        assert_eq!(origin.progress().read(), packed.len() as u64);
    }
}

#[test]
fn changed_file_outranks_what_was_found_in_it() {
    let mut file = file(&RDB[..RDB.len() - 1]);
    for map in [false, true] {
        let options = OpenOptions::new().map(map);
        let input = Input::open(file.path(), &options).unwrap();
        file.write_all(b"\xff").unwrap();
        // Through a window the first 64 KiB are there already, so both see the cut.
        let error = read(input).unwrap_err();
        assert_eq!(error.code(), Code::InputChanged);
        assert_eq!(error.fault(), Fault::Io);
    }
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let options = OpenOptions::new();
    let error = Input::open(folder.path(), &options).unwrap_err();
    assert_eq!(error.code(), Code::Usage);
    assert!(error.to_string().ends_with(": is a folder"));
    let error = Input::open(folder.path().join("no\nne"), &options).unwrap_err();
    assert_eq!((error.code(), error.fault()), (Code::Io, Fault::Io));
    assert!(
        error.to_string().contains("no\\nne: cannot open: "),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn pipe_by_name_is_read() {
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(RDB).unwrap();
    drop(writer);
    let path = format!("/dev/fd/{}", reader.as_raw_fd());
    let input = Input::open(path, &OpenOptions::new().map(true)).unwrap();
    assert_eq!(input.origin().total_len(), None);
    assert_eq!(input.origin().file_id(), None);
    assert_eq!(read(input).unwrap().0.len(), 6);
}
