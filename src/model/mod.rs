//! Plain types that readers produce and sinks consume, with nothing of how they are stored.

pub mod function;
pub mod loss;
pub mod sink;
pub mod slot;
pub mod stream;
pub mod vectorset;

/// The logical type of a value: what `TYPE key` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ValueType {
    /// `string`
    String,
    /// `list`
    List,
    /// `set`
    Set,
    /// `zset`
    Zset,
    /// `hash`
    Hash,
    /// `stream`
    Stream,
    /// `array` (Redis 8.8)
    Array,
    /// A type that a module adds.
    Module,
}

impl ValueType {
    /// Every type, in the order in which reports list them.
    pub const ALL: [ValueType; 8] = [
        ValueType::String,
        ValueType::List,
        ValueType::Set,
        ValueType::Zset,
        ValueType::Hash,
        ValueType::Stream,
        ValueType::Array,
        ValueType::Module,
    ];

    /// The name that JSON, filters and reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ValueType::String => "string",
            ValueType::List => "list",
            ValueType::Set => "set",
            ValueType::Zset => "zset",
            ValueType::Hash => "hash",
            ValueType::Stream => "stream",
            ValueType::Array => "array",
            ValueType::Module => "module",
        }
    }
}
