//! HyperLogLog strings, byte for byte (`hyperloglog.c`).
//!
//! ```text
//! "HYLL" | encoding u8 (0 dense, 1 sparse) | 0 0 0 | cardinality u64le, bit 63: stale | registers
//! dense   16384 registers of 6 bits, lowest bit first: 12288 bytes
//! sparse  00llllll            zeros, 1 to 64
//!         01llllll llllllll   zeros, 1 to 16384
//!         1vvvvvll            value 1 to 32, run of 1 to 4
//! ```
//!
//! Everything that changes registers sets the stale bit and leaves the other
//! bytes of the cardinality. A sparse string is promoted when a value exceeds 32
//! or when it would grow beyond `hll-sparse-max-bytes`, 3000 unless configured.

use std::fmt;

const MAGIC: &[u8; 4] = b"HYLL";
const HEADER: usize = 16;
const REGISTERS: usize = 16384;
const DENSE_LEN: usize = HEADER + REGISTERS * 6 / 8;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// The default of `hll-sparse-max-bytes`, header included.
pub const SPARSE_MAX_BYTES: usize = 3000;
const SPARSE_MAX_VALUE: u8 = 32;

/// The string is no HyperLogLog, or a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadHll;

impl fmt::Display for BadHll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid HyperLogLog string")
    }
}

impl std::error::Error for BadHll {}

/// An empty HyperLogLog, as PFADD and PFMERGE create it (the stale bit is set by
/// [`add`] and [`merge`]).
#[must_use]
pub fn new() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4] = SPARSE;
    bytes.extend([0x7f, 0xff]);
    bytes
}

/// Checks the header, as `isHLLObjectOrReply` does.
///
/// # Errors
///
/// [`BadHll`] if a command would refuse the string.
pub fn check(bytes: &[u8]) -> Result<(), BadHll> {
    let header_fits = bytes.len() >= HEADER && bytes.starts_with(MAGIC);
    match bytes.get(4) {
        Some(&DENSE) if header_fits && bytes.len() == DENSE_LEN => Ok(()),
        Some(&SPARSE) if header_fits => Ok(()),
        _ => Err(BadHll),
    }
}

fn invalidate(bytes: &mut [u8]) {
    if let Some(byte) = bytes.get_mut(15) {
        *byte |= 0x80;
    }
}

/// MurmurHash64A as the servers seed it.
fn murmur(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = 0xadc8_3b19 ^ (bytes.len() as u64).wrapping_mul(M);
    let (blocks, tail) = bytes.as_chunks::<8>();
    for block in blocks {
        let mut k = u64::from_le_bytes(*block).wrapping_mul(M);
        k ^= k >> 47;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !tail.is_empty() {
        let mut block = [0; 8];
        block[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u64::from_le_bytes(block)).wrapping_mul(M);
    }
    hash ^= hash >> 47;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 47
}

/// Register and value that an element stands for.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let rest = hash >> 14 | 1 << 50;
    (
        (hash & (REGISTERS as u64 - 1)) as usize,
        rest.trailing_zeros() as u8 + 1,
    )
}

/// One sparse operation.
#[derive(Clone, Copy)]
struct Op {
    bytes: usize,
    run: usize,
    value: u8,
}

impl Op {
    fn at(bytes: &[u8], position: usize) -> Option<Op> {
        let first = *bytes.get(position)?;
        Some(match first >> 6 {
            0 => Op {
                bytes: 1,
                run: usize::from(first & 0x3f) + 1,
                value: 0,
            },
            1 => Op {
                bytes: 2,
                run: (usize::from(first & 0x3f) << 8 | usize::from(*bytes.get(position + 1)?)) + 1,
                value: 0,
            },
            _ => Op {
                bytes: 1,
                run: usize::from(first & 3) + 1,
                value: (first >> 2 & 31) + 1,
            },
        })
    }

    fn encode(run: usize, value: u8, out: &mut Vec<u8>) {
        match (value, run) {
            (0, ..=64) => out.push((run - 1) as u8),
            (0, _) => out.extend([0x40 | ((run - 1) >> 8) as u8, (run - 1) as u8]),
            _ => out.push(0x80 | (value - 1) << 2 | (run - 1) as u8),
        }
    }
}

