//! LZF: the compression of long strings in RDB files and of quicklist nodes in memory.
//!
//! A block is a sequence of instructions, and nothing else: the compressed and
//! the expanded length stand before it in the file.
//!
//! ```text
//! 000nnnnn  byte * (n+1)             literal run of 1..=32 bytes
//! LLLooooo  oooooooo                 back reference, L = 1..=6: L+2 bytes (3..=8)
//! 111ooooo  LLLLLLLL  oooooooo       back reference, 7 + L + 2 bytes (9..=264)
//!
//! A reference copies from `o + 1` (1..=8192) bytes before the end of the output, byte by
//! byte, so it may overlap what it writes: distance 1 repeats the last byte.
//! ```
//!
//! Upstream: liblzf, `lzf_c.c` and `lzf_d.c`, called by `rdb.c rdbLoadLzfStringObject` and
//! `rdbSaveLzfStringObject`; all versions. Where servers only compare the final
//! length, we name the broken instruction; an empty block, which sends them past
//! the end of their buffer, is refused. Blocks that we write need not be the
//! server's bit for bit, since no reader can tell which of several equal matches
//! the writer found.

mod compress;

use std::hint::select_unpredictable;

use crate::error::{Code, Flaw};

pub use compress::compress_into;

const MAX_LITERAL_BYTES: usize = 32;
const MAX_REFERENCE_BYTES: usize = 264;
const MAX_DISTANCE: usize = 8192;

/// Bytes kept behind the end of an output while it is written, so that copies may be
/// done in whole chunks and overrun: nearly all instructions copy 32 bytes, however few
/// of them are theirs.
const SLACK_BYTES: usize = 32;

/// The most that a block of so many bytes can expand to.
///
/// The first instruction can only be a literal run (2 bytes for 1); the best use of
/// the rest are references of 3 bytes for 264. One byte left over makes the run
/// longer, two make a reference of 8 bytes.
#[must_use]
pub fn max_expanded_len(compressed_len: usize) -> usize {
    let Some(rest) = compressed_len.checked_sub(2) else {
        return 0;
    };
    let odd = [1, 2, 9][rest % 3];
    (rest / 3)
        .saturating_mul(MAX_REFERENCE_BYTES)
        .saturating_add(odd)
}

/// Expands a block into `out`, whose contents are replaced and whose capacity is reused.
///
/// # Errors
///
/// [`Code::BadLzf`] if an instruction reads past the block, refers to before the
/// output, or writes past `expanded_len`, or if the block ends before that length; `out`
/// is then empty. A length that the block cannot reach is refused before anything is allocated.
///
/// # Examples
///
/// ```
/// let block = [0x02, b'a', b'b', b'a', 0xe0, 0x6a, 0x01, 0x01, b'a', b'b'];
/// let mut out = Vec::new();
/// rdbkit::bytes::lzf::decompress_into(&block, 120, &mut out).unwrap();
/// assert_eq!(out, b"ab".repeat(60));
/// ```
pub fn decompress_into(
    compressed: &[u8],
    expanded_len: usize,
    out: &mut Vec<u8>,
) -> Result<(), Flaw> {
    let bound = max_expanded_len(compressed.len());
    if compressed.is_empty() {
        out.clear();
        let what = "instructions of a block";
        return Err(Flaw::new(Code::BadLzf, 0, what, "at least 1", "none"));
    }
    if expanded_len > bound {
        out.clear();
        let what = "a length that the block can expand to";
        return Err(Flaw::new(Code::BadLzf, 0, what, bound, expanded_len));
    }
    // Only what `out` lacks is zeroed: the rest is overwritten before anybody sees it.
    out.resize(expanded_len.saturating_add(SLACK_BYTES), 0);
    let result = expand(compressed, expanded_len, out);
    out.truncate(if result.is_ok() { expanded_len } else { 0 });
    result
}

