//! How many bytes a keyspace takes as commands: what BGREWRITEAOF would write without
//! an RDB preamble.
//!
//! ```text
//! functions   FUNCTION LOAD code
//! database    SELECT n
//! string      SET k v                          deadline    PEXPIREAT k ms
//! list        RPUSH k e ..                     set         SADD k m ..
//! sorted set  ZADD k s m ..                    hash        HMSET k f v ..
//! hash with a field deadline                   HMSET k f v, HPEXPIREAT k ms FIELDS 1 f
//! stream      XADD k id f v .., XSETID, XCFGSET, XIDMPRECORD, XGROUP CREATE, and for
//!             each consumer XGROUP CREATECONSUMER, or XCLAIM for each pending entry
//! ```
//!
//! At most 64 elements stand in a command. Bytes are counted as they would stand in the
//! file, framing included. What servers write differs in this: arrays, vector sets and
//! module values, for which servers have no common form, count here as one RESTORE with
//! their bytes as they are in memory; annotations are left out; and a hash that once had
//! a field deadline is written field by field although it has none any more.

use crate::bytes::Text;
use crate::num::{Flavor, Product, score_text};
use crate::store::group::Owner;
use crate::store::{Entry, Group, Hash, Store, Stream, StreamId, Value};

/// Elements in a command.
const AT_ONCE: usize = 64;
/// The footer of a payload: version and checksum.
const PAYLOAD_FOOTER: usize = 10;

/// Bytes of the commands that make this keyspace on a server of this release.
#[must_use]
pub fn compact_size(store: &Store<'_>, flavor: Flavor) -> u64 {
    let mut size = Size { bytes: 0, flavor };
    for code in store.functions.values() {
        size.command(&[8, 4, code.len()]);
    }
    for (number, db) in store.dbs() {
        size.command(&[6, digits(number)]);
        for (key, entry) in db.iter() {
            size.entry(key, entry);
        }
    }
    size.bytes
}

struct Size {
    bytes: u64,
    flavor: Flavor,
}

