//! Seeded random numbers (SplitMix64), so that a failing round can be run again.

/// A deterministic generator: the same seed gives the same numbers everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator whose numbers depend on this one's seed and on `name`, and that
    /// leaves this one as it is: what is drawn for one purpose moves no other.
    pub(crate) fn fork(&self, name: &str) -> Self {
        // FNV-1a.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(self.0 ^ hash)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be 0. (The bias of the modulo is of no
    /// matter for test data.)
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn range(&mut self, low: usize, high: usize) -> usize {
        low + self.below((high - low + 1) as u64) as usize
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }

    /// `len` bytes of any value.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// `len` letters and digits.
    pub(crate) fn word(&mut self, len: usize) -> Vec<u8> {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..len).map(|_| *self.pick(LETTERS)).collect()
    }

    /// A double of random bits that is a number or an infinity.
    pub(crate) fn any_double(&mut self) -> f64 {
        loop {
            let double = f64::from_bits(self.next());
            if !double.is_nan() {
                return double;
            }
        }
    }
}

/// The seeds of a random test, one a round: from `RDBKIT_SEED` on, or from `first`, and
/// as many as `RDBKIT_ROUNDS` says, or `rounds`.
pub(crate) fn seeds(first: u64, rounds: u64) -> impl Iterator<Item = u64> {
    let first = seed(first);
    (0..self::rounds(rounds)).map(move |round| first + round)
}

/// The seed of this run: `RDBKIT_SEED`, else `default`.
pub(crate) fn seed(default: u64) -> u64 {
    number("RDBKIT_SEED").unwrap_or(default)
}

/// How many rounds a random test runs: `RDBKIT_ROUNDS`, else `default`.
fn rounds(default: u64) -> u64 {
    number("RDBKIT_ROUNDS").unwrap_or(default)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    Some(parsed.unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}
