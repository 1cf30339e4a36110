//! Writing LZF blocks: a greedy search with one candidate for each position.

use super::{MAX_DISTANCE, MAX_LITERAL_BYTES, MAX_REFERENCE_BYTES, SLACK_BYTES};

/// What has to be equal for a reference.
const MIN_REFERENCE_BYTES: usize = 3;
/// Bytes without a match after which the next is looked for in fewer places.
const SLOWER_AFTER_BYTES: usize = 128;
/// The longest step from one position that is tried to the next.
const MAX_STEP: usize = 16;

/// Compresses `input` into `out`, whose contents are replaced and whose capacity is reused.
///
/// Returns `false`, with `out` empty, if the block does not fit into `budget` bytes. Servers
/// compress strings of more than 20 bytes and want 4 of them saved: `budget = len - 4`.
#[must_use]
pub fn compress_into(input: &[u8], budget: usize, out: &mut Vec<u8>) -> bool {
    // No block is larger than literal runs alone.
    let worst = input
        .len()
        .saturating_add(input.len().div_ceil(MAX_LITERAL_BYTES));
    let budget = budget.min(worst);
    out.resize(budget.saturating_add(SLACK_BYTES + 1), 0);
    // The hash table is cleared for every call, so it must be small where the input is. A
    // fourfold larger one saves another 1% of a megabyte of text, and takes longer.
    let written = match input.len() {
        0 => None,
        1..128 => Compressor::run::<u16, 256>(input, budget, out),
        128..1024 => Compressor::run::<u16, 1024>(input, budget, out),
        1024..8192 => Compressor::run::<u16, 4096>(input, budget, out),
        8192..LONG_BYTES => Compressor::run::<u16, 16384>(input, budget, out),
        _ => Compressor::run::<u32, 16384>(input, budget, out),
    };
    out.truncate(written.unwrap_or(0));
    written.is_some()
}

/// An input whose positions do not all fit into 16 bits.
const LONG_BYTES: usize = 1 << 16;

/// A place in the input, as the hash table holds it.
trait Position: Copy + Default {
    fn of(position: usize) -> Self;
    fn position(self) -> usize;
}

impl Position for u16 {
    fn of(position: usize) -> Self {
        position as u16
    }

    fn position(self) -> usize {
        usize::from(self)
    }
}

/// Beyond 4 GiB no match is near enough any more, and nothing is compressed.
impl Position for u32 {
    fn of(position: usize) -> Self {
        position as u32
    }

    fn position(self) -> usize {
        self as usize
    }
}

/// Where three bytes with each hash stood last. That a slot was never set needs no mark: 0 is a
/// position like any other, and the bytes of every candidate are compared.
struct Seen<P, const SLOTS: usize>([P; SLOTS]);

impl<P: Position, const SLOTS: usize> Seen<P, SLOTS> {
    #[inline]
    fn slot(&mut self, key: u32) -> &mut P {
        let hash = key.wrapping_mul(0x9E37_79B1) >> (32 - SLOTS.trailing_zeros());
        &mut self.0[hash as usize % SLOTS]
    }

    #[inline]
    fn remember(&mut self, input: &[u8], position: usize) {
        if let Some(key) = key_at(input, position) {
            *self.slot(key) = P::of(position);
        }
    }
}

struct Compressor<'o> {
    out: &'o mut [u8],
    end: usize,
    budget: usize,
}

