//! `convert`: a dataset in another form. So far from an RDB to JSON.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::export::{export_record, module_fields};
use super::pipeline::{Pipe, Pipeline, Work};
use super::selected::is_selected;
use crate::error::{Error, Result};
use crate::json::Document;
use crate::json::native::{Header, ModuleAuxRecord};
use crate::limits::KEPT_BATCH_BYTES;
use crate::model::ValueType;
use crate::model::function::checked_library_name;
use crate::model::sink::KeyHead;
use crate::rdb::{Item, PlainString, RdbString, ReadItems, Record, Scratch};
use crate::report::{Finding, Level};
use crate::select::Selection;
use crate::store::Store;

/// What became of the records of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// Keys written.
    pub keys: u64,
    /// Keys that no filter chose.
    pub left_out: u64,
    /// Keys that could not be decoded and were passed over.
    pub damaged: u64,
    /// Function libraries.
    pub functions: u64,
    /// Module records outside the keyspace.
    pub module_aux: u64,
    /// Scripts in `lua` aux fields.
    pub scripts: u64,
}

/// From here on a text is not worth a copy.
const LARGE_TEXT_BYTES: usize = 1 << 20;

/// What to convert and how.
#[derive(Clone, Debug, Default)]
pub struct ConvertOptions {
    /// Which keys.
    pub selection: Selection,
    /// Pass over values that are damaged, instead of ending with the first.
    pub keep_going: bool,
    /// By how many threads.
    pub pipeline: Pipeline,
}

/// Where a conversion goes.
pub trait Conversion {
    /// What keys and values are written with.
    type Document: Document + Send;

    /// The document.
    fn document(&mut self) -> &mut Self::Document;

    /// Called whenever the document has grown: a time to write out what it holds.
    ///
    /// # Errors
    /// Writing failed.
    fn progress(&mut self) -> Result<()>;

    /// Writes out all that the document holds, because much is to come.
    ///
    /// # Errors
    /// Writing failed.
    fn flush(&mut self) -> Result<()>;

    /// A value is damaged and was passed over.
    fn damaged(&mut self, error: Error);
}

/// Passes the chosen keys of an RDB to a document.
///
/// # Errors
/// A broken frame, a checksum that differs, a damaged value, or what the conversion's parts
/// return. Everything before it has gone to the document.
pub fn convert_rdb<C: Conversion>(
    reader: &mut impl Pipe,
    options: &ConvertOptions,
    conversion: &mut C,
) -> Result<Converted> {
    let mut done = Converted::default();
    let fragment = conversion.document().fragment();
    // Fragments are made on any thread, and a document need not be shared among threads.
    let fragment = Mutex::new(fragment);
    let make_fragment = || {
        let fragment = fragment.lock().unwrap_or_else(PoisonError::into_inner);
        fragment.fragment()
    };
    let make_worker = || Worker {
        options,
        make_fragment: &make_fragment,
        part: Part::new(make_fragment()),
        scratch: Scratch::new(),
        key_scratch: Vec::new(),
    };
    reader.pipe(options.pipeline, make_worker, |part| {
        done.add(&part.done);
        // The text of a large key is handed over, not copied, where nothing stands before it.
        let is_large = part.fragment.text().len() >= LARGE_TEXT_BYTES;
        if is_large || part.fragment.is_spooled() {
            conversion.flush()?;
        }
        conversion.document().append(&mut part.fragment)?;
        for error in part.damages.drain(..) {
            conversion.damaged(error);
        }
        conversion.progress()
    })?;
    Ok(done)
}

impl Converted {
    fn add(&mut self, part: &Converted) {
        let Converted {
            keys,
            left_out,
            damaged,
            functions,
            module_aux,
            scripts,
        } = *part;
        self.keys += keys;
        self.left_out += left_out;
        self.damaged += damaged;
        self.functions += functions;
        self.module_aux += module_aux;
        self.scripts += scripts;
    }
}

/// What becomes of a batch of records.
struct Part<D> {
    fragment: D,
    done: Converted,
    damages: Vec<Error>,
}

impl<D> Part<D> {
    fn new(fragment: D) -> Self {
        Part {
            fragment,
            done: Converted::default(),
            damages: Vec::new(),
        }
    }
}

struct Worker<'w, D> {
    options: &'w ConvertOptions,
    make_fragment: &'w dyn Fn() -> D,
    part: Part<D>,
    scratch: Scratch,
    key_scratch: Vec<u8>,
}