/// Whether a block surely expands to so many bytes; if not, [`decompress_into`] says why.
///
/// For strings whose content nobody needs: 0.6 of the time of expanding.
#[must_use]
pub fn surely_expands(compressed: &[u8], expanded_len: usize) -> bool {
    // No sum below can overflow: each instruction adds less than 300 bytes, for at least two.
    let (mut at, mut end, mut is_bad) = (0_usize, 0_usize, compressed.is_empty());
    while let Some(four) = compressed.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let Instruction { distance, len } = Instruction::of(*four);
        is_bad |= distance > end;
        at = behind_instruction(at, four[0]);
        end += len;
    }
    // The last instructions, with zeros behind them.
    while let Some(rest @ [_, ..]) = compressed.get(at..) {
        let mut four = [0; 4];
        four[..rest.len().min(4)].copy_from_slice(&rest[..rest.len().min(4)]);
        let Instruction { distance, len } = Instruction::of(four);
        is_bad |= distance > end;
        at = behind_instruction(at, four[0]);
        end += len;
    }
    !is_bad && at == compressed.len() && end == expanded_len
}

/// What an instruction does.
struct Instruction {
    /// How far back it reaches; 0 for a literal run.
    distance: usize,
    /// How much it writes.
    len: usize,
}

impl Instruction {
    /// Reads an instruction from its bytes and what follows, without a branch on what it is:
    /// whether a literal run, a short or a long reference comes next, no processor foresees.
    #[inline(always)]
    fn of(bytes: [u8; 4]) -> Self {
        let form = &FORMS[usize::from(bytes[0])];
        let word = u32::from_le_bytes(bytes) as usize;
        let low = (word >> form.low_at) & usize::from(form.low_mask);
        let more = (word >> 8) & usize::from(form.more_mask);
        Instruction {
            distance: usize::from(form.least_distance) + low,
            len: usize::from(form.least_len) + more,
        }
    }
}

/// What depends on a control byte only; of a size that is quickly found in a table.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct InstructionForm {
    least_len: u8,
    /// Keeps the second byte as a part of the length, or none of it.
    more_mask: u8,
    least_distance: u16,
    /// Position of the low byte of the distance, in bits.
    low_at: u8,
    /// Keeps that byte, or none of it.
    low_mask: u8,
}

static FORMS: [InstructionForm; 256] = {
    let literal = InstructionForm {
        least_len: 0,
        more_mask: 0,
        least_distance: 0,
        low_at: 0,
        low_mask: 0,
    };
    let mut forms = [literal; 256];
    let mut control = 0;
    while control < forms.len() {
        let form = &mut forms[control];
        match control >> 5 {
            0 => form.least_len = control as u8 + 1,
            7 => {
                form.least_len = 9;
                form.more_mask = 0xff;
                form.low_at = 16;
            }
            short => {
                form.least_len = short as u8 + 2;
                form.low_at = 8;
            }
        }
        if control >= 32 {
            form.least_distance = ((control as u16 & 31) << 8) + 1;
            form.low_mask = 0xff;
        }
        control += 1;
    }
    forms
};

/// Position behind the instruction at `at`. Computed, as the next one waits for it, and in sums
/// that the control byte reaches last.
#[inline(always)]
fn behind_instruction(at: usize, control: u8) -> usize {
    let literal = select_unpredictable(control < 32, usize::from(control), 0);
    (at + 2 + usize::from(control >= 7 << 5)) + literal
}

/// Expands into a buffer of `expanded_len` bytes and the slack.
fn expand(compressed: &[u8], expanded_len: usize, out: &mut [u8]) -> Result<(), Flaw> {
    let (read, end) = expand_inside(compressed, expanded_len, out);
    expand_rest(compressed, read, expanded_len, end, out)
}

