//! The checks of one value: decoding it, and what decoding does not need to know.
//!
//! Decoding enforces the structure of every encoding. Here come duplicates,
//! order, counters that must agree, and forms longer than a server's own. Who wants the
//! value, too, is told it on the way: nothing is expanded or walked twice.

use std::cmp::Ordering;

use super::export::{export_array, export_module};
use super::listener::{Listener, Nobody};
use super::rdb_ledger::Part;
use crate::bytes::Text;
use crate::error::{Code, Error, Flaw, Result, Value as Side, escape_key};
use crate::json::is_document;
use crate::keyset::members::MemberSet;
use crate::model::ValueType;
use crate::model::stream::Group;
use crate::model::stream::StreamState;
use crate::rdb::module::{KeyMeta, ModuleItem, ModuleItems};
use crate::rdb::object::Layout;
use crate::rdb::object::canonical::{is_short_integer, longer_than_need_be};
use crate::rdb::object::stream::EntryTotals;
use crate::rdb::object::{Array, Hash, List, ModuleValue, Set, Stream, StringValue, Value, Zset};
use crate::rdb::{PlainString, RdbString, Record, Scratch, Target};
use crate::report::{Finding, Level};

/// Checks values, one after the other, with buffers that are reused.
#[derive(Debug, Default)]
pub(crate) struct ValueChecks {
    scratch: Scratch,
    members: MemberSet,
    /// Whether some server is to load the values that compares a stream's length.
    length_matters: bool,
    /// Whether RESTORE is to take them, which refuses empty ones; files may have them.
    is_payload: bool,
    /// Whether it is enough to know that something is wrong: a member that may stand twice is said
    /// to, without a second look at all of them.
    is_brief: bool,
}

/// The place of a finding about a value.
struct Place<'r, 'k> {
    record: &'r Record<'k>,
    key: &'r [u8],
}

impl Place<'_, '_> {
    fn finding(
        &self,
        level: Level,
        code: Code,
        what: &'static str,
        expected: impl Into<Side>,
        found: impl Into<Side>,
    ) -> Finding {
        Finding::broken(level, code, self.record.offset, what, expected, found)
            .in_key(self.record.db, self.key)
    }

    fn of_error(&self, error: Error) -> Finding {
        Finding::of_error(&error.in_key(self.record.db, self.key), Level::Error)
    }

    /// A form that loses nothing.
    fn odd(&self, flaw: Flaw) -> Finding {
        let error = Error::new(flaw.into()).at_offset(self.record.offset);
        Finding::of_error(&error.in_key(self.record.db, self.key), Level::Warning)
    }
}

impl ValueChecks {
    /// Checks for no release in particular.
    pub(crate) fn for_any_loader(is_payload: bool) -> Self {
        ValueChecks {
            is_payload,
            ..ValueChecks::default()
        }
    }

    /// Checks whether there is anything to report; who wants to know what looks again.
    pub(crate) fn brief() -> Self {
        ValueChecks {
            is_brief: true,
            ..ValueChecks::default()
        }
    }

    /// Checks for the release that will load the values, too.
    pub(crate) fn for_loader(target: &Target) -> Self {
        ValueChecks {
            length_matters: target.checks_stream_length(),
            ..ValueChecks::default()
        }
    }

    /// Whether [`check`](Self::check) would surely report nothing of a plain string.
    #[inline]
    pub(super) fn is_flawless(string: &PlainString<'_>, key: &[u8]) -> bool {
        !is_odd_expiry(string.expire_at_ms)
            && !is_short_integer(key)
            && longer_than_need_be(Layout::String, string.raw_value).is_none()
    }

    /// Reports everything that is wrong with a record.
    pub(crate) fn check(&mut self, record: &Record<'_>, key: &[u8], out: &mut Part) {
        self.check_and_tell(record, key, &mut Nobody, out);
    }

