//! JSON of every fixture, read by another program's parser: Python's.
//!
//! Each file of `testdata` that converts is written in every shape, and one `python3`
//! reads them all. It takes no duplicate member (except in `--compat` shapes, whose
//! objects are those tools'), no `NaN` and no `Infinity`.

mod util;

use std::fs;
use std::process::Command;

use rdbkit::json::Document;
use rdbkit::json::librdb::LibrdbWriter;
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::json::rdbtools::RdbtoolsWriter;
use rdbkit::ops::convert::header_of_rdb;
use rdbkit::ops::export::export_record;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, Item, RdbReader, ReadItems as _, Scratch};
use rdbkit::report::Level;

const SCRIPT: &str = r#"
import base64, collections, json, sys

def refuse(word):
    raise ValueError(word + " is no JSON")

def unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        counts = collections.Counter(name for name, _ in pairs)
        raise ValueError("twice: %r" % [name for name, n in counts.items() if n > 1])
    if "$b64" in members and len(members) == 1:
        base64.b64decode(members["$b64"], validate=True).decode("latin-1")
    return members

def keys(records, header):
    if header:
        assert records[0]["rdbkit"] == 1, "no header"
        records = records[1:]
    for record in records:
        assert type(record["db"]) is int and "key" in record and "type" in record and "value" in record, record
    return len(records)

failures = documents = 0
for line in open(sys.argv[1], encoding="utf-8"):
    path, shape, wanted = line.rstrip("\n").split("\t")
    try:
        raw = open(path, "rb").read()
        raw.decode("utf-8")
        native = not shape.startswith("compat")
        hook = {"object_pairs_hook": unique} if native else {}
        parse = lambda text: json.loads(text, parse_constant=refuse, **hook)
        header = shape.endswith("meta")
        if shape.startswith("ndjson"):
            assert raw == b"" or raw.endswith(b"\n"), "no line break at the end"
            found = keys([parse(text) for text in raw.split(b"\n")[:-1]], header)
        elif native:
            found = keys(parse(raw), header)
        else:
            parse(raw)
            found = int(wanted)
        assert found == int(wanted), "%d keys, not %s" % (found, wanted)
        documents += 1
    except Exception as error:
        failures += 1
        if failures <= 20:
            print("%s as %s: %s" % (path, shape, error))
print("%d documents" % documents)
sys.exit(failures != 0)
"#;

/// The whole document, or nothing where the file is damaged.
fn document(bytes: &[u8], mut writer: impl Document, with_header: bool) -> Option<(Vec<u8>, u64)> {
    let reader = || RdbReader::from_slice(bytes).checksum(ChecksumMode::Skip);
    if with_header {
        writer.header(&header_of_rdb(&mut reader()).ok()?);
    }
    let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
    let mut keys = 0;
    let exported = reader().for_each(|item, _| match &item {
        Item::Key(record) => {
            keys += 1;
            export_record(record, &mut scratch, &mut key_scratch, &mut writer)
        }
        _ => Ok(()),
    });
    exported.ok()?;
    writer.finish();
    Some((std::mem::take(writer.text()), keys))
}

fn is_sound(bytes: &[u8]) -> bool {
    let mut is_sound = true;
    let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Skip);
    verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| {
        is_sound &= finding.level == Level::Warning;
    });
    is_sound
}

#[test]
fn python_reads_every_shape_of_every_fixture() {
    if Command::new("python3").arg("--version").output().is_err() {
        let setting = std::env::var("RDBKIT_SERVERS");
        assert_ne!(
            setting.as_deref(),
            Ok("required"),
            "python3 is not installed"
        );
        eprintln!("LEFT OUT: JSON of all fixtures in another parser: no python3");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut list = String::new();
    let fixtures = util::fixtures(&["rdb"]);
    let native = NativeWriter::new;
    for (number, path) in fixtures.iter().enumerate() {
        let bytes = fs::read(path).unwrap();
        // A hash that has a field twice is written so; verify says it is damaged.
        if !is_sound(&bytes) {
            continue;
        }
        let shapes = [
            ("json", document(&bytes, native(Arrangement::Array), false)),
            (
                "json meta",
                document(&bytes, native(Arrangement::Array), true),
            ),
            (
                "pretty meta",
                document(&bytes, native(Arrangement::PrettyArray), true),
            ),
            (
                "ndjson",
                document(&bytes, native(Arrangement::Lines), false),
            ),
            (
                "ndjson meta",
                document(&bytes, native(Arrangement::Lines), true),
            ),
            (
                "compat librdb",
                document(&bytes, LibrdbWriter::document(), false),
            ),
            (
                "compat rdbtools",
                document(&bytes, RdbtoolsWriter::document(), false),
            ),
        ];
        let name = path.file_name().unwrap().to_str().unwrap();
        for (shape, written) in shapes {
            let (text, keys) = written
                .unwrap_or_else(|| panic!("{} is sound and not to be written", path.display()));
            let file = dir.path().join(format!("{number} {name} {shape}"));
            fs::write(&file, text).unwrap();
            list += &format!("{}\t{shape}\t{keys}\n", file.display());
        }
    }
    let list_file = dir.path().join("list");
    fs::write(&list_file, &list).unwrap();
    assert!(
        list.lines().count() > 4000,
        "only {} documents",
        list.lines().count()
    );
    let output = Command::new("python3")
        .args(["-c", SCRIPT])
        .arg(&list_file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
