//! `strings`: millions of small keys.

use std::io::{self, Write};

use super::commands::Commands;
use super::random::Random;

const KEYS: f64 = 3e6;

/// Writes the data set.
pub fn write<W: Write>(out: &mut Commands<W>, seed: u64, scale: f64) -> io::Result<()> {
    const AT_ONCE: u64 = 50;
    let mut random = Random::part(seed, "strings");
    let keys = (KEYS * scale) as u64;
    for first in (0..keys).step_by(AT_ONCE as usize) {
        let mut arguments = vec![b"MSET".to_vec()];
        for n in first..keys.min(first + AT_ONCE) {
            arguments.push(format!("user:{n:08}").into_bytes());
            let len = random.range(18, 26);
            arguments.push(match random.below(10) {
                0 => random.below(1 << 31).to_string().into_bytes(),
                _ => random.token(len),
            });
            out.counts.keys += 1;
            out.counts.elements += 1;
        }
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        out.send(&arguments)?;
    }
    Ok(())
}