    /// The same, and tells `sink` the value on the way, as
    /// [`export_record`](super::export::export_record) does. Of a value that is damaged it may
    /// have been told a part; `out` says so.
    pub(crate) fn check_and_tell<L: Listener>(
        &mut self,
        record: &Record<'_>,
        key: &[u8],
        sink: &mut L,
        out: &mut Part,
    ) {
        let place = Place { record, key };
        self.expiry(&place, out);
        self.canonical_key(&place, out);
        for class in record.key_meta.iter().flat_map(KeyMeta::classes) {
            if let Err(error) = module_strings(class.items, record.offset) {
                out.add(place.of_error(error));
            }
        }
        if let Some((offset, what)) = record.longer_than_need_be() {
            let finding = Finding::broken(
                Level::Warning,
                Code::NotCanonical,
                offset,
                "form of a string or count",
                what,
                "another form",
            );
            out.add(finding.in_key(record.db, key));
        }
        // Ziplists before version 6 had fewer forms of integers.
        self.scratch.watch_form(record.dialect.version >= 6);
        let value = record.value();
        if !matches!(value, Value::String(_)) {
            sink.begin_value();
        }
        let outcome = match value {
            Value::String(string) => self.string(&string, sink),
            Value::List(list) => self.list(&place, &list, sink, out),
            Value::Set(set) => self.set(&place, &set, sink, out),
            Value::Zset(zset) => self.zset(&place, &zset, sink, out),
            Value::Hash(hash) => self.hash(&place, &hash, sink, out),
            Value::Stream(stream) => self.stream(&place, &stream, sink, out),
            Value::Array(array) => self.array(&array, sink),
            Value::Module(module) => self.module(&place, &module, sink, out),
        };
        match outcome {
            Err(error) => out.add(place.of_error(error)),
            Ok(()) => {
                if record.value_type() != ValueType::String {
                    sink.end_value();
                }
                if let Some(flaw) = self.scratch.take_non_canonical() {
                    out.add(place.odd(flaw));
                }
            }
        }
        self.scratch.trim();
    }

    fn expiry(&self, place: &Place<'_, '_>, out: &mut Part) {
        if place.record.expiry_opcodes > 1 {
            out.add(place.finding(
                Level::Warning,
                Code::OddExpiry,
                "expiries of a key",
                "one",
                "several",
            ));
        }
        if is_odd_expiry(place.record.expire_at_ms) {
            let found = "-1, which some servers read as none and others as long past";
            out.add(place.finding(
                Level::Warning,
                Code::OddExpiry,
                "expiry of a key",
                "a time",
                found,
            ));
        }
    }

    /// Reports a key that the servers would have stored as an integer.
    fn canonical_key(&self, place: &Place<'_, '_>, out: &mut Part) {
        if matches!(place.record.key, RdbString::Raw(text) if is_short_integer(text)) {
            out.add(place.finding(
                Level::Warning,
                Code::NotCanonical,
                "key",
                "an integer in binary",
                "its decimal text",
            ));
        }
    }

    /// The second look at members, if any may stand twice and it is wanted.
    fn repeats(&mut self, place: &Place<'_, '_>, out: &mut Part) -> Option<Repeats> {
        let repeats = Repeats::candidates(&mut self.members)?;
        if self.is_brief {
            let what = "a member of a value";
            out.add(place.finding(Level::Error, Code::DuplicateMember, what, "once", "twice"));
            return None;
        }
        Some(repeats)
    }

    fn empty(&self, place: &Place<'_, '_>, elements: u64, out: &mut Part) {
        if elements == 0 {
            let (level, expected) = match self.is_payload {
                true => (Level::Error, "at least one, or RESTORE refuses it"),
                false => (Level::Warning, "at least one, or servers drop the key"),
            };
            let what = "elements of the value";
            out.add(place.finding(level, Code::EmptyKey, what, expected, "none"));
        }
    }

    fn string<L: Listener>(&mut self, string: &StringValue<'_>, sink: &mut L) -> Result<()> {
        let stored = string.stored()?;
        if !L::IS_HEARD {
            return string.check(stored, &mut self.scratch);
        }
        sink.string(string.expand(stored, &mut self.scratch)?);
        Ok(())
    }

    fn list<L: Listener>(
        &mut self,
        place: &Place<'_, '_>,
        list: &List<'_>,
        sink: &mut L,
        out: &mut Part,
    ) -> Result<()> {
        let mut elements = 0;
        list.for_each(&mut self.scratch, |element| {
            elements += 1;
            sink.element(element);
        })?;
        self.empty(place, elements, out);
        Ok(())
    }

    fn set<L: Listener>(
        &mut self,
        place: &Place<'_, '_>,
        set: &Set<'_>,
        sink: &mut L,
        out: &mut Part,
    ) -> Result<()> {
        if set.cannot_repeat() {
            let mut members = 0;
            set.for_each(&mut self.scratch, |member| {
                members += 1;
                sink.element(member);
            })?;
            self.empty(place, members, out);
            return Ok(());
        }
        self.members.clear();
        let mut elements = 0;
        set.for_each(&mut self.scratch, |member| {
            elements += 1;
            self.members.insert(self.members.hash(member));
            sink.element(member);
        })?;
        self.empty(place, elements, out);
        if let Some(mut repeats) = self.repeats(place, out) {
            set.for_each(&mut self.scratch, |member| repeats.look_at(member))?;
            repeats.report(place, "member of a set", out);
        }
        Ok(())
    }

