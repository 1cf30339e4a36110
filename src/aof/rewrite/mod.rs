//! From keys and values to the commands that make them: what a rewrite logs.
//!
//! | type | commands, at most 64 elements each |
//! |---|---|
//! | string, HyperLogLog | `SET` |
//! | list, set | `RPUSH`, `SADD` |
//! | sorted set | `ZADD` |
//! | hash | `HSET`, before 4.0 `HMSET`; `HPEXPIREAT` for fields with a deadline |
//! | stream | `XADD`, `XSETID`, `XGROUP CREATE`, `XGROUP CREATECONSUMER`, `XCLAIM` |
//! | array | `ARMSET`, at most 32 elements, and `ARSEEK` |
//! | any deadline of a key | `PEXPIREAT` behind the value |
//! | what these cannot say | `RESTORE key deadline payload REPLACE ABSTTL` |
//!
//! Upstream: `aof.c rewriteAppendOnlyFileRio`. Servers lose in this form what has no
//! command: pending entries that were deleted, remembered message ids, -0 as a score of a
//! packed sorted set, vector sets. Here such a key goes as a payload. Lost are only times
//! that help the server: idle times, frequencies, when consumers were seen.
//!
//! Nothing is allocated for an element; a key's commands are gathered until it ends, since
//! the last part of a stream may turn it into a payload.

mod stream;

use crate::bytes::Text;
use crate::bytes::spool::Spool;
use crate::error::Result;
use crate::limits::{KEPT_BYTES, SPOOLED_BYTES};
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, StoredScore, ValueSink};
use crate::model::stream::{StreamId, StreamState};
use crate::num::{digest_score_text, whole_score};
use crate::rdb::RecordEncoder;
use crate::rdb::constants::Opcode;
use crate::rdb::dump_payload::seal;
use crate::rdb::module::encode_key_meta;
use crate::rdb::string::StringEncoder;
use crate::rdb::target::{Encodings, Target};

use super::resp::{encode_arg_into, encode_argc_into, encode_text_into};

/// Elements of a command (`AOF_REWRITE_ITEMS_PER_CMD`).
const ITEMS_PER_COMMAND: usize = 64;
/// Elements of an ARMSET.
const ITEMS_PER_ARMSET: usize = 32;
/// The latest deadline of a field that HPEXPIREAT takes everywhere; files store later ones.
const MAX_FIELD_DEADLINE_MS: i64 = (1 << 46) - 1;

/// Makes the commands of keys and values, for a release.
///
/// ```
/// use rdbkit::aof::CommandEncoder;
/// use rdbkit::bytes::Text;
/// use rdbkit::model::ValueType;
/// use rdbkit::model::sink::{KeyHead, ValueSink as _};
/// use rdbkit::rdb::Target;
///
/// let target = Target::named("redis-7.2").unwrap();
/// let mut encoder = CommandEncoder::new(target, 1_700_000_000_000);
/// encoder.begin_key(&KeyHead::new(0, b"key", ValueType::Set));
/// encoder.begin_value();
/// encoder.element(Text::Bytes(b"member"));
/// encoder.end_value();
/// assert!(encoder.end_key());
/// let mut log = Vec::new();
/// assert_eq!(encoder.take(&mut log)?, 1);
/// assert_eq!(log, b"*3\r\n$4\r\nSADD\r\n$3\r\nkey\r\n$6\r\nmember\r\n");
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Debug)]
pub struct CommandEncoder {
    target: &'static Target,
    now_ms: i64,
    /// The key as an argument.
    key: Vec<u8>,
    value_type: ValueType,
    expire_at_ms: Option<i64>,
    commands: Commands,
    /// Elements of the command that is open.
    items: usize,
    /// Fields that expire together, and when.
    run: Args,
    run_at: i64,
    /// `HPEXPIREAT` commands that follow the fields in hand.
    later: Commands,
    /// Entries of a stream.
    ids: Vec<StreamId>,
    /// The key's value comes as a payload.
    restores: bool,
    /// Commands cannot say all of the value.
    falls_short: bool,
    /// The same key comes once more.
    again: bool,
    payload: Vec<u8>,
    values: RecordEncoder,
    strings: StringEncoder,
    text: Vec<u8>,
}

/// The commands of a key, one behind the other.
#[derive(Debug, Default)]
struct Commands {
    /// The beginning of a text that has become too long, whole commands.
    spool: Spool,
    bytes: Vec<u8>,
    /// Where they begin: a buffer that was lent holds others before them.
    start: u64,
    count: u64,
    /// Where the command begins whose arguments are not counted yet.
    open: usize,
}

impl Commands {
    /// Begins a command of so many arguments.
    fn begin(&mut self, argc: usize, name: &[u8]) {
        self.spool_if_long();
        encode_argc_into(argc, &mut self.bytes);
        self.arg(name);
        self.count += 1;
    }