/// Does the instructions from `read` on, one by one, and names the one that is broken.
fn expand_rest(
    compressed: &[u8],
    read: usize,
    expanded_len: usize,
    mut end: usize,
    out: &mut [u8],
) -> Result<(), Flaw> {
    let mut input = &compressed[read..];
    while let Some((&control, rest)) = input.split_first() {
        let at = compressed.len() - input.len();
        if control < 32 {
            let len = usize::from(control) + 1;
            let Some((run, rest)) = rest.split_at_checked(len) else {
                return Err(cut_short(at, len, input.len() - 1));
            };
            if len > expanded_len - end {
                return Err(too_long(at, expanded_len, end, len));
            }
            match (
                input.get(1..1 + SLACK_BYTES),
                out.get_mut(end..end + SLACK_BYTES),
            ) {
                (Some(wide), Some(target)) => target.copy_from_slice(wide),
                _ => out[end..end + len].copy_from_slice(run),
            }
            end += len;
            input = rest;
            continue;
        }
        let (len, low, rest) = match (control >> 5, rest) {
            (7, &[more, low, ref rest @ ..]) => (usize::from(more) + 9, low, rest),
            (short @ 1..=6, &[low, ref rest @ ..]) => (usize::from(short) + 2, low, rest),
            _ => return Err(cut_short(at, 2, rest.len())),
        };
        let distance = ((usize::from(control & 31) << 8) | usize::from(low)) + 1;
        let Some(start) = end.checked_sub(distance) else {
            let what = "a reference into the output";
            return Err(Flaw::new(Code::BadLzf, at, what, end, distance));
        };
        if len > expanded_len - end {
            return Err(too_long(at, expanded_len, end, len));
        }
        copy_reference(out, start, end, len);
        end += len;
        input = rest;
    }
    if end == expanded_len {
        Ok(())
    } else {
        let what = "the expanded length";
        Err(Flaw::new(
            Code::BadLzf,
            compressed.len(),
            what,
            expanded_len,
            end,
        ))
    }
}

/// Does the instructions before the last bytes of the block, as long as nothing is wrong with
/// them; returns how much was read and written.
///
/// Here an instruction and the longest literal run are known to be there, so one test of
/// the input is enough for each. All but long and overlapping references, 1 in 100, are one
/// copy of a fixed size, from the input or from the output: that is selected, not branched on.
/// What stops this loop is done, or refused, by [`expand_rest`], which agrees with it.
#[inline]
fn expand_inside(compressed: &[u8], expanded_len: usize, out: &mut [u8]) -> (usize, usize) {
    /// Control byte and the longest run; a reference has fewer.
    const AHEAD_BYTES: usize = 1 + MAX_LITERAL_BYTES;
    const COPY_BYTES: usize = MAX_LITERAL_BYTES;
    let (mut at, mut end) = (0, 0);
    while let Some(ahead) = compressed
        .get(at..)
        .and_then(<[u8]>::first_chunk::<AHEAD_BYTES>)
    {
        let [control, run @ ..] = ahead;
        let Some(four) = ahead.first_chunk::<4>() else {
            break;
        };
        let Instruction { distance, len } = Instruction::of(*four);
        if distance > end || len > expanded_len - end {
            break;
        }
        let start = end - distance;
        // A literal run, which has no distance, never overlaps.
        let overlaps = distance.wrapping_sub(1) < len - 1;
        if len > COPY_BYTES || overlaps {
            copy_reference(out, start, end, len);
        } else {
            let Some(earlier) = out[start..].first_chunk::<COPY_BYTES>() else {
                break;
            };
            let chunk = *select_unpredictable(*control < 32, run, earlier);
            let Some(target) = out[end..].first_chunk_mut::<COPY_BYTES>() else {
                break;
            };
            *target = chunk;
        }
        end += len;
        at = behind_instruction(at, *control);
    }
    (at, end)
}

/// Copies `len` bytes from `start` to `end`, as if byte by byte; may write 15 bytes more.
#[inline]
fn copy_reference(out: &mut [u8], start: usize, end: usize, len: usize) {
    let distance = end - start;
    if distance == 1 {
        let byte = out[start];
        out[end..end + len].fill(byte);
    } else if distance >= 8 && len <= 64 {
        // No chunk overlaps what it writes. Beyond some chunks memmove is faster.
        let Some(window) = out.get_mut(start..end + len.next_multiple_of(8)) else {
            return;
        };
        let mut done = 0;
        while done < len {
            window.copy_within(done..done + 8, distance + done);
            done += 8;
        }
    } else {
        // Each turn copies all that the pattern has become, so the pieces double.
        let mut done = 0;
        while done < len {
            let piece = (distance + done).min(len - done);
            out.copy_within(start..start + piece, end + done);
            done += piece;
        }
    }
}

