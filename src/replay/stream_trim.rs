//! MAXLEN and MINID, and what becomes of references to the entries that go.

use super::reply::SYNTAX;
use super::stream_id;
use super::{Args, Reject};
use crate::store::{Stream, StreamId};

/// What happens to a group's pending entries when their entry goes (8.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum References {
    /// They stay.
    #[default]
    Keep,
    /// They go too.
    Delete,
    /// The entry stays as long as a group has it pending or has not read it yet.
    Acked,
}

impl References {
    pub(super) fn of_option(args: Args<'_, '_>, at: usize) -> Option<Self> {
        [
            ("KEEPREF", References::Keep),
            ("DELREF", References::Delete),
            ("ACKED", References::Acked),
        ]
        .into_iter()
        .find_map(|(word, policy)| args.is(at, word).then_some(policy))
    }
}

/// Whether a group has the entry pending or has yet to read it.
pub(super) fn is_referenced(stream: &Stream<'_>, id: StreamId) -> bool {
    stream
        .groups
        .values()
        .any(|group| group.last_id < id || group.pending(id).is_some())
}

/// Takes an id off every group's list.
pub(super) fn dereference(stream: &mut Stream<'_>, id: StreamId) {
    for group in stream.groups.values_mut() {
        group.acknowledge(id);
    }
}

/// Which entries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threshold {
    MaxLen(usize),
    MinId(StreamId),
}

/// MAXLEN or MINID as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trim {
    threshold: Threshold,
    /// `~`: whole nodes only.
    approximate: bool,
}

/// The options that XADD and XTRIM share.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrimOptions {
    trim: Option<Trim>,
    references: Option<References>,
    limit: bool,
}

impl TrimOptions {
    /// Takes the option at an argument; gives the place after it, or nothing if it is
    /// another one.
    pub(super) fn take(&mut self, args: Args<'_, '_>, at: usize) -> Result<Option<usize>, Reject> {
        if args.is(at, "MAXLEN") || args.is(at, "MINID") {
            if self.trim.is_some() {
                return Err(SYNTAX);
            }
            let approximate = args.is(at + 1, "~");
            let marked = approximate || args.is(at + 1, "=");
            let value = args.value_of(at + usize::from(marked))?;
            let threshold = if args.is(at, "MAXLEN") {
                const NEGATIVE: Reject = Reject::error("ERR The MAXLEN argument must be >= 0.");
                let len = args.int(value)?;
                Threshold::MaxLen(usize::try_from(len).map_err(|_| NEGATIVE)?)
            } else {
                Threshold::MinId(stream_id::parse(args.get(value), 0)?)
            };
            self.trim = Some(Trim {
                threshold,
                approximate,
            });
            return Ok(Some(value + 1));
        }
        // A live server allows a LIMIT only with `~`, but logs `= n LIMIT l` in its
        // place, and ignores the limit when it loads that.
        if args.is(at, "LIMIT") {
            let value = args.value_of(at)?;
            if args.int(value)? < 0 {
                return Err(Reject::error("ERR The LIMIT argument must be >= 0."));
            }
            self.limit = true;
            return Ok(Some(value + 1));
        }
        match References::of_option(args, at) {
            Some(_) if self.references.is_some() => Err(SYNTAX),
            Some(references) => {
                self.references = Some(references);
                Ok(Some(at + 1))
            }
            None => Ok(None),
        }
    }

    /// Refuses options that want a threshold where there is none.
    pub(super) fn check(&self) -> Result<(), Reject> {
        if self.trim.is_none() && self.limit {
            return Err(SYNTAX);
        }
        Ok(())
    }

    /// Whether MAXLEN or MINID was given.
    pub(super) fn is_given(&self) -> bool {
        self.trim.is_some()
    }

    /// Whether nothing is to stay.
    pub(super) fn empties(&self) -> bool {
        let all = Trim {
            threshold: Threshold::MaxLen(0),
            approximate: false,
        };
        self.trim == Some(all)
    }

    /// Refuses what cannot be done exactly: an approximate threshold below which there
    /// are entries. Only whole nodes go, and where a node ends is up to settings that no
    /// log and no RDB names (`stream-node-max-entries`, `stream-node-max-bytes`). No log
    /// of a server holds one, they are rewritten to what they did.
    pub(super) fn check_exact(&self, stream: &Stream<'_>, added: usize) -> Result<(), Reject> {
        let Some(trim) = self.trim else {
            return Ok(());
        };
        let trims = match trim.threshold {
            Threshold::MaxLen(len) => stream.len() + added > len,
            Threshold::MinId(min) => !stream.is_empty() && stream.first_id() < min,
        };
        if trim.approximate && trims {
            return Err(Reject::unsupported(
                "an approximate trim, which depends on the server's stream-node-max-entries and stream-node-max-bytes",
            ));
        }
        Ok(())
    }

    /// Removes what the threshold says; gives the number of entries.
    pub(super) fn apply(&self, stream: &mut Stream<'_>) -> usize {
        let Some(trim) = self.trim else {
            return 0;
        };
        if self.references == Some(References::Acked) {
            return trim_acked(stream, trim.threshold);
        }
        let removed = match trim.threshold {
            Threshold::MaxLen(len) => stream.trim_to_len(len),
            Threshold::MinId(min) => stream.trim_below(min),
        };
        if self.references == Some(References::Delete) {
            for id in &removed {
                dereference(stream, *id);
            }
        }
        removed.len()
    }
}

/// Removes entries from the head that no group refers to, and steps over the others.
fn trim_acked(stream: &mut Stream<'_>, threshold: Threshold) -> usize {
    let mut surplus = match threshold {
        Threshold::MaxLen(len) => stream.len().saturating_sub(len),
        Threshold::MinId(_) => stream.len(),
    };
    let end = match threshold {
        Threshold::MaxLen(_) => StreamId::MAX,
        Threshold::MinId(min) => min,
    };
    let mut doomed = Vec::new();
    for id in stream.entries.keys().copied() {
        if surplus == 0 || id >= end {
            break;
        }
        if !is_referenced(stream, id) {
            doomed.push(id);
            surplus -= 1;
        }
    }
    for id in &doomed {
        stream.entries.remove(id);
    }
    doomed.len()
}
