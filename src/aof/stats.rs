//! Counts what a log holds: commands by name, bytes, transactions, time span.
//!
//! One [`LogStats`] per part; [`LogStats::add`] sums parts up. Names are counted in
//! upper case, as servers compare them. Distinct names are bounded, because a
//! damaged or hostile log can have a new one in every record: the rest, and names
//! longer than any command's, are counted together as "other".

use hashbrown::HashMap;

use super::annotation::Annotation;
use super::reader::Event;
use crate::limits::{COMMAND_NAME_BYTES, COMMAND_NAMES};

/// How often, and how much of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandCount {
    /// Records.
    pub count: u64,
    /// Bytes of those records, framing included.
    pub bytes: u64,
}

impl CommandCount {
    fn add(&mut self, count: u64, bytes: u64) {
        self.count += count;
        self.bytes += bytes;
    }
}

/// What stands in a log.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogStats {
    /// Commands of every kind, MULTI and EXEC included.
    pub records: CommandCount,
    /// How many of them are MULTI.
    pub multis: u64,
    /// Annotations of every kind.
    pub annotations: u64,
    /// The first `#TS:`, in Unix seconds.
    pub first_timestamp: Option<i64>,
    /// The last `#TS:`.
    pub last_timestamp: Option<i64>,
    /// Commands whose names are too long or too many to be counted apart.
    pub other: CommandCount,
    names: HashMap<Box<[u8]>, CommandCount, foldhash::fast::RandomState>,
}

impl LogStats {
    /// Counts one event.
    #[inline]
    pub fn record(&mut self, event: &Event<'_, '_>) {
        match *event {
            Event::Command {
                args,
                offset,
                end_offset,
            } => {
                let bytes = end_offset.saturating_sub(offset);
                let name = args.first().copied().unwrap_or_default();
                self.records.add(1, bytes);
                self.multis += u64::from(name.eq_ignore_ascii_case(b"MULTI"));
                self.count(name, 1, bytes);
            }
            Event::Annotation { annotation, .. } => {
                self.annotations += 1;
                if let Annotation::Timestamp(ts) = annotation {
                    self.first_timestamp.get_or_insert(ts);
                    self.last_timestamp = Some(ts);
                }
            }
        }
    }

    fn count(&mut self, name: &[u8], count: u64, bytes: u64) {
        let mut upper = [0; COMMAND_NAME_BYTES];
        let Some(upper) = upper.get_mut(..name.len()) else {
            return self.other.add(count, bytes);
        };
        upper.copy_from_slice(name);
        upper.make_ascii_uppercase();
        if let Some(known) = self.names.get_mut(&*upper) {
            known.add(count, bytes);
        } else if self.names.len() < COMMAND_NAMES {
            self.names
                .insert((&*upper).into(), CommandCount { count, bytes });
        } else {
            self.other.add(count, bytes);
        }
    }

    /// Adds the counts of a later part.
    pub fn add(&mut self, part: &LogStats) {
        self.records.add(part.records.count, part.records.bytes);
        self.multis += part.multis;
        self.annotations += part.annotations;
        self.first_timestamp = self.first_timestamp.or(part.first_timestamp);
        self.last_timestamp = part.last_timestamp.or(self.last_timestamp);
        self.other.add(part.other.count, part.other.bytes);
        for (name, known) in &part.names {
            self.count(name, known.count, known.bytes);
        }
    }

    /// What is counted under a name, in any case.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<CommandCount> {
        self.names.get(&*name.to_ascii_uppercase()).copied()
    }

    /// Every name with its counts, the most bytes first, then by name.
    #[must_use]
    pub fn by_bytes(&self) -> Vec<(&[u8], CommandCount)> {
        let mut all: Vec<_> = self
            .names
            .iter()
            .map(|(name, count)| (&**name, *count))
            .collect();
        all.sort_unstable_by_key(|&(name, count)| (std::cmp::Reverse(count.bytes), name));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::reader::LogReader;
    use super::super::resp::encode_record_into;
    use super::*;

    fn stats(log: &[u8]) -> LogStats {
        let mut reader = LogReader::new(log, 0);
        let mut stats = LogStats::default();
        while let Some(event) = reader.next_event() {
            stats.record(&event);
        }
        stats
    }

    #[test]
    fn log_counts_by_name_in_any_case_and_parts_add_up() {
        let mut log = b"#TS:5\r\n".to_vec();
        for record in [
            &["set", "k", "v"][..],
            &["SET", "k", "w"],
            &["Multi"],
            &["EXEC"],
        ] {
            encode_record_into(record, &mut log);
        }
        log.extend_from_slice(b"# note\n#TS:9\r\n");
        let mut total = stats(&log);
        assert_eq!(
            total.get(b"sEt"),
            Some(CommandCount {
                count: 2,
                bytes: 54
            })
        );
        assert_eq!(
            (total.records.count, total.multis, total.annotations),
            (4, 1, 3)
        );
        assert_eq!(
            (total.first_timestamp, total.last_timestamp),
            (Some(5), Some(9))
        );
        assert_eq!(total.by_bytes()[0].0, b"SET");
        total.add(&stats(b"#TS:12\r\n*1\r\n$4\r\nexec\r\n"));
        assert_eq!(total.get(b"EXEC").map(|c| c.count), Some(2));
        assert_eq!(total.last_timestamp, Some(12));
    }

    #[test]
    fn log_of_ever_new_names_stays_bounded() {
        let mut log = Vec::new();
        for n in 0..10_000 {
            encode_record_into(&[format!("CMD{n}")], &mut log);
        }
        encode_record_into(&["x".repeat(100)], &mut log);
        let stats = stats(&log);
        assert_eq!(stats.by_bytes().len(), COMMAND_NAMES);
        assert_eq!(stats.other.count, 10_001 - COMMAND_NAMES as u64);
        assert_eq!(stats.records.bytes, log.len() as u64);
    }
}
