//! Finds the row of a command's name.
//!
//! The letters are folded and a table of hashes is asked that the compiler has filled in,
//! so that a look-up allocates nothing.

use super::table::{COMMANDS, Class, Command};

const BUCKETS: usize = 1024;
const EMPTY: u16 = u16::MAX;
/// Longer than any name with its subcommand.
const MAX_NAME: usize = 32;

/// A name in lower case as words that overlap where they have to: with the length they
/// say it all, and to read them takes no copy of unknown length.
type Folded = [u64; MAX_NAME / 8];

const fn word(name: &[u8], at: usize) -> u64 {
    match name.split_at(at).1.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => 0,
    }
}

/// The words of a name of at most [`MAX_NAME`] bytes, letters as they are.
const fn words(name: &[u8]) -> Folded {
    let len = name.len();
    if len >= 16 {
        return [
            word(name, 0),
            word(name, 8),
            word(name, len - 16),
            word(name, len - 8),
        ];
    }
    if len >= 8 {
        return [word(name, 0), word(name, len - 8), 0, 0];
    }
    if let (Some(head), Some(tail)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
        return [(tail as u64) << 32 | head as u64, 0, 0, 0];
    }
    match name {
        [a, b, c] => [u32::from_le_bytes([*a, *b, *c, 0]) as u64, 0, 0, 0],
        [a, b] => [u32::from_le_bytes([*a, *b, 0, 0]) as u64, 0, 0, 0],
        [a] => [*a as u64, 0, 0, 0],
        _ => [0; MAX_NAME / 8],
    }
}

/// The same word with small letters, eight bytes at once.
const fn lower(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // A byte's bit 7 says whether it is at least 'A', or above 'Z'; no sum carries over.
    let low = word & (0x7f * ONES);
    let from_a = low + (0x80 - b'A' as u64) * ONES;
    let above_z = low + (0x7f - b'Z' as u64) * ONES;
    let is_letter = from_a & !above_z & !word & (0x80 * ONES);
    word | (is_letter >> 2)
}

const fn bucket(name: &Folded, len: usize) -> usize {
    let [a, b, c, d] = *name;
    let all = a ^ b.rotate_left(13) ^ c.rotate_left(29) ^ d.rotate_left(43) ^ len as u64;
    (all.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize % BUCKETS
}

static NAMES: [(Folded, usize); COMMANDS.len()] = {
    let mut names = [([0; MAX_NAME / 8], 0); COMMANDS.len()];
    let mut row = 0;
    while row < COMMANDS.len() {
        let name = COMMANDS[row].name.as_bytes();
        names[row] = (words(name), name.len());
        row += 1;
    }
    names
};

static INDEX: [u16; BUCKETS] = {
    let mut index = [EMPTY; BUCKETS];
    let mut row = 0;
    while row < COMMANDS.len() {
        let mut at = bucket(&NAMES[row].0, NAMES[row].1);
        while index[at] != EMPTY {
            at = (at + 1) % BUCKETS;
        }
        index[at] = row as u16;
        row += 1;
    }
    index
};

fn find_name(name: &[u8]) -> Option<&'static Command> {
    match name.len() {
        // Most names: they are one word, and the others are known to be none.
        len @ 0..8 => find_folded([lower(words(name)[0]), 0, 0, 0], len),
        len @ 8..=MAX_NAME => find_folded(words(name).map(lower), len),
        _ => None,
    }
}

#[inline(always)]
fn find_folded(folded: Folded, len: usize) -> Option<&'static Command> {
    let mut at = bucket(&folded, len);
    loop {
        let row = usize::from(*INDEX.get(at)?);
        let (other, other_len) = NAMES.get(row)?;
        if other[0] == folded[0] && other[1..] == folded[1..] && *other_len == len {
            return COMMANDS.get(row);
        }
        at = (at + 1) % BUCKETS;
    }
}

/// The row of a record: that of its name, or of its subcommand.
///
/// ```
/// use rdbkit::replay::table::find;
/// assert_eq!(find(&[b"SET".as_slice(), b"k", b"v"]).unwrap().name, "set");
/// assert_eq!(find(&[b"xgroup".as_slice(), b"CREATE"]).unwrap().name, "xgroup|create");
/// assert!(find(&[b"XGROUP".as_slice(), b"NOSUCH"]).is_none());
/// ```
#[must_use]
pub fn find<A: AsRef<[u8]>>(args: &[A]) -> Option<&'static Command> {
    let name = args.first()?.as_ref();
    let command = find_name(name)?;
    if command.class != Class::Container {
        // The row of a subcommand is not found by its own name.
        return Some(command).filter(|row| !row.is_subcommand);
    }
    // A container alone: its row says that an argument is missing.
    let Some(subcommand) = args.get(1).map(AsRef::as_ref) else {
        return Some(command);
    };
    let mut both = [0; MAX_NAME];
    let len = name.len() + 1 + subcommand.len();
    let room = both.get_mut(..len)?;
    room[..name.len()].copy_from_slice(name);
    room[name.len()] = b'|';
    room[name.len() + 1..].copy_from_slice(subcommand);
    find_name(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_in_any_case_and_stands_once() {
        for command in COMMANDS {
            assert!(command.name.len() <= MAX_NAME);
            assert_eq!(command.name, command.name.to_ascii_lowercase());
            let upper = command.name.to_ascii_uppercase();
            let words: Vec<&[u8]> = upper.split('|').map(str::as_bytes).collect();
            let found = find(&words).unwrap();
            assert!(std::ptr::eq(found, command), "{}", command.name);
        }
        assert!(find(&[b"nosuch".as_slice()]).is_none());
        assert!(find(&[b"".as_slice()]).is_none());
        assert!(find(&[b"xgroup|create".as_slice()]).is_none());
        assert!(find(&[b"set\0".as_slice()]).is_none());
        assert!(find(&[[b'x'; MAX_NAME + 1]]).is_none());
        assert!(find::<&[u8]>(&[]).is_none());
    }
}