fn dense_get(bytes: &[u8], index: usize) -> u8 {
    let bit = index * 6;
    let at = HEADER + bit / 8;
    let low = u16::from(bytes.get(at).copied().unwrap_or(0));
    let high = u16::from(bytes.get(at + 1).copied().unwrap_or(0));
    ((high << 8 | low) >> (bit % 8)) as u8 & 63
}

fn dense_set(bytes: &mut [u8], index: usize, value: u8) -> bool {
    if value <= dense_get(bytes, index) {
        return false;
    }
    let (at, shift) = (HEADER + index * 6 / 8, index * 6 % 8);
    for (byte, part) in [at, at + 1].into_iter().zip([0u32, 8]) {
        if let Some(byte) = bytes.get_mut(byte) {
            *byte &= !((63u16 << shift) >> part) as u8;
            *byte |= ((u16::from(value) << shift) >> part) as u8;
        }
    }
    true
}

/// All registers.
fn registers(bytes: &[u8]) -> Result<Vec<u8>, BadHll> {
    check(bytes)?;
    if bytes[4] == DENSE {
        return Ok((0..REGISTERS)
            .map(|index| dense_get(bytes, index))
            .collect());
    }
    let mut registers = Vec::with_capacity(REGISTERS);
    let mut at = HEADER;
    while at < bytes.len() {
        let op = Op::at(bytes, at).ok_or(BadHll)?;
        if registers.len() + op.run > REGISTERS {
            return Err(BadHll);
        }
        registers.resize(registers.len() + op.run, op.value);
        at += op.bytes;
    }
    if registers.len() == REGISTERS {
        Ok(registers)
    } else {
        Err(BadHll)
    }
}

/// Makes the string dense (promotion, PFDEBUG TODENSE); true if it was sparse.
///
/// # Errors
///
/// [`BadHll`]; the string is left as it was.
pub fn to_dense(bytes: &mut Vec<u8>) -> Result<bool, BadHll> {
    let registers = registers(bytes)?;
    if bytes[4] == DENSE {
        return Ok(false);
    }
    bytes.truncate(HEADER);
    bytes.resize(DENSE_LEN, 0);
    bytes[4] = DENSE;
    for (index, value) in registers.into_iter().enumerate() {
        dense_set(bytes, index, value);
    }
    Ok(true)
}

/// Raises a register; true if it changed.
fn set(bytes: &mut Vec<u8>, index: usize, value: u8, max_bytes: usize) -> Result<bool, BadHll> {
    if bytes[4] == DENSE {
        return Ok(dense_set(bytes, index, value));
    }
    if value > SPARSE_MAX_VALUE {
        to_dense(bytes)?;
        return Ok(dense_set(bytes, index, value));
    }
    // The operation that covers the register, and the one before it.
    let (mut at, mut first, mut previous) = (HEADER, 0, None);
    let op = loop {
        let op = Op::at(bytes, at).ok_or(BadHll)?;
        if index < first + op.run {
            break op;
        }
        first += op.run;
        previous = Some(at);
        at += op.bytes;
    };
    if op.value >= value {
        return Ok(false);
    }
    let mut parts = Vec::with_capacity(5);
    if index > first {
        Op::encode(index - first, op.value, &mut parts);
    }
    Op::encode(1, value, &mut parts);
    let after = first + op.run - 1 - index;
    if after > 0 {
        Op::encode(after, op.value, &mut parts);
    }
    if parts.len() > op.bytes && bytes.len() + parts.len() - op.bytes > max_bytes {
        to_dense(bytes)?;
        return Ok(dense_set(bytes, index, value));
    }
    bytes.splice(at..at + op.bytes, parts);
    join_values(bytes, previous.unwrap_or(HEADER));
    invalidate(bytes);
    Ok(true)
}

/// Joins neighbouring runs of one value, looking at five operations at most.
fn join_values(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(op) = Op::at(bytes, at) else { return };
        let next = Op::at(bytes, at + op.bytes);
        match next {
            Some(next) if op.value > 0 && next.value == op.value && op.run + next.run <= 4 => {
                let mut joined = Vec::with_capacity(1);
                Op::encode(op.run + next.run, op.value, &mut joined);
                bytes.splice(at..at + 2, joined);
            }
            _ => at += op.bytes,
        }
    }
}