    fn zset<L: Listener>(
        &mut self,
        place: &Place<'_, '_>,
        zset: &Zset<'_>,
        sink: &mut L,
        out: &mut Part,
    ) -> Result<()> {
        let wanted = zset.file_order(place.record.dialect);
        let mut in_order = true;
        let mut last = (Vec::new(), f64::NAN);
        self.members.clear();
        let mut elements = 0;
        zset.for_each_as_stored(&mut self.scratch, |member, score| {
            match score.stored {
                Some(stored) => sink.scored_as_stored(member, score.value, stored),
                None => sink.scored(member, score.value),
            }
            let score = score.value;
            if let Some(wanted) = wanted {
                let order = match last.1.partial_cmp(&score) {
                    // The first member: its predecessor's score is no number.
                    None => wanted,
                    Some(Ordering::Equal) => last
                        .0
                        .as_slice()
                        .cmp(member.as_bytes(&mut itoa::Buffer::new())),
                    Some(order) => order,
                };
                in_order &= order == wanted || order == Ordering::Equal;
                last.0.clear();
                last.0
                    .extend_from_slice(member.as_bytes(&mut itoa::Buffer::new()));
                last.1 = score;
            }
            elements += 1;
            self.members.insert(self.members.hash(member));
        })?;
        self.empty(place, elements, out);
        if !in_order {
            let expected = if wanted == Some(Ordering::Less) {
                "ascending"
            } else {
                "descending"
            };
            out.add(place.finding(
                Level::Warning,
                Code::BadOrder,
                "scores of a sorted set",
                expected,
                "another order",
            ));
        }
        if let Some(mut repeats) = self.repeats(place, out) {
            zset.for_each(&mut self.scratch, |member, _| repeats.look_at(member))?;
            repeats.report(place, "member of a sorted set", out);
        }
        Ok(())
    }

    fn hash<L: Listener>(
        &mut self,
        place: &Place<'_, '_>,
        hash: &Hash<'_>,
        sink: &mut L,
        out: &mut Part,
    ) -> Result<()> {
        let mut earliest = None;
        self.members.clear();
        let mut elements = 0;
        hash.for_each(&mut self.scratch, |field, value, at| {
            sink.field(field, value, at);
            earliest = [earliest, at].into_iter().flatten().min();
            elements += 1;
            self.members.insert(self.members.hash(field));
        })?;
        self.empty(place, elements, out);
        if let Some(declared) = hash.declared_earliest()
            && earliest != Some(declared)
        {
            let found = earliest.map_or(Side::Text("no field deadline"), Side::Signed);
            out.add(place.finding(
                Level::Warning,
                Code::CountMismatch,
                "earliest field deadline",
                declared,
                found,
            ));
        }
        if hash.is_for_deadlines() && earliest.is_none() && elements > 0 {
            let what = "field deadlines in an encoding for them";
            out.add(place.finding(
                Level::Warning,
                Code::NotCanonical,
                what,
                "at least one",
                "none",
            ));
        }
        if let Some(mut repeats) = self.repeats(place, out) {
            hash.for_each(&mut self.scratch, |field, _, _| repeats.look_at(field))?;
            repeats.report(place, "field of a hash", out);
        }
        Ok(())
    }

    fn stream<L: Listener>(
        &mut self,
        place: &Place<'_, '_>,
        stream: &Stream<'_>,
        sink: &mut L,
        out: &mut Part,
    ) -> Result<()> {
        // Fields that nobody takes are checked as they are passed over.
        let totals =
            stream.for_each_entry(&mut self.scratch, |id, fields| sink.entry(id, fields))?;
        let state = stream.state()?;
        sink.stream_state(&state);
        stream_counters(place, &totals, &state, self.length_matters, out);
        Ok(())
    }

    fn array<L: Listener>(&mut self, array: &Array<'_>, sink: &mut L) -> Result<()> {
        match L::IS_HEARD {
            true => export_array(array, &mut self.scratch, sink),
            false => array.for_each(&mut self.scratch, |_, _| {}),
        }
    }

    fn module<L: Listener>(
        &mut self,
        place: &Place<'_, '_>,
        module: &ModuleValue<'_>,
        sink: &mut L,
        out: &mut Part,
    ) -> Result<()> {
        module_strings(module.items()?, place.record.offset)?;
        let id = module.id()?;
        if id.name() == crate::rdb::vectorset::MODULE_NAME && id.encoding_version() == 0 {
            let items = module.items()?;
            let checked = crate::rdb::vectorset::check(items);
            let odd =
                checked.map_err(|flaw| Error::new(flaw.into()).at_offset(place.record.offset))?;
            if let Some(odd) = odd {
                out.add(place.odd(odd));
            }
        }
        if let Some(text) = module.json_text()?
            && !is_document(&text)
        {
            out.add(place.finding(
                Level::Warning,
                Code::BadModule,
                "text of a JSON document",
                "JSON",
                "something else",
            ));
        }
        match L::IS_HEARD {
            true => export_module(module, place.record.encoded_len(), sink),
            false => Ok(()),
        }
    }
}

