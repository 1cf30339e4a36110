//! Seeded numbers and the texts made of them.

/// SplitMix64: the same seed gives the same numbers everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

/// Words of everyday texts, the frequent ones first.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "the", "of", "and", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are",
    "as", "with", "his", "they", "at", "be", "this", "have", "from", "or", "one", "had", "by",
    "word", "but", "not", "what", "all", "were", "we", "when", "your", "can", "said", "there",
    "use", "an", "each", "which", "she", "do", "how", "their", "if", "will", "up", "other",
    "about", "out", "many", "then", "them", "these", "so", "some", "her", "would", "make",
    "like", "him", "into", "time", "has", "look", "two", "more", "write", "go", "see", "number",
    "no", "way", "could", "people", "my", "than", "first", "water", "been", "call", "who",
    "oil", "its", "now", "find", "long", "down", "day", "did", "get", "come", "made", "may",
    "part", "order", "payment", "customer", "delivery", "warehouse", "invoice", "subscription",
    "account", "session", "profile", "settings", "message", "notification", "campaign",
    "product", "category", "discount", "checkout", "address", "country", "currency", "language",
];

const ACCENTED: &[&str] = &[
    "café",
    "Zürich",
    "naïve",
    "señor",
    "Łódź",
    "東京",
    "日本語",
    "😀",
];

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// A generator for one part of a data set, whatever the parts before it drew.
    pub fn part(seed: u64, name: &str) -> Self {
        // FNV-1a.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Random(seed ^ hash)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`. The bias of the modulo does not matter here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number from `low` to `high`, both included.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A number below `bound`, small ones far more often, as keys are used.
    pub fn skewed(&mut self, bound: u64) -> u64 {
        let widest = self.range(1, bound);
        self.below(widest)
    }

    /// `len` bytes of any value.
    pub fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// `len` hexadecimal digits: a token.
    pub fn token(&mut self, len: u64) -> Vec<u8> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        (0..len).map(|_| DIGITS[self.below(16) as usize]).collect()
    }

    /// Words separated by blanks, at least `len` bytes; one in some hundred is not ASCII.
    pub fn text(&mut self, len: u64) -> Vec<u8> {
        let mut text = Vec::new();
        while (text.len() as u64) < len {
            let from = if self.one_in(300) { ACCENTED } else { WORDS };
            let word = self.skewed(from.len() as u64);
            text.extend_from_slice(from[word as usize].as_bytes());
            text.push(if self.one_in(60) { b'\n' } else { b' ' });
        }
        text
    }

    /// A JSON document of about `len` bytes, the usual content of a cache.
    pub fn document(&mut self, len: u64) -> Vec<u8> {
        let mut text = format!(
            r#"{{"id":{},"email":"user{}@example.com","active":{},"balance":{}.{:02},"tags":["#,
            self.below(1 << 40),
            self.below(1_000_000),
            self.one_in(2),
            self.below(100_000),
            self.below(100),
        )
        .into_bytes();
        for n in 0..3 {
            let separator = if n > 0 { "," } else { "" };
            let tag = WORDS[self.below(WORDS.len() as u64) as usize];
            text.extend_from_slice(format!("{separator}\"{tag}\"").as_bytes());
        }
        text.extend_from_slice(br#"],"items":["#);
        while (text.len() as u64) < len {
            let item = format!(
                r#"{{"sku":"{:08x}","quantity":{},"price":{}.{:02}}},"#,
                self.next() as u32,
                self.range(1, 9),
                self.below(500),
                self.below(100),
            );
            text.extend_from_slice(item.as_bytes());
        }
        text.extend_from_slice(b"{}]}");
        text
    }

    /// A score as clients send them: mostly small integers and times, some with a fraction.
    pub fn score(&mut self) -> Vec<u8> {
        match self.below(4) {
            0 => self.below(10_000).to_string(),
            1 => (1_700_000_000 + self.below(100_000_000)).to_string(),
            2 => format!("{}.{}", self.below(1000), self.range(1, 99)),
            _ => format!("{}", self.below(1 << 53) as f64 / 1e9),
        }
        .into_bytes()
    }
}