    /// Begins a command on a key whose arguments are counted when it is closed.
    #[inline(never)]
    fn open(&mut self, name: &[u8], key: &[u8]) {
        self.spool_if_long();
        self.open = self.bytes.len();
        // Most have two digits' worth of arguments: those stay where they are.
        self.begin(10, name);
        self.encoded(key);
    }

    /// Completes the command that was opened: it has so many arguments.
    fn close(&mut self, argc: usize) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(argc).as_bytes();
        let place = self.open + 1..self.open + 3;
        if let Some(two) = self.bytes.get_mut(place.clone())
            && two.len() == digits.len()
        {
            two.copy_from_slice(digits);
        } else {
            self.bytes.splice(place, digits.iter().copied());
        }
    }

    fn arg(&mut self, arg: &[u8]) {
        encode_arg_into(arg, &mut self.bytes);
    }

    #[inline]
    fn text(&mut self, text: Text<'_>) {
        encode_text_into(text, &mut self.bytes);
    }

    fn int(&mut self, n: impl itoa::Integer) {
        self.arg(itoa::Buffer::new().format(n).as_bytes());
    }

    /// Arguments that are encoded already.
    fn encoded(&mut self, args: &[u8]) {
        self.bytes.extend_from_slice(args);
    }

    /// Puts what has become too long into a file. No command may be open.
    #[inline]
    fn spool_if_long(&mut self) {
        if self.bytes.len() >= SPOOLED_BYTES {
            self.spool.take_in(&mut self.bytes);
        }
    }

    fn clear(&mut self) {
        self.spool.cut(&mut self.bytes, self.start);
        self.count = 0;
    }
}

/// Arguments, encoded, whose command begins when it is known how many there are.
#[derive(Debug, Default)]
struct Args {
    bytes: Vec<u8>,
    items: usize,
}

impl Args {
    fn push(&mut self, text: Text<'_>) {
        encode_text_into(text, &mut self.bytes);
        self.items += 1;
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.items = 0;
    }
}

impl CommandEncoder {
    /// Writes for a release; `now_ms` is the time of writing in milliseconds since 1970,
    /// after which no server loads the commands.
    #[must_use]
    pub fn new(target: &'static Target, now_ms: i64) -> Self {
        CommandEncoder {
            target,
            now_ms,
            key: Vec::new(),
            value_type: ValueType::String,
            expire_at_ms: None,
            commands: Commands::default(),
            items: 0,
            run: Args::default(),
            run_at: 0,
            later: Commands::default(),
            ids: Vec::new(),
            restores: false,
            falls_short: false,
            again: false,
            payload: Vec::new(),
            values: RecordEncoder::new(target, Encodings::Default),
            strings: StringEncoder::default(),
            text: Vec::new(),
        }
    }

    /// The release.
    #[must_use]
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// Appends the commands of the key that ended and says how many they are; none if it has
    /// no elements, which servers take for no key.
    ///
    /// # Errors
    /// A value that goes as a payload and that no encoding of the release holds.
    pub fn take(&mut self, out: &mut Vec<u8>) -> Result<u64> {
        let count = self.end()?;
        self.drain(&mut |part| {
            out.extend_from_slice(part);
            Ok(())
        })?;
        Ok(count)
    }

    /// Passes on the commands of the key that ended, and forgets them; nothing may be lent.
    ///
    /// # Errors
    /// Those of `each`, and of reading what lies in a temporary file.
    pub(crate) fn drain(&mut self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let commands = &mut self.commands;
        commands.spool.drain(each)?;
        each(&commands.bytes)?;
        commands.clear();
        commands.bytes.shrink_to(KEPT_BYTES);
        Ok(())
    }

    /// Lets the commands of a key go behind what a buffer holds, and before it a file;
    /// [`reclaim`](Self::reclaim) gives both back.
    pub(crate) fn lend(&mut self, spool: Spool, buffer: Vec<u8>) {
        self.commands.start = spool.len() + buffer.len() as u64;
        self.commands.spool = spool;
        self.commands.bytes = buffer;
    }

    /// Gives back what was lent.
    pub(crate) fn reclaim(&mut self) -> (Spool, Vec<u8>) {
        let commands = &mut self.commands;
        commands.start = 0;
        (
            std::mem::take(&mut commands.spool),
            std::mem::take(&mut commands.bytes),
        )
    }