/// Whether servers disagree on a deadline.
fn is_odd_expiry(at_ms: Option<i64>) -> bool {
    at_ms == Some(-1)
}

/// Expands every string among a module's items.
pub(crate) fn module_strings(items: ModuleItems<'_>, offset: u64) -> Result<()> {
    let mut scratch = Vec::new();
    for item in items {
        if let ModuleItem::String(stored) = item {
            stored
                .bytes(&mut scratch)
                .map_err(|flaw| Error::new(flaw.into()).at_offset(offset))?;
        }
    }
    Ok(())
}

/// Compares a stream's counters with its entries.
///
/// A tombstone above `max_deleted_id` is no flaw: trimming leaves some. Nor is a
/// group ahead of its stream: XGROUP takes any id.
fn stream_counters(
    place: &Place<'_, '_>,
    totals: &EntryTotals,
    state: &StreamState,
    length_matters: bool,
    out: &mut Part,
) {
    let dialect = place.record.dialect;
    // Valkey 9.1 compares the length, Redis 8.8 the other counters too.
    let level_of_length = if length_matters || dialect.is_valkey() || dialect.version >= 14 {
        Level::Error
    } else {
        Level::Warning
    };
    let level_of_others = if !dialect.is_valkey() && dialect.version >= 14 {
        Level::Error
    } else {
        Level::Warning
    };
    let mut differ = |level, what, expected: Side, found: Side| {
        out.add(place.finding(level, Code::StreamCounters, what, expected, found));
    };
    if totals.live != state.length {
        differ(
            level_of_length,
            "length of a stream",
            totals.live.into(),
            state.length.into(),
        );
    }
    if totals
        .greatest_id
        .is_some_and(|greatest| greatest > state.last_id)
    {
        differ(
            Level::Warning,
            "last id of a stream",
            "at least its greatest id".into(),
            "a smaller one".into(),
        );
    }
    let first = totals.first_id.unwrap_or_default();
    if state
        .first_id
        .is_some_and(|declared| declared != first && totals.live > 0)
    {
        differ(
            Level::Warning,
            "first id of a stream",
            "that of its first entry".into(),
            "another".into(),
        );
    }
    if state
        .max_deleted_id
        .is_some_and(|deleted| deleted > state.last_id)
    {
        differ(
            Level::Warning,
            "greatest deleted id of a stream",
            "at most its last id".into(),
            "a greater one".into(),
        );
    }
    // Servers write -1 for a count that they do not know, and no other negative number.
    let is_odd = |group: &Group| group.entries_read.is_some_and(|read| read < -1);
    if state.groups.iter().any(is_odd) {
        differ(
            Level::Warning,
            "entries that a group has read",
            "a count, or -1 for unknown".into(),
            "another negative number".into(),
        );
    }
    let Some(added) = state.entries_added else {
        return;
    };
    if added < state.length {
        differ(
            level_of_others,
            "entries ever added to a stream",
            "at least its length".into(),
            added.into(),
        );
    }
    let ahead = |group: &Group| {
        group
            .entries_read
            .is_some_and(|read| u64::try_from(read).is_ok_and(|read| read > added))
    };
    if level_of_others == Level::Error && state.groups.iter().any(ahead) {
        differ(
            Level::Error,
            "entries that a group has read",
            "at most those ever added".into(),
            "more".into(),
        );
    }
}

/// The members whose hashes stand twice, looked at a second time.
struct Repeats {
    hasher: MemberSet,
    hashes: Vec<u64>,
    members: Vec<Vec<u8>>,
}

impl Repeats {
    /// Starts the second look, if any hash stands twice.
    fn candidates(members: &mut MemberSet) -> Option<Self> {
        let hashes = members.candidates().to_vec();
        (!hashes.is_empty()).then(|| Repeats {
            hasher: members.clone(),
            hashes,
            members: Vec::new(),
        })
    }

    fn look_at(&mut self, member: Text<'_>) {
        if self.hashes.binary_search(&self.hasher.hash(member)).is_ok() {
            self.members.push(member.to_vec());
        }
    }

    fn report(mut self, place: &Place<'_, '_>, what: &'static str, out: &mut Part) {
        self.members.sort_unstable();
        for chunk in self
            .members
            .chunk_by(|a, b| a == b)
            .filter(|chunk| chunk.len() > 1)
        {
            let mut finding = place.finding(
                Level::Error,
                Code::DuplicateMember,
                what,
                "once",
                chunk.len(),
            );
            finding.message = format!(
                "{} {}: expected once, found {} times",
                what,
                escape_key(&chunk[0]),
                chunk.len()
            );
            out.add(finding);
        }
    }
}
