//! The commands of a stream: its entries, its counters, its groups.

use super::{CommandEncoder, Commands, ITEMS_PER_COMMAND};
use crate::bytes::Text;
use crate::model::stream::{Group, Idmp, Pending, StreamId, StreamState};
use crate::rdb::object::stream::Version;

/// An id that a stream can have had before it was emptied.
const FIRST_ID: StreamId = StreamId::new(0, 1);

impl Commands {
    fn id(&mut self, id: StreamId, text: &mut Vec<u8>) {
        self.arg(id_text(id, text));
    }
}

fn id_text(id: StreamId, text: &mut Vec<u8>) -> &[u8] {
    text.clear();
    text.extend_from_slice(itoa::Buffer::new().format(id.ms).as_bytes());
    text.push(b'-');
    text.extend_from_slice(itoa::Buffer::new().format(id.seq).as_bytes());
    text
}

impl CommandEncoder {
    /// `XADD key id field value ..`
    pub(super) fn add_entry(
        &mut self,
        id: StreamId,
        fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>,
    ) {
        self.commands.open(b"XADD", &self.key);
        self.commands.id(id, &mut self.text);
        let mut items = 0;
        for (field, value) in fields {
            self.commands.text(field);
            self.commands.text(value);
            items += 1;
        }
        self.commands.close(3 + 2 * items);
        let last = self.ids.last().copied().unwrap_or_default();
        self.falls_short |= items == 0 || id <= last;
        self.ids.push(id);
    }

    /// Whether commands can say all of a stream's state, but for when consumers were seen.
    pub(super) fn can_say(&self, state: &StreamState) -> bool {
        let version = self.target.stream_version();
        let forgets =
            version >= Some(Version::V4) && state.idmp.as_ref().is_some_and(Idmp::says_something);
        let last = self.ids.last().copied().unwrap_or_default();
        let len = self.ids.len() as u64;
        !forgets
            && state.length == len
            && state.last_id >= last
            && (!self.target.sets_stream_counters() || self.counters_are_sound(state))
            && state
                .groups
                .iter()
                .all(|group| self.can_say_group(group, state))
    }

    /// Whether XSETID takes the counters.
    fn counters_are_sound(&self, state: &StreamState) -> bool {
        let added = state.entries_added.unwrap_or(state.length);
        let first = self.ids.first().copied().unwrap_or_default();
        added >= state.length
            && i64::try_from(added).is_ok()
            && state.max_deleted_id.unwrap_or_default() <= state.last_id
            && state.first_id.is_none_or(|id| id == first)
    }

    fn can_say_group(&self, group: &Group, state: &StreamState) -> bool {
        let added = state.entries_added.unwrap_or(state.length);
        let read_is_sound = match group.entries_read {
            Some(-1) | None => true,
            Some(read) => u64::try_from(read).is_ok_and(|read| read <= added),
        };
        let is_claimable = |entry: &Pending| {
            let owner = entry.consumer.map(|owner| owner as usize);
            owner.is_some_and(|owner| owner < group.consumers.len())
                && (0..=self.now_ms).contains(&entry.delivered_at_ms)
                && i64::try_from(entry.count).is_ok()
                && self.ids.binary_search(&entry.id).is_ok()
        };
        let consumers_are_sayable =
            self.target.creates_consumers() || owners(group).iter().all(|owns| *owns);
        (read_is_sound || !self.target.sets_stream_counters())
            && group.nacked.as_ref().is_none_or(Vec::is_empty)
            && group.pending.iter().all(is_claimable)
            && consumers_are_sayable
    }

    /// Writes what follows the entries.
    pub(super) fn add_state(&mut self, state: &StreamState) {
        let CommandEncoder {
            commands,
            key,
            text,
            target,
            ids,
            ..
        } = self;
        let has_counters = target.sets_stream_counters();
        if ids.is_empty() {
            // Only an entry makes a stream; a limit of none takes it away at once.
            commands.begin(7, b"XADD");
            commands.encoded(key);
            commands.arg(b"MAXLEN");
            commands.arg(b"0");
            commands.id(FIRST_ID, text);
            commands.arg(b"x");
            commands.arg(b"y");
        }
        commands.begin(if has_counters { 7 } else { 3 }, b"XSETID");
        commands.encoded(key);
        commands.id(state.last_id, text);
        if has_counters {
            commands.arg(b"ENTRIESADDED");
            commands.int(state.entries_added.unwrap_or(state.length));
            commands.arg(b"MAXDELETEDID");
            commands.id(state.max_deleted_id.unwrap_or_default(), text);
        }
        for group in &state.groups {
            commands.begin(if has_counters { 7 } else { 5 }, b"XGROUP");
            commands.arg(b"CREATE");
            commands.encoded(key);
            commands.arg(&group.name);
            commands.id(group.last_id, text);
            if has_counters {
                commands.arg(b"ENTRIESREAD");
                let read = group.entries_read;
                commands.int(read.unwrap_or_else(|| state.estimated_reads(group.last_id)));
            }
            for (consumer, owns) in group.consumers.iter().zip(owners(group)) {
                if !owns {
                    commands.begin(5, b"XGROUP");
                    commands.arg(b"CREATECONSUMER");
                    commands.encoded(key);
                    commands.arg(&group.name);
                    commands.arg(&consumer.name);
                }
            }
            claim(group, key, commands, text);
        }
    }
}

/// Which consumers own a pending entry.
fn owners(group: &Group) -> Vec<bool> {
    let mut owns = vec![false; group.consumers.len()];
    for owner in group.pending.iter().filter_map(|entry| entry.consumer) {
        if let Some(owns) = owns.get_mut(owner as usize) {
            *owns = true;
        }
    }
    owns
}

/// `XCLAIM key group consumer 0 id .. TIME ms RETRYCOUNT n JUSTID FORCE`, for pending entries
/// that follow each other and differ only in their ids.
fn claim(group: &Group, key: &[u8], commands: &mut Commands, text: &mut Vec<u8>) {
    let same = |a: &Pending, b: &Pending| {
        (a.consumer, a.delivered_at_ms, a.count) == (b.consumer, b.delivered_at_ms, b.count)
    };
    let runs = group.pending.chunk_by(same);
    for run in runs.flat_map(|run| run.chunks(ITEMS_PER_COMMAND)) {
        let [first, ..] = run else { continue };
        let owner = first
            .consumer
            .and_then(|at| group.consumers.get(at as usize));
        let Some(owner) = owner else { continue };
        commands.begin(11 + run.len(), b"XCLAIM");
        commands.encoded(key);
        commands.arg(&group.name);
        commands.arg(&owner.name);
        commands.arg(b"0");
        for entry in run {
            commands.id(entry.id, text);
        }
        commands.arg(b"TIME");
        commands.int(first.delivered_at_ms);
        commands.arg(b"RETRYCOUNT");
        commands.int(first.count);
        commands.arg(b"JUSTID");
        commands.arg(b"FORCE");
    }
}