impl Compressor<'_> {
    /// Greedy search: at each position one candidate, the last with the same hash of 3 bytes.
    ///
    /// Returns the size of the block, or `None` if it exceeds the budget.
    fn run<P: Position, const SLOTS: usize>(
        input: &[u8],
        budget: usize,
        out: &mut [u8],
    ) -> Option<usize> {
        let mut this = Compressor {
            out,
            end: 0,
            budget,
        };
        let mut seen = Seen([P::default(); SLOTS]);
        let mut anchor = 0;
        seen.remember(input, 0);
        let mut position = 1;
        // The longer nothing matched, the less is tried, but never so little that text behind a
        // long stretch of noise is missed. Kept beside the position, which the next turn waits
        // for: computed from it, the step took as long as the rest.
        let (mut step, mut slower_at) = (1, SLOWER_AFTER_BYTES);
        while let Some(key) = key_at(input, position) {
            let slot = seen.slot(key);
            let candidate = slot.position();
            *slot = P::of(position);
            let distance = position - candidate;
            if key_at(input, candidate) == Some(key) && distance <= MAX_DISTANCE {
                let len = match_len(input, candidate, position);
                this.literals(&input[anchor..position])?;
                this.reference(distance, len)?;
                // Two positions near the end of the match are enough to find the next one.
                seen.remember(input, position + len - 2);
                seen.remember(input, position + len - 1);
                position += len;
                anchor = position;
                (step, slower_at) = (1, position + SLOWER_AFTER_BYTES);
            } else {
                if position >= slower_at {
                    step = MAX_STEP.min(step + 1);
                    slower_at += SLOWER_AFTER_BYTES;
                }
                position += step;
            }
        }
        this.literals(&input[anchor..])?;
        Some(this.end)
    }

    fn literals(&mut self, run: &[u8]) -> Option<()> {
        let controls = run.len().div_ceil(MAX_LITERAL_BYTES);
        if run.len() + controls > self.budget - self.end {
            return None;
        }
        for run in run.chunks(MAX_LITERAL_BYTES) {
            let target = &mut self.out[self.end..];
            target[0] = (run.len() - 1) as u8;
            target[1..=run.len()].copy_from_slice(run);
            self.end += run.len() + 1;
        }
        Some(())
    }

    fn reference(&mut self, distance: usize, len: usize) -> Option<()> {
        let offset = distance - 1;
        let (high, low) = ((offset >> 8) as u8, offset as u8);
        let size = if len <= 8 { 2 } else { 3 };
        if size > self.budget - self.end {
            return None;
        }
        let target = self.out.get_mut(self.end..self.end + 3)?;
        if len <= 8 {
            target[..2].copy_from_slice(&[(((len - 2) as u8) << 5) | high, low]);
        } else {
            target.copy_from_slice(&[(7 << 5) | high, (len - 9) as u8, low]);
        }
        self.end += size;
        Some(())
    }
}

/// The three bytes at `position`; the last three bytes of the input are never looked up.
#[inline]
fn key_at(input: &[u8], position: usize) -> Option<u32> {
    let four = input.get(position..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four) & 0x00ff_ffff)
}

/// How far the bytes at `position` equal those at `candidate` before it; at least 3 do.
#[inline]
fn match_len(input: &[u8], candidate: usize, position: usize) -> usize {
    let limit = MAX_REFERENCE_BYTES.min(input.len() - position);
    let here = &input[position..position + limit];
    let there = &input[candidate..candidate + limit];
    let mut len = MIN_REFERENCE_BYTES;
    while let (Some(a), Some(b)) = (
        here.get(len..).and_then(<[u8]>::first_chunk),
        there.get(len..).and_then(<[u8]>::first_chunk),
    ) {
        let difference = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if difference != 0 {
            return len + (difference.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    while len < limit && here[len] == there[len] {
        len += 1;
    }
    len
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compress, decompress};
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes there")]
    fn budget_is_kept_to_the_byte() {
        for input in [
            &b"abcdefghijklmnopqrstuvwxyz".repeat(3)[..],
            &[7; 600],
            b"xyz",
        ] {
            let block = compress(input);
            let mut out = Vec::new();
            assert!(compress_into(input, block.len(), &mut out));
            assert_eq!(out, block);
            for budget in 0..block.len() {
                assert!(!compress_into(input, budget, &mut out));
                assert!(out.is_empty());
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes there")]
    fn text_behind_noise_is_compressed() {
        let mut state = 1_u32;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        let mut input: Vec<u8> = (0..1 << 20).map(|_| noise()).collect();
        input.extend(b"a sentence that is said over and over. ".repeat(1000));
        assert!(compress(&input).len() < (1 << 20) * 33 / 32 + 2000);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes there")]
    fn inputs_of_all_lengths_are_compressed_alike() {
        let text: Vec<u8> = (0..20_000)
            .flat_map(|n| format!("{:05}: a line;", n * 7919 % 20_000).into_bytes())
            .collect();
        for len in [
            127, 128, 1023, 1024, 8191, 8192, 0xffff, 0x10000, 0x10001, 250_000,
        ] {
            let input = &text[..len];
            let block = compress(input);
            assert_eq!(decompress(&block, len).unwrap(), input);
            let percent = block.len() * 100 / len;
            assert!((35..=70).contains(&percent), "{len}: {percent} %");
        }
    }
}
