//! Bits of strings: SETBIT, BITOP, BITFIELD. Bit 0 is the highest of byte 0.

use crate::store::Str;

use super::reply::{NOT_INTEGER, SYNTAX};
use super::string::check_len;
use super::{Args, Reject, Replayer, Reply};

const BAD_OFFSET: Reject = Reject::error("ERR bit offset is not an integer or out of range");

/// A bit offset: an integer, or `#n` for the n-th field of a width.
fn bit_offset(text: &[u8], width: Option<u32>) -> Result<u64, Reject> {
    let (text, factor) = match (text, width) {
        ([b'#', rest @ ..], Some(width)) => (rest, u64::from(width)),
        _ => (text, 1),
    };
    let n = crate::num::parse_i64(text).and_then(|n| u64::try_from(n).ok());
    n.and_then(|n| n.checked_mul(factor)).ok_or(BAD_OFFSET)
}

/// The offset of GETBIT, which has to lie in the longest string.
#[cfg(feature = "lua")]
pub(super) fn string_bit_offset(text: &[u8]) -> Result<u64, Reject> {
    bit_offset(text, None).and_then(|offset| {
        let is_in_reach = offset >> 3 < 512 << 20;
        is_in_reach.then_some(offset).ok_or(BAD_OFFSET)
    })
}

/// Pads with zeros so that the bit before `end` is there.
fn room_for(bytes: &mut Vec<u8>, end: u64) -> Result<(), Reject> {
    let len = usize::try_from(end.div_ceil(8)).unwrap_or(usize::MAX);
    if len > bytes.len() {
        check_len(len)?;
        bytes.resize(len, 0);
    }
    Ok(())
}

pub(super) fn setbit<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let offset = bit_offset(args.get(2), None)?;
    let bit = match args.get(3) {
        b"0" => 0,
        b"1" => 1,
        _ => return Err(Reject::error("ERR bit is not an integer or out of range")),
    };
    let end = offset.checked_add(1).ok_or(BAD_OFFSET)?;
    let old = replayer.upsert(args, 1, |text: &mut Str<'a>| {
        let bytes = text.to_mut();
        room_for(bytes, end)?;
        let old = read_bits(bytes, offset, 1);
        write_bits(bytes, offset, 1, bit);
        Ok(old)
    })?;
    Ok(Reply::Int(i64::from(old == 1)))
}

/// `width` bits from `offset` on; what lies behind the end is zero.
pub(super) fn read_bits(bytes: &[u8], offset: u64, width: u32) -> u64 {
    (0..u64::from(width)).fold(0, |value, at| {
        let bit = offset.saturating_add(at);
        let byte = usize::try_from(bit / 8).ok().and_then(|at| bytes.get(at));
        value << 1 | u64::from(byte.map_or(0, |byte| byte >> (7 - bit % 8) & 1))
    })
}

/// Writes the lowest `width` bits of `value`; the room must be there.
fn write_bits(bytes: &mut [u8], offset: u64, width: u32, value: u64) {
    for at in 0..u64::from(width) {
        let bit = offset + at;
        let mask = 1 << (7 - bit % 8);
        let byte = usize::try_from(bit / 8)
            .ok()
            .and_then(|at| bytes.get_mut(at));
        if let Some(byte) = byte {
            match value >> (u64::from(width) - 1 - at) & 1 {
                0 => *byte &= !mask,
                _ => *byte |= mask,
            }
        }
    }
}