    /// Completes the commands of the key that ended and says how many they are.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(crate) fn end(&mut self) -> Result<u64> {
        if self.restores {
            self.restore()?;
        }
        if self.commands.count > 0 {
            // What no payload said already.
            let deadline = self.expire_at_ms.filter(|at| *at != -1);
            let behind = deadline.filter(|at| !(self.restores && self.is_restored(*at)));
            if let Some(at) = behind {
                self.commands.begin(3, b"PEXPIREAT");
                self.commands.encoded(&self.key);
                self.commands.int(at);
            }
        }
        self.trim();
        Ok(std::mem::take(&mut self.commands.count))
    }

    /// Whether RESTORE takes a deadline; 0 means none to it.
    fn is_restored(&self, at_ms: i64) -> bool {
        self.target.restores_deadlines() && at_ms > 0
    }

    /// Puts the payload in place of commands.
    fn restore(&mut self) -> Result<()> {
        self.commands.clear();
        if !self.values.take_value(&mut self.payload)? {
            return Ok(());
        }
        seal(self.target.dialect(), &mut self.payload);
        let deadline = self.expire_at_ms.filter(|at| self.is_restored(*at));
        self.commands
            .begin(5 + usize::from(deadline.is_some()), b"RESTORE");
        self.commands.encoded(&self.key);
        self.commands.int(deadline.unwrap_or(0));
        self.commands.arg(&self.payload);
        self.commands.arg(b"REPLACE");
        if deadline.is_some() {
            self.commands.arg(b"ABSTTL");
        }
        Ok(())
    }

    /// Begins a command unless one is open.
    #[inline]
    fn gather(&mut self, name: &[u8]) {
        if self.items == 0 {
            self.commands.open(name, &self.key);
        }
        self.items += 1;
    }

    /// Completes the command that is open.
    fn flush(&mut self, args_per_item: usize) {
        let items = std::mem::take(&mut self.items);
        if items > 0 {
            self.commands.close(2 + items * args_per_item);
        }
        if self.value_type == ValueType::Hash {
            self.close_run();
            self.commands.encoded(&self.later.bytes);
            self.commands.count += self.later.count;
            self.later.clear();
        }
    }

    /// Completes the command that is open once it is full.
    #[inline]
    fn gathered(&mut self, most: usize, args_per_item: usize) {
        if self.items >= most {
            self.flush(args_per_item);
        }
    }

    /// Writes the deadline of fields that follow each other.
    fn close_run(&mut self) {
        if self.run.items == 0 {
            return;
        }
        self.later.begin(5 + self.run.items, b"HPEXPIREAT");
        self.later.encoded(&self.key);
        self.later.int(self.run_at);
        self.later.arg(b"FIELDS");
        self.later.int(self.run.items);
        self.later.encoded(&self.run.bytes);
        self.run.clear();
    }

    fn add_scored(&mut self, member: Text<'_>, score: f64, text: Text<'_>) {
        let flavor = self.target.flavor();
        // A packed set makes 0 of it, and each begins packed.
        self.falls_short |=
            score == 0.0 && score.is_sign_negative() && flavor.small_zsets_lose_negative_zero();
        self.gather(b"ZADD");
        self.commands.text(text);
        self.commands.text(member);
        self.gathered(ITEMS_PER_COMMAND, 2);
    }

    fn hash_command(&self) -> &'static [u8] {
        match self.target.has_variadic_hset() {
            true => b"HSET",
            false => b"HMSET",
        }
    }

    fn list_command(&self) -> &'static [u8] {
        match self.value_type {
            ValueType::Set => b"SADD",
            _ => b"RPUSH",
        }
    }

    /// Gives back what an unusually large value took.
    fn trim(&mut self) {
        for buffer in [
            &mut self.later.bytes,
            &mut self.run.bytes,
            &mut self.payload,
        ] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
        self.ids.clear();
        self.ids.shrink_to(KEPT_BYTES / size_of::<StreamId>());
    }
}

/// Appends the commands of a string without metadata and says how many they are: what
/// [`CommandEncoder`] makes of one, but most keys of many files are strings.
pub(crate) fn encode_string(
    key: &[u8],
    value: Text<'_>,
    expire_at_ms: Option<i64>,
    out: &mut Vec<u8>,
) -> u64 {
    out.extend_from_slice(b"*3\r\n$3\r\nSET\r\n");
    encode_arg_into(key, out);
    encode_text_into(value, out);
    let Some(at) = expire_at_ms.filter(|at| *at != -1) else {
        return 1;
    };
    out.extend_from_slice(b"*3\r\n$9\r\nPEXPIREAT\r\n");
    encode_arg_into(key, out);
    encode_text_into(Text::Int(at), out);
    2
}

impl ValueSink for CommandEncoder {
    /// Only a payload does.
    fn wants_score_order(&self) -> bool {
        self.restores
    }