/// Adds elements (PFADD); true if a register changed. The caller answers 1 and
/// calls [`created`] too when the key is new.
///
/// # Errors
///
/// [`BadHll`] if the string is none.
pub fn add<'e>(
    bytes: &mut Vec<u8>,
    elements: impl IntoIterator<Item = &'e [u8]>,
) -> Result<bool, BadHll> {
    check(bytes)?;
    let mut changed = false;
    for element in elements {
        let (index, value) = place(element);
        changed |= set(bytes, index, value, SPARSE_MAX_BYTES)?;
    }
    if changed {
        invalidate(bytes);
    }
    Ok(changed)
}

/// Marks the cardinality of a new string stale, as PFADD does with a key it creates.
pub fn created(bytes: &mut [u8]) {
    invalidate(bytes);
}

/// Merges into `target` (PFMERGE): for an absent target give [`new`].
///
/// # Errors
///
/// [`BadHll`] if any string is none; then nothing has changed.
pub fn merge(target: &mut Vec<u8>, sources: &[&[u8]]) -> Result<(), BadHll> {
    let mut greatest = registers(target)?;
    let mut dense = target[4] == DENSE;
    for source in sources {
        dense |= source.get(4) == Some(&DENSE);
        for (greatest, value) in greatest.iter_mut().zip(registers(source)?) {
            *greatest = value.max(*greatest);
        }
    }
    if dense {
        to_dense(target)?;
    }
    for (index, value) in greatest.into_iter().enumerate() {
        if value > 0 {
            set(target, index, value, SPARSE_MAX_BYTES)?;
        }
    }
    invalidate(target);
    Ok(())
}

/// The estimate (PFCOUNT of one key): from the cache, or made and cached.
/// The second value says whether the cache was written.
///
/// # Errors
///
/// [`BadHll`] if the string is none.
pub fn count(bytes: &mut [u8], estimator: Estimator) -> Result<(u64, bool), BadHll> {
    check(bytes)?;
    if bytes[15] & 0x80 == 0 {
        let mut cached = [0; 8];
        cached.copy_from_slice(&bytes[8..HEADER]);
        return Ok((u64::from_le_bytes(cached), false));
    }
    let registers = registers(bytes)?;
    let estimate = match estimator {
        Estimator::Ertl => estimate(&registers),
        Estimator::Bias => estimate_by_bias(&registers),
    };
    bytes[8..HEADER].copy_from_slice(&estimate.to_le_bytes());
    Ok((estimate, true))
}

/// How registers become a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// Ertl's, since Redis 5.0 and in every Valkey.
    Ertl,
    /// That of Redis 2.8 to 4.0.
    Bias,
}

/// The estimator of Redis 2.8 to 4.0: the raw estimate, replaced by linear counting where
/// it is small and corrected by a polynomial up to 72000; cut to an integer.
fn estimate_by_bias(registers: &[u8]) -> u64 {
    const LARGEST_BIASED: f64 = 72000.0;
    let m = REGISTERS as f64;
    let alpha = 0.7213 / (1.0 + 1.079 / m);
    let sum: f64 = registers
        .iter()
        .map(|value| (-f64::from(*value)).exp2())
        .sum();
    let zeros = registers.iter().filter(|value| **value == 0).count();
    let mut estimate = alpha * m * m / sum;
    if estimate < m * 2.5 && zeros > 0 {
        estimate = m * (m / zeros as f64).ln();
    } else if estimate < LARGEST_BIASED {
        // In the servers' order, for the same rounding.
        let [e1, e2, e3, e4] = [1, 2, 3, 4].map(|power| estimate.powi(power));
        let bias = 5.9119e-18 * e4 - 1.4253e-12 * e3 + 1.2940e-7 * e2 - 5.2921e-3 * e1 + 83.3216;
        estimate -= estimate * (bias / 100.0);
    }
    estimate as u64
}