impl<D: Document + Send> Work for Worker<'_, D> {
    type Output = Part<D>;
    type Context = ();

    fn observe((): &mut (), _item: &Item<'_>) {}

    fn begin(&mut self, (): ()) {}

    fn item(&mut self, item: &Item<'_>, _bytes: &[u8], span: &Range<u64>) -> Result<()> {
        let done = &mut self.part.done;
        match item {
            Item::Key(record) => match self.record(record) {
                Ok(true) => self.part.done.keys += 1,
                Ok(false) => self.part.done.left_out += 1,
                Err(error) => {
                    let error = error.in_db(record.db);
                    if !self.options.keep_going {
                        return Err(error);
                    }
                    self.part.done.damaged += 1;
                    self.part.damages.push(error);
                }
            },
            Item::Function(code) => {
                done.functions += 1;
                let code = code.bytes(&mut self.key_scratch);
                let code = code.map_err(|flaw| Error::new(flaw.into()));
                if let Err(error) = code.and_then(checked_library_name) {
                    let error = error.at_offset(span.start);
                    if !self.options.keep_going {
                        return Err(error);
                    }
                    self.part.damages.push(error);
                }
            }
            Item::FunctionPreGa(_) => done.functions += 1,
            Item::ModuleAux(_) => done.module_aux += 1,
            Item::Aux { key, .. } if is_lua(key) => done.scripts += 1,
            _ => {}
        }
        Ok(())
    }

    const TAKES_PLAIN_STRINGS: bool = true;

    #[inline]
    fn plain_string(&mut self, string: &PlainString<'_>) -> bool {
        let RdbString::Raw(key) = string.key() else {
            return false;
        };
        if !self.options.selection.is_everything() {
            return false;
        }
        let head = KeyHead {
            encoding: Some(string.value().encoding_name()),
            expire_at_ms: string.expire_at_ms,
            ..KeyHead::new(string.db, key, ValueType::String)
        };
        let sink = &mut self.part.fragment;
        loop {
            sink.begin_key(&head);
            sink.string(string.text());
            if sink.end_key() {
                break;
            }
        }
        self.part.done.keys += 1;
        true
    }

    fn take(&mut self, used: Option<Part<D>>) -> Part<D> {
        let mut empty = used.unwrap_or_else(|| Part::new((self.make_fragment)()));
        empty.done = Converted::default();
        let text = empty.fragment.text();
        text.clear();
        text.shrink_to(KEPT_BATCH_BYTES);
        std::mem::replace(&mut self.part, empty)
    }
}

impl<D: Document> Worker<'_, D> {
    /// Writes a record, unless no filter wants it.
    fn record(&mut self, record: &Record<'_>) -> Result<bool> {
        if !is_selected(&self.options.selection, record, &mut self.key_scratch)? {
            return Ok(false);
        }
        let sink = &mut self.part.fragment;
        export_record(record, &mut self.scratch, &mut self.key_scratch, sink)?;
        Ok(true)
    }
}

fn is_lua(key: &RdbString<'_>) -> bool {
    matches!(key, RdbString::Raw(name) if name.eq_ignore_ascii_case(b"lua"))
}

/// Reads what belongs to no key: the first of two passes over a file.
///
/// # Errors
/// A broken frame or string.
pub fn header_of_rdb(reader: &mut impl ReadItems) -> Result<Header> {
    let mut header = Header {
        source: "rdb",
        ..Header::default()
    };
    reader.for_each(|item, span| {
        let content = |stored: &RdbString<'_>| {
            stored
                .to_vec()
                .map_err(|flaw| Error::new(flaw.into()).at_offset(span.start))
        };
        match item {
            Item::Header(dialect) => header.magic = Some((dialect.magic(), dialect.version)),
            Item::Aux { key, value } if is_lua(key) => header.lua.push(content(value)?),
            Item::Aux { key, value } => header.aux.push((content(key)?, content(value)?)),
            Item::Function(code) => header.functions.push(content(code)?),
            Item::FunctionPreGa(function) => header.functions.push(content(&function.code)?),
            Item::ModuleAux(aux) => header.module_aux.push(ModuleAuxRecord {
                module: aux.id.name(),
                encoding_version: aux.id.encoding_version(),
                when: aux.when,
                items: module_fields(aux.items)?,
            }),
            _ => {}
        }
        Ok(())
    })?;
    header.flavor = flavor(&header.aux);
    Ok(header)
}

/// What a replayed keyspace says that belongs to no key.
#[must_use]
pub fn header_of_store(store: &Store<'_>, flavor: Option<String>, no_functions: bool) -> Header {
    let functions = store.functions.values().map(|code| code.to_vec());
    Header {
        source: "aof",
        flavor,
        functions: if no_functions {
            Vec::new()
        } else {
            functions.collect()
        },
        lua: store
            .scripts
            .values()
            .map(|script| script.to_vec())
            .collect(),
        ..Header::default()
    }
}

/// Whether an aux field of this name may say the release.
pub(super) fn names_release(name: &[u8]) -> bool {
    matches!(name, b"valkey-ver" | b"redis-ver")
}

/// The release that aux fields name, in the words of `--target`: `redis-7.2`.
#[must_use]
pub fn flavor(aux: &[(Vec<u8>, Vec<u8>)]) -> Option<String> {
    let (family, version) = aux.iter().find_map(|(key, value)| match key.as_slice() {
        b"valkey-ver" => Some(("valkey", value)),
        b"redis-ver" => Some(("redis", value)),
        _ => None,
    })?;
    let version = std::str::from_utf8(version).ok()?;
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next()?, numbers.next()?);
    let all_digits = [major, minor]
        .iter()
        .all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    all_digits.then(|| format!("{family}-{major}.{minor}"))
}

/// Passes a damaged value on as a finding, for conversions that go on.
#[must_use]
pub fn damage_finding(error: &Error) -> Finding {
    Finding::of_error(error, Level::Error)
}