    fn begin_key(&mut self, head: &KeyHead<'_>) {
        let meta = head.key_meta.filter(|_| self.target.has_key_meta());
        self.restores = std::mem::take(&mut self.again)
            || head.value_type == ValueType::Module
            || meta.is_some();
        self.falls_short = false;
        self.key.clear();
        encode_arg_into(head.key, &mut self.key);
        self.value_type = head.value_type;
        self.expire_at_ms = head.expire_at_ms;
        self.commands.clear();
        self.items = 0;
        self.run.clear();
        self.later.clear();
        self.ids.clear();
        self.payload.clear();
        if let Some(classes) = meta {
            self.payload.push(Opcode::KEY_META.0);
            encode_key_meta(classes, &mut self.strings, &mut self.payload);
        }
        if self.restores {
            self.values.begin_key(head);
        }
    }

    fn string(&mut self, text: Text<'_>) {
        if self.restores {
            return self.values.string(text);
        }
        self.commands.begin(3, b"SET");
        self.commands.encoded(&self.key);
        self.commands.text(text);
    }

    fn begin_value(&mut self) {
        if self.restores {
            self.values.begin_value();
        }
    }

    fn element(&mut self, element: Text<'_>) {
        if self.restores {
            return self.values.element(element);
        }
        self.gather(self.list_command());
        self.commands.text(element);
        self.gathered(ITEMS_PER_COMMAND, 1);
    }

    fn scored(&mut self, member: Text<'_>, score: f64) {
        if self.restores {
            return self.values.scored(member, score);
        }
        if let Some(whole) = whole_score(score) {
            return self.add_scored(member, score, Text::Int(whole));
        }
        let text = digest_score_text(score, self.target.flavor());
        self.add_scored(member, score, Text::Bytes(text.as_bytes()));
    }

    fn scored_as_stored(&mut self, member: Text<'_>, score: f64, stored: StoredScore<'_>) {
        // Printing a score takes longer than all else about its member.
        if self.restores || !stored.is_17g || !self.target.flavor().prints_17g() {
            return self.scored(member, score);
        }
        self.add_scored(member, score, stored.text);
    }

    fn field(&mut self, field: Text<'_>, value: Text<'_>, expire_at_ms: Option<i64>) {
        if self.restores {
            return self.values.field(field, value, expire_at_ms);
        }
        self.gather(self.hash_command());
        self.commands.text(field);
        self.commands.text(value);
        let form = self.target.field_deadlines();
        if let Some(at) = expire_at_ms.filter(|at| form.carries(*at)) {
            self.falls_short |= !(1..=MAX_FIELD_DEADLINE_MS).contains(&at);
            if self.run_at != at {
                self.close_run();
                self.run_at = at;
            }
            self.run.push(field);
        }
        self.gathered(ITEMS_PER_COMMAND, 2);
    }

    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {
        if self.restores {
            return self.values.entry(id, fields);
        }
        self.add_entry(id, fields);
    }

    fn stream_state(&mut self, state: &StreamState) {
        if self.restores {
            return self.values.stream_state(state);
        }
        match self.can_say(state) {
            true => self.add_state(state),
            false => self.falls_short = true,
        }
    }

    fn item(&mut self, index: u64, text: Text<'_>) {
        if self.restores {
            return self.values.item(index, text);
        }
        self.gather(b"ARMSET");
        self.commands.int(index);
        self.commands.text(text);
        self.gathered(ITEMS_PER_ARMSET, 2);
    }

    fn array_state(&mut self, insert_index: Option<u64>) {
        if self.restores {
            return self.values.array_state(insert_index);
        }
        self.flush(2);
        let Some(index) = insert_index.filter(|_| self.commands.count > 0) else {
            return;
        };
        match index.checked_add(1) {
            Some(next) => {
                self.commands.begin(3, b"ARSEEK");
                self.commands.encoded(&self.key);
                self.commands.int(next);
            }
            None => self.falls_short = true,
        }
    }

    fn module(
        &mut self,
        name: &str,
        encoding_version: u16,
        data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        encoded_len: u64,
    ) {
        self.values
            .module(name, encoding_version, data, items, encoded_len);
    }

    fn end_value(&mut self) {
        if self.restores {
            return self.values.end_value();
        }
        match self.value_type {
            ValueType::List | ValueType::Set => self.flush(1),
            ValueType::Zset | ValueType::Hash => self.flush(2),
            ValueType::String | ValueType::Stream | ValueType::Array | ValueType::Module => {}
        }
    }

    fn end_key(&mut self) -> bool {
        if self.restores {
            return self.values.end_key();
        }
        self.again = self.falls_short;
        !self.again
    }

    fn abandon_key(&mut self) {
        self.again = false;
        self.commands.clear();
        self.items = 0;
        if self.restores {
            self.values.abandon_key();
            self.restores = false;
        }
    }
}