#[cold]
fn cut_short(at: usize, needed: usize, left: usize) -> Flaw {
    Flaw::new(
        Code::BadLzf,
        at,
        "an instruction inside the block",
        needed,
        left,
    )
}

#[cold]
fn too_long(at: usize, expanded_len: usize, end: usize, len: usize) -> Flaw {
    let what = "output within the expanded length";
    Flaw::new(
        Code::BadLzf,
        at,
        what,
        expanded_len,
        end.saturating_add(len),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn compress(input: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(compress_into(input, usize::MAX, &mut out));
        out
    }

    pub(super) fn decompress(block: &[u8], len: usize) -> Result<Vec<u8>, Flaw> {
        let mut out = b"left over".to_vec();
        let result = decompress_into(block, len, &mut out);
        assert!(result.is_ok() || out.is_empty());
        assert_eq!(surely_expands(block, len), result.is_ok());
        result.map(|()| out)
    }

    /// Name, block, expanded length, and the bytes or the offset of the flaw.
    type Case<'a> = (&'a str, &'a [u8], usize, Result<&'a [u8], usize>);

    #[test]
    fn blocks_expand_or_name_the_broken_instruction() {
        let table: &[Case<'_>] = &[
            (
                "server's example",
                b"\x02aba\xe0\x6a\x01\x01ab",
                120,
                Ok(&b"ab".repeat(60)),
            ),
            ("one literal", b"\x00a", 1, Ok(b"a")),
            ("repeat of one byte", b"\x00a\x20\x00", 4, Ok(b"aaaa")),
            ("empty block", b"", 0, Err(0)),
            ("control byte alone", b"\x00", 0, Err(0)),
            ("literal past the input", b"\x00a\x01b", 3, Err(2)),
            ("short reference cut", b"\x00a\x20", 2, Err(2)),
            ("long reference cut", b"\x00a\xe0\x01", 3, Err(2)),
            ("reference before the output", b"\x00a\x20\x01", 4, Err(2)),
            ("literal past the length", b"\x01ab", 1, Err(0)),
            ("reference past the length", b"\x00a\x20\x00", 3, Err(2)),
            ("block ends early", b"\x00a\x20\x00", 5, Err(4)),
            ("block goes on", b"\x00a\x00b", 1, Err(2)),
            ("more than any block of two bytes", b"\x00a", 2, Err(0)),
        ];
        for (name, block, len, expected) in table {
            let result = decompress(block, *len);
            match expected {
                Ok(bytes) => assert_eq!(result.as_deref(), Ok(*bytes), "{name}"),
                Err(at) => {
                    let flaw = result.expect_err(name);
                    assert_eq!(
                        (flaw.code(), flaw.at()),
                        (Code::BadLzf, *at),
                        "{name}: {flaw}"
                    );
                }
            }
        }
    }

    #[test]
    fn bound_is_reached_and_not_exceeded() {
        let longest = |n: usize| [0xe0, 0xff, 0x00].repeat(n);
        for n in 0..9 {
            for head in [&b"\x00a"[..], b"\x01aa", b"\x00a\xc0\x00"] {
                let block = [head, &longest(n)].concat();
                let bound = max_expanded_len(block.len());
                assert_eq!(decompress(&block, bound).unwrap(), vec![b'a'; bound]);
            }
        }
        assert_eq!(max_expanded_len(0), 0);
        assert_eq!(max_expanded_len(usize::MAX), usize::MAX);
    }

    #[test]
    fn bombs_are_refused_without_allocation() {
        for len in [89, 1 << 20, usize::MAX] {
            let mut out = Vec::new();
            assert!(decompress_into(b"\x00a\x20\x00", len, &mut out).is_err());
            assert_eq!(out.capacity(), 0);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes there")]
    fn every_cut_and_flip_is_survived() {
        let input = b"abcabcabcabdabcabcabcabdabcabdddddddddddddd".repeat(8);
        let block = compress(&input);
        for cut in 0..block.len() {
            assert!(
                decompress(&block[..cut], input.len()).is_err(),
                "cut at {cut}"
            );
        }
        for at in 0..block.len() {
            for mask in 1..=255 {
                let mut broken = block.clone();
                broken[at] ^= mask;
                let ours = decompress(&broken, input.len()).ok();
                let theirs = lzf::decompress(&broken, input.len()).ok();
                assert_eq!(ours, theirs.filter(|out| out.len() == input.len()));
            }
        }
    }

    /// Bytes with repeats near and far, of all the sizes at which tables and copies change.
    fn compressible() -> impl Strategy<Value = Vec<u8>> {
        let piece = (prop::collection::vec(any::<u8>(), 0..40), 1..40_usize);
        prop::collection::vec((piece, 0..100_usize), 1..30).prop_map(|pieces| {
            let mut bytes = Vec::new();
            for ((piece, times), back) in pieces {
                bytes.extend(piece.repeat(times));
                let start = bytes.len().saturating_sub(back * 97);
                bytes.extend_from_within(start..bytes.len().min(start + back));
            }
            bytes.push(0);
            bytes
        })
    }

    /// Instructions of all forms and what they expand to, if they all can be done.
    fn instructions() -> impl Strategy<Value = (Vec<u8>, usize)> {
        let run = prop::collection::vec(any::<u8>(), 1..=32);
        let reference = (
            prop_oneof![3..9_usize, 9..40_usize, 9..265_usize],
            1..300_usize,
        );
        let instruction = prop_oneof![run.prop_map(Ok), reference.prop_map(Err)];
        prop::collection::vec(instruction, 1..200).prop_map(|instructions| {
            let (mut block, mut end) = (vec![31], 32);
            block.extend(0..32);
            for instruction in instructions {
                match instruction {
                    Ok(run) => {
                        block.push(run.len() as u8 - 1);
                        block.extend(&run);
                        end += run.len();
                    }
                    Err((len, distance)) => {
                        let [high, low] = (distance as u16 - 1).to_be_bytes();
                        match len {
                            ..9 => block.extend([((len as u8 - 2) << 5) | high, low]),
                            _ => block.extend([(7 << 5) | high, (len - 9) as u8, low]),
                        }
                        end += len;
                    }
                }
            }
            (block, end)
        })
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "takes minutes there")]
        fn quick_and_careful_instructions_do_the_same(
            (block, end) in instructions(), longer in -40..40_isize, short_of in 0..3_usize
        ) {
            // Most blocks are of the right length.
            let len = if short_of == 0 { end.saturating_add_signed(longer) } else { end };
            let mut out = vec![0; len + SLACK_BYTES];
            let quick = expand(&block, len, &mut out);
            let mut careful_out = vec![0; len + SLACK_BYTES];
            let careful = expand_rest(&block, 0, len, 0, &mut careful_out);
            prop_assert_eq!(quick.is_ok(), careful.is_ok());
            prop_assert_eq!(surely_expands(&block, len), careful.is_ok());
            prop_assert_eq!(quick.as_ref().map_err(Flaw::at), careful.as_ref().map_err(Flaw::at));
            if careful.is_ok() {
                prop_assert_eq!(&out[..len], &careful_out[..len]);
            }
        }

        #[test]
        #[cfg_attr(miri, ignore = "takes minutes there")]
        fn both_codecs_read_what_the_other_wrote(input in compressible()) {
            let block = compress(&input);
            prop_assert_eq!(&decompress(&block, input.len()).unwrap(), &input);
            prop_assert_eq!(&lzf::decompress(&block, input.len()).unwrap(), &input);
            if let Ok(theirs) = lzf::compress(&input) {
                prop_assert_eq!(&decompress(&theirs, input.len()).unwrap(), &input);
            }
        }

        #[test]
        fn noise_expands_alike_or_not_at_all(
            block in prop::collection::vec(any::<u8>(), 1..60), len in 0..900_usize
        ) {
            let theirs = lzf::decompress(&block, len).ok().filter(|out| out.len() == len);
            prop_assert_eq!(decompress(&block, len).ok(), theirs);
        }
    }
}