/// Length of a number's text.
fn digits(n: impl Into<i128>) -> usize {
    let n: i128 = n.into();
    let sign = usize::from(n < 0);
    let magnitude = n.unsigned_abs();
    sign + magnitude.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn id_len(id: StreamId) -> usize {
    digits(id.ms) + 1 + digits(id.seq)
}

/// Length of an argument of so many bytes, framing included.
fn bulk(len: usize) -> usize {
    digits(len as u64) + len + 5
}

impl Size {
    /// A command with arguments of these lengths, the name's first.
    fn command(&mut self, lens: &[usize]) {
        let body: usize = lens.iter().map(|len| bulk(*len)).sum();
        self.bytes += (3 + digits(lens.len() as u64) + body) as u64;
    }

    /// `name key element ..` with the arguments that elements take, in as many commands
    /// as that needs; `lens` are the framed lengths of the elements.
    fn batches(&mut self, name: &str, key: usize, width: usize, lens: impl Iterator<Item = usize>) {
        let mut elements = 0;
        for len in lens {
            self.bytes += len as u64;
            elements += 1;
        }
        let head = |elements: usize| {
            3 + digits((2 + width * elements) as u64) + bulk(name.len()) + bulk(key)
        };
        let (full, rest) = (elements / AT_ONCE, elements % AT_ONCE);
        self.bytes += (full * head(AT_ONCE)) as u64;
        if rest > 0 {
            self.bytes += head(rest) as u64;
        }
    }

    fn entry(&mut self, key: &[u8], entry: &Entry<'_>) {
        let flavor = self.flavor;
        let k = key.len();
        match &entry.value {
            Value::String(text) => self.command(&[3, k, text.len()]),
            Value::List(list) => {
                self.batches("RPUSH", k, 1, list.iter().map(|item| bulk(item.len())));
            }
            Value::Set(set) => {
                self.batches("SADD", k, 1, set.iter().map(|member| bulk(member.len())));
            }
            Value::SortedSet(zset) => {
                let pairs = zset.iter().map(|(member, score)| {
                    let score = score_text(score, flavor);
                    bulk(score.as_bytes().len()) + bulk(member.len())
                });
                self.batches("ZADD", k, 2, pairs);
            }
            Value::Hash(hash) => self.hash(k, hash),
            Value::Stream(stream) => self.stream(k, stream),
            Value::Array(array) => {
                let items = array.items.iter();
                let bytes = items.map(|(index, item)| digits(*index) + item.len()).sum();
                self.restore(k, bytes);
            }
            Value::VectorSet(set) => {
                let elements = set.elements.iter().map(|(name, vector)| {
                    let attributes = vector.attributes.as_ref().map_or(0, |text| text.len());
                    name.len() + vector.data.len() + attributes
                });
                self.restore(k, elements.sum());
            }
            Value::Module(module) => self.restore(k, module.name.len() + module.record.len()),
        }
        if let Some(ms) = entry.expire_at_ms() {
            self.command(&[9, k, digits(ms)]);
        }
    }

    fn restore(&mut self, key: usize, bytes: usize) {
        self.command(&["RESTORE".len(), key, 1, bytes + PAYLOAD_FOOTER]);
    }

    fn hash(&mut self, key: usize, hash: &Hash<'_>) {
        let valkey = self.flavor.product == Product::Valkey;
        let is_single = hash.deadlines() > 0 && !valkey;
        for (name, field) in hash.iter().filter(|_| hash.deadlines() > 0) {
            match field.expire_at_ms() {
                Some(ms) if valkey => {
                    // HSETEX k PXAT ms FIELDS 1 f v
                    self.command(&[6, key, 4, digits(ms), 6, 1, name.len(), field.value.len()]);
                }
                deadline if is_single => {
                    self.command(&[5, key, name.len(), field.value.len()]);
                    if let Some(ms) = deadline {
                        self.command(&[10, key, digits(ms), 6, 1, name.len()]);
                    }
                }
                _ => {}
            }
        }
        let plain = hash
            .iter()
            .filter(|(_, field)| !is_single && field.expire_at_ms().is_none())
            .map(|(name, field)| bulk(name.len()) + bulk(field.value.len()));
        self.batches("HMSET", key, 2, plain);
    }

    fn stream(&mut self, key: usize, stream: &Stream<'_>) {
        let mut lens = Vec::new();
        for (id, fields) in &stream.entries {
            lens.clear();
            lens.extend([4, key, id_len(*id)]);
            lens.extend(
                fields
                    .iter()
                    .flat_map(|(name, value)| [name.len(), value.len()]),
            );
            self.command(&lens);
        }
        if stream.is_empty() {
            // XADD k MAXLEN 0 0-1 x y
            self.command(&[4, key, 6, 1, 3, 1, 1]);
        }
        if self.flavor.has_stream_counters() {
            self.command(&[
                6,
                key,
                id_len(stream.last_id),
                12,
                digits(stream.entries_added),
                12,
                id_len(stream.max_deleted_id),
            ]);
        } else {
            self.command(&[6, key, id_len(stream.last_id)]);
        }
        let idmp = &stream.idmp;
        if !idmp.is_default() {
            // XCFGSET k IDMP-DURATION d IDMP-MAXSIZE m
            self.command(&[
                7,
                key,
                13,
                digits(idmp.duration_s),
                12,
                digits(idmp.max_entries),
            ]);
        }
        for (producer, records) in &idmp.producers {
            for (iid, id) in records.iter() {
                self.command(&[11, key, producer.len(), iid.len(), id_len(id)]);
            }
        }
        for (name, group) in &stream.groups {
            self.group(key, name.len(), group);
        }
    }

    fn group(&mut self, key: usize, name: usize, group: &Group<'_>) {
        let last = id_len(group.last_id);
        if self.flavor.has_stream_counters() {
            // XGROUP CREATE k g last ENTRIESREAD n
            self.command(&[6, 6, key, name, last, 11, digits(group.entries_read)]);
        } else {
            self.command(&[6, 6, key, name, last]);
        }
        for (consumer, state) in group.consumers() {
            if state.pending() == 0 {
                self.command(&[6, 14, key, name, consumer.len()]);
            }
        }
        for (id, owner, pending) in group.iter_pending() {
            let consumer = match owner {
                Owner::Consumer(consumer) => Text::Bytes(consumer).len(),
                Owner::Nobody => 0,
            };
            // XCLAIM k g c 0 id TIME ms RETRYCOUNT n JUSTID FORCE
            let (at, count) = (digits(pending.delivered_at_ms), digits(pending.count));
            self.command(&[
                6,
                key,
                name,
                consumer,
                1,
                id_len(id),
                4,
                at,
                10,
                count,
                6,
                5,
            ]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resp::encode_record_into;
    use crate::replay::{Options, Replayer};

    fn size_of(commands: &[&str], options: Options) -> (u64, Vec<u8>) {
        let mut replayer = Replayer::new(options);
        let mut log = Vec::new();
        for command in commands {
            let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
            replayer.call(&words).unwrap();
            encode_record_into(&words, &mut log);
        }
        (compact_size(&replayer.store, options.flavor), log)
    }

    #[test]
    fn commands_of_a_rewrite_take_their_own_size() {
        let members = |count: usize| {
            (10..10 + count)
                .map(|n| format!(" {n}"))
                .collect::<String>()
        };
        let list = format!("RPUSH list{}", members(64));
        let rest = format!("RPUSH list{}", members(6));
        let set = format!("SADD set{}", members(10));
        let commands = [
            "SELECT 0",
            "SET string value",
            "PEXPIREAT string 4102444800000",
            &list,
            &rest,
            &set,
            "ZADD zset 0.5 a -inf b 3 c",
            "HMSET hash f v g 12345678901234567890",
            "HMSET timed f v",
            "HPEXPIREAT timed 4102444800000 FIELDS 1 f",
            "HMSET timed g w",
            "XADD stream 1-1 f v g w",
            "XADD stream 2-0 f v",
            "XSETID stream 5-0 ENTRIESADDED 9 MAXDELETEDID 4-0",
            "XGROUP CREATE stream group 1-1 ENTRIESREAD 1",
            "XGROUP CREATECONSUMER stream group idle",
            "XCLAIM stream group busy 0 1-1 TIME 7 RETRYCOUNT 2 JUSTID FORCE",
            "SELECT 3",
            "SET n 12",
        ];
        let (size, log) = size_of(&commands, Options::default());
        assert_eq!(size, log.len() as u64);
        assert_eq!(size_of(&[], Options::default()).0, 0);
    }

    #[test]
    fn overwritten_data_takes_nothing() {
        let (size, _) = size_of(
            &["SET k a", "SET k b", "SADD s x", "DEL s"],
            Options::default(),
        );
        let (alone, log) = size_of(&["SELECT 0", "SET k b"], Options::default());
        assert_eq!((size, alone), (alone, log.len() as u64));
    }

    #[test]
    fn numbers_have_their_length() {
        for n in [0, 9, 10, 99, 100, i64::MAX, -1, -10, i64::MIN] {
            assert_eq!(digits(n), n.to_string().len(), "{n}");
        }
        assert_eq!(digits(u64::MAX), 20);
    }
}