/// Ertl's estimator (`hllCount`).
fn estimate(registers: &[u8]) -> u64 {
    const ALPHA_INF: f64 = 0.721_347_520_444_481_7;
    let m = REGISTERS as f64;
    let mut histogram = [0u32; 64];
    for value in registers {
        histogram[usize::from(value & 63)] += 1;
    }
    let mut z = m * tau((m - f64::from(histogram[51])) / m);
    for count in histogram[1..=50].iter().rev() {
        z = (z + f64::from(*count)) * 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    // An infinite z gives 0.
    (ALPHA_INF * m * m / z).round() as u64
}

fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha1::{Digest as _, Sha1};

    fn hex(bytes: &[u8]) -> String {
        crate::store::digest::Digest(Sha1::digest(bytes).into()).to_string()
    }

    fn made(count: usize, prefix: &str) -> Vec<u8> {
        let elements: Vec<_> = (0..count).map(|n| format!("{prefix}:{n}")).collect();
        let mut bytes = new();
        add(
            &mut bytes,
            elements.iter().map(|element| element.as_bytes()),
        )
        .unwrap();
        created(&mut bytes);
        bytes
    }

    #[test]
    fn hll_is_the_servers_byte_for_byte() {
        // Elements, length, SHA-1, estimate, SHA-1 with the estimate cached; from a
        // model that was compared with six servers.
        let cases = [
            (
                0,
                18,
                "e2c2a4d6f667db2d3180523f3c7a9bda5a4db0fc",
                0,
                "6892f6e9ee148f17be8c469006bf9a299ecaeeea",
            ),
            (
                1,
                21,
                "d111dd27cb94748a8cf3c3c1bf002fe0e1b6b277",
                1,
                "946a3f384bd41aeac7fc2f5baa171a9779cbb61a",
            ),
            (
                2,
                24,
                "b8dec169b1b5fde4bae227fc3cb3cc3047e4d139",
                2,
                "e00a4c43b1ced9dc5dccdf4610339bc71219e49e",
            ),
            (
                10,
                48,
                "dd7cf3784918baa4c956f1723b1cebdb193228f7",
                10,
                "e3e04df1a81a6ff6519b7fbb700d7061cc170f4c",
            ),
            (
                100,
                285,
                "adb8b211e8f1c583accacde62d6a276b6655b70e",
                99,
                "4d1b3bef5d497d64c4202942021f568e478230c6",
            ),
            (
                700,
                1401,
                "b598798c9be65bacafa7aa80bfae75125fc948e4",
                703,
                "54ace46c096224da36404c37512442666a337316",
            ),
            (
                900,
                1736,
                "3a3ce4f211d5f61b8921e3f2302c058415380414",
                897,
                "c006df41b0f0e4ce3c0febd367aa2effc02685a5",
            ),
            (
                1500,
                2722,
                "b100a66eeab600d2bd3d0bdf8f8340d0c1cb3801",
                1500,
                "e31c9dd1080de9d25485a8f50abe3730da1b9d27",
            ),
            (
                20000,
                12304,
                "760926999ca4cd24462f115f64f03d415e81e69e",
                19986,
                "0aff780e7abbc86b0d2fda3540cc64226a21b452",
            ),
        ];
        for (elements, len, sha1, estimate, cached) in cases {
            let mut bytes = made(elements, "element");
            assert_eq!(
                (bytes.len(), hex(&bytes).as_str()),
                (len, sha1),
                "{elements}"
            );
            assert_eq!(
                count(&mut bytes, Estimator::Ertl),
                Ok((estimate, true)),
                "{elements}"
            );
            assert_eq!(hex(&bytes), cached, "{elements}");
            assert_eq!(
                count(&mut bytes, Estimator::Ertl),
                Ok((estimate, false)),
                "{elements}"
            );
        }
    }

    #[test]
    fn merged_hll_is_the_servers_byte_for_byte() {
        let cases = [
            (10, 100, "d8de36a97956be28e70d843f3ae21c0c8781dcf0"),
            (100, 700, "5dd772b7bd482a98f5a03fe898b2b1b3bf29ed04"),
            (900, 10, "3d7de5449b17335162e88ebfdc6a131165d9c22a"),
            (1, 20000, "760926999ca4cd24462f115f64f03d415e81e69e"),
        ];
        for (target, source, sha1) in cases {
            let mut bytes = made(target, "other");
            merge(&mut bytes, &[&made(source, "element")]).unwrap();
            assert_eq!(hex(&bytes), sha1, "{target} and {source}");
        }
    }

    proptest! {
        #[test]
        fn damaged_hll_does_not_panic(tail in proptest::collection::vec(any::<u8>(), 0..40), encoding in 0u8..3) {
            let mut bytes = new();
            bytes.truncate(HEADER);
            bytes[4] = encoding;
            bytes[15] = 0x80;
            bytes.extend(tail);
            let mut other = bytes.clone();
            let _ = add(&mut bytes, [b"a".as_slice(), b"b", b"c"]);
            let _ = merge(&mut other.clone(), &[&other]);
            let _ = to_dense(&mut other.clone());
            let _ = count(&mut other, Estimator::Bias);
        }
    }
}