/// `BITOP operation destination source ..`
pub(super) fn bitop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let operation = args.get(1).to_ascii_lowercase();
    let sources = args.len() - 3;
    match &operation[..] {
        b"and" | b"or" | b"xor" | b"one" => {}
        b"not" if sources == 1 => {}
        b"not" => {
            return Err(Reject::error(
                "ERR BITOP NOT must be called with a single source key.",
            ));
        }
        b"diff" | b"diff1" | b"andor" if sources >= 2 => {}
        b"diff" | b"diff1" | b"andor" => {
            return Err(Reject::error(
                "ERR BITOP DIFF, DIFF1 and ANDOR must be called with at least two source keys.",
            ));
        }
        _ => return Err(SYNTAX),
    }
    let mut buffers = vec![itoa::Buffer::new(); sources];
    let mut strings: Vec<&[u8]> = Vec::with_capacity(sources);
    for (key, buffer) in args.from(3).zip(&mut buffers) {
        strings.push(match replayer.get::<Str<'a>>(key)? {
            Some(text) => text.as_bytes(buffer),
            None => &[],
        });
    }
    let len = strings.iter().map(|bytes| bytes.len()).max().unwrap_or(0);
    let byte = |string: &[u8], at: usize| string.get(at).copied().unwrap_or(0);
    let (first, others) = strings
        .split_first()
        .map_or((&[][..], &[][..]), |(f, o)| (*f, o));
    let result: Vec<u8> = (0..len)
        .map(|at| {
            let x = byte(first, at);
            let any = others.iter().fold(0, |y, other| y | byte(other, at));
            match &operation[..] {
                b"and" => others.iter().fold(x, |x, other| x & byte(other, at)),
                b"or" => x | any,
                b"xor" => others.iter().fold(x, |x, other| x ^ byte(other, at)),
                b"not" => !x,
                b"diff" => x & !any,
                b"diff1" => !x & any,
                b"andor" => x & any,
                // Set in exactly one: seen once, and never again.
                _ => {
                    let (once, twice) = others.iter().fold((x, 0), |(once, twice), other| {
                        let y = byte(other, at);
                        (once | y, twice | once & y)
                    });
                    once & !twice
                }
            }
        })
        .collect();
    if len == 0 {
        replayer.db().remove(args.get(2));
    } else {
        replayer.store_result(args, 2, Str::from(result));
    }
    Ok(Reply::count(len))
}

/// A field of a BITFIELD: `u1` to `u63`, `i1` to `i64`.
#[derive(Clone, Copy, Debug)]
struct Kind {
    signed: bool,
    width: u32,
}

impl Kind {
    fn parse(text: &[u8]) -> Result<Self, Reject> {
        const BAD_TYPE: Reject = Reject::error(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        );
        let (signed, digits) = match text {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(BAD_TYPE),
        };
        let most = if signed { 64 } else { 63 };
        let width = crate::num::parse_i64(digits).filter(|n| (1..=most).contains(n));
        let width = width.and_then(|n| u32::try_from(n).ok()).ok_or(BAD_TYPE)?;
        Ok(Kind { signed, width })
    }

    fn range(self) -> (i128, i128) {
        if self.signed {
            let half = 1i128 << (self.width - 1);
            (-half, half - 1)
        } else {
            (0, (1i128 << self.width) - 1)
        }
    }

    fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let bits = read_bits(bytes, offset, self.width);
        if self.signed {
            let unused = 64 - self.width;
            ((bits << unused) as i64) >> unused
        } else {
            bits as i64
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

/// Fits a number into a field; nothing if it does not and must not.
fn fit(value: i128, kind: Kind, overflow: Overflow) -> Option<i64> {
    let (min, max) = kind.range();
    if (min..=max).contains(&value) {
        return i64::try_from(value).ok();
    }
    match overflow {
        Overflow::Fail => None,
        Overflow::Saturate => i64::try_from(value.clamp(min, max)).ok(),
        Overflow::Wrap => {
            let modulus = max - min + 1;
            i64::try_from((value - min).rem_euclid(modulus) + min).ok()
        }
    }
}

/// Adds to a field of `i64` where servers shift by its width, which does nothing: any
/// negative number reads as -1, a sum that is too small goes unseen, and one that is too
/// great wraps around to -1.
fn add_with_sign_shifted(old: i64, by: i64, kind: Kind, overflow: Overflow) -> Option<i64> {
    let old = old.max(-1);
    match (old.checked_add(by), overflow) {
        (Some(sum), _) => Some(sum),
        (None, _) if old < 0 => Some(old.wrapping_add(by)),
        (None, Overflow::Wrap) => Some(-1),
        (None, _) => fit(i128::from(old) + i128::from(by), kind, overflow),
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Get,
    Set(i64),
    Add(i64),
}

/// `BITFIELD key [GET type offset] [OVERFLOW how] [SET type offset value] [INCRBY type offset by] ..`
pub(super) fn bitfield<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut fields = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut at = 2;
    while at < args.len() {
        if args.is(at, "overflow") && at + 1 < args.len() {
            overflow = match () {
                () if args.is(at + 1, "wrap") => Overflow::Wrap,
                () if args.is(at + 1, "sat") => Overflow::Saturate,
                () if args.is(at + 1, "fail") => Overflow::Fail,
                () => return Err(Reject::error("ERR Invalid OVERFLOW type specified")),
            };
            at += 2;
            continue;
        }
        let words = if args.is(at, "get") { 3 } else { 4 };
        let known = words == 3 || args.is(at, "set") || args.is(at, "incrby");
        if !known || at + words > args.len() {
            return Err(SYNTAX);
        }
        let kind = Kind::parse(args.get(at + 1))?;
        let offset = bit_offset(args.get(at + 2), Some(kind.width))?;
        let end = offset
            .checked_add(u64::from(kind.width))
            .ok_or(BAD_OFFSET)?;
        let number = || crate::num::parse_i64(args.get(at + 3)).ok_or(NOT_INTEGER);
        let act = match () {
            () if words == 3 => Act::Get,
            () if args.is(at, "set") => Act::Set(number()?),
            () => Act::Add(number()?),
        };
        fields.push((kind, offset, end, act, overflow));
        at += words;
    }
    let writes = fields
        .iter()
        .filter(|(.., act, _)| !matches!(act, Act::Get));
    let Some(end) = writes.map(|(_, _, end, ..)| *end).max() else {
        return bitfield_read(replayer, args, &fields);
    };
    let shifts_sign = replayer.flavor().shifts_sign_of_i64_fields();
    let replies = replayer.upsert(args, 1, |text: &mut Str<'a>| {
        let bytes = text.to_mut();
        // The whole room is made first, also for fields that then fail.
        room_for(bytes, end)?;
        let mut replies = Vec::with_capacity(fields.len());
        for (kind, offset, _, act, overflow) in &fields {
            let old = kind.read(bytes, *offset);
            let (new, reply) = match act {
                Act::Get => (None, Some(old)),
                Act::Set(value) => {
                    // A SET of an unsigned field takes the number's bits for unsigned.
                    let value = if kind.signed {
                        i128::from(*value)
                    } else {
                        i128::from(*value as u64)
                    };
                    let (_, max) = kind.range();
                    // Servers' room for more overflows itself, and then seems exceeded.
                    let value = match overflow {
                        Overflow::Saturate
                            if kind.width < 64 && max - value > i128::from(i64::MAX) =>
                        {
                            max
                        }
                        _ => value,
                    };
                    let new = fit(value, *kind, *overflow);
                    (new, new.map(|_| old))
                }
                Act::Add(by) if shifts_sign && kind.width == 64 => {
                    let new = add_with_sign_shifted(old, *by, *kind, *overflow);
                    (new, new)
                }
                Act::Add(by) => {
                    let new = fit(i128::from(old) + i128::from(*by), *kind, *overflow);
                    (new, new)
                }
            };
            if let Some(new) = new {
                write_bits(bytes, *offset, kind.width, new as u64);
            }
            replies.push(reply.map_or(Reply::Nil, Reply::Int));
        }
        Ok(replies)
    })?;
    Ok(Reply::Array(replies))
}

fn bitfield_read<'a>(
    replayer: &Replayer<'a>,
    args: Args<'_, 'a>,
    fields: &[(Kind, u64, u64, Act, Overflow)],
) -> Result<Reply<'a>, Reject> {
    let text = replayer.get::<Str<'a>>(args.get(1))?;
    let mut buffer = itoa::Buffer::new();
    let bytes = text.map_or(&[][..], |text| text.as_bytes(&mut buffer));
    let replies = fields
        .iter()
        .map(|(kind, offset, ..)| Reply::Int(kind.read(bytes, *offset)));
    Ok(Reply::Array(replies.collect()))
}
