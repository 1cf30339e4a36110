//! The table of every byte value of the RDB format.
//!
//! Names are the servers' own (`rdb.h`) without their prefix; where the two
//! families use one number for two things, the family is part of the name. No
//! other file spells these numbers.

use std::fmt;

/// Declares a newtype over a byte with named values, so that an unknown byte is still a value.
macro_rules! byte_table {
    ($(#[$doc:meta])* $name:ident { $($(#[$row_doc:meta])* $row:ident = $value:literal, $word:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u8);

        impl $name {
            $($(#[$row_doc])* pub const $row: $name = $name($value);)*
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Several rows may share a value; the words of all of them are shown.
                let words: Vec<&str> = [$(($value, $word)),*].iter().filter(|row: &&(u8, &str)| row.0 == self.0).map(|row| row.1).collect();
                write!(f, "{}({})", words.join("|"), self.0)
            }
        }
    };
}

byte_table! {
    /// The byte before a file-level record.
    Opcode {
        /// End of file; a CRC64 follows from version 5 on.
        EOF = 255, "EOF";
        /// The database of the keys that follow.
        SELECTDB = 254, "SELECTDB";
        /// Expiry of the next key in seconds.
        EXPIRETIME = 253, "EXPIRETIME";
        /// Expiry of the next key in milliseconds.
        EXPIRETIME_MS = 252, "EXPIRETIME_MS";
        /// How many keys and expiries the database has.
        RESIZEDB = 251, "RESIZEDB";
        /// A named fact about the file.
        AUX = 250, "AUX";
        /// LFU counter of the next key.
        FREQ = 249, "FREQ";
        /// Idle seconds of the next key.
        IDLE = 248, "IDLE";
        /// Data of a module that belongs to no key.
        MODULE_AUX = 247, "MODULE_AUX";
        /// A function of 7.0 release candidates.
        FUNCTION_PRE_GA = 246, "FUNCTION_PRE_GA";
        /// A function library.
        FUNCTION2 = 245, "FUNCTION2";
        /// Key counts of a cluster slot (Redis 7.4+).
        SLOT_INFO = 244, "SLOT_INFO";
        /// Redis 13+: metadata of the next key, by modules.
        KEY_META = 243, "KEY_META";
        /// Valkey 80+: a slot migration under way.
        VALKEY_SLOT_IMPORT = 243, "SLOT_IMPORT";
        /// Redis 15+: the field names that template hashes share.
        HASH_TEMPLATE = 242, "HASH_TEMPLATE";
        /// Redis Enterprise: slot number.
        ENTERPRISE_SLOT = 121, "ENTERPRISE_SLOT";
        /// Redis Enterprise: LRU of values in RAM.
        ENTERPRISE_RAM_LRU = 107, "ENTERPRISE_RAM_LRU";
    }
}

byte_table! {
    /// The byte before a key that says how its value is stored.
    TypeByte {
        /// A string.
        STRING = 0, "STRING";
        /// Elements as strings.
        LIST = 1, "LIST";
        /// Members as strings.
        SET = 2, "SET";
        /// Members with scores as text.
        ZSET = 3, "ZSET";
        /// Fields and values as strings.
        HASH = 4, "HASH";
        /// Members with binary scores.
        ZSET_2 = 5, "ZSET_2";
        /// A module value of 4.0 release candidates, which cannot be skipped.
        MODULE_PRE_GA = 6, "MODULE_PRE_GA";
        /// A module value.
        MODULE_2 = 7, "MODULE_2";
        /// A hash in a zipmap.
        HASH_ZIPMAP = 9, "HASH_ZIPMAP";
        /// A list in a ziplist.
        LIST_ZIPLIST = 10, "LIST_ZIPLIST";
        /// A set in an intset.
        SET_INTSET = 11, "SET_INTSET";
        /// A sorted set in a ziplist.
        ZSET_ZIPLIST = 12, "ZSET_ZIPLIST";
        /// A hash in a ziplist.
        HASH_ZIPLIST = 13, "HASH_ZIPLIST";
        /// A list of ziplists.
        LIST_QUICKLIST = 14, "LIST_QUICKLIST";
        /// A stream, 5.0.
        STREAM_LISTPACKS = 15, "STREAM_LISTPACKS";
        /// A hash in a listpack.
        HASH_LISTPACK = 16, "HASH_LISTPACK";
        /// A sorted set in a listpack.
        ZSET_LISTPACK = 17, "ZSET_LISTPACK";
        /// A list of listpacks and plain nodes.
        LIST_QUICKLIST_2 = 18, "LIST_QUICKLIST_2";
        /// A stream, 7.0.
        STREAM_LISTPACKS_2 = 19, "STREAM_LISTPACKS_2";
        /// A set in a listpack.
        SET_LISTPACK = 20, "SET_LISTPACK";
        /// A stream, 7.2.
        STREAM_LISTPACKS_3 = 21, "STREAM_LISTPACKS_3";
        /// Redis 7.4 release candidates: a hash with field TTLs.
        HASH_METADATA_PRE_GA = 22, "HASH_METADATA_PRE_GA";
        /// Valkey 80+: a hash with field TTLs.
        VALKEY_HASH_2 = 22, "HASH_2";
        /// Redis 7.4 release candidates: a hash with field TTLs in a listpack.
        HASH_LISTPACK_EX_PRE_GA = 23, "HASH_LISTPACK_EX_PRE_GA";
        /// A hash with field TTLs.
        HASH_METADATA = 24, "HASH_METADATA";
        /// A hash with field TTLs in a listpack.
        HASH_LISTPACK_EX = 25, "HASH_LISTPACK_EX";
        /// A stream with producers of idempotent messages, 8.6.
        STREAM_LISTPACKS_4 = 26, "STREAM_LISTPACKS_4";
        /// A stream with a NACK zone, 8.8.
        STREAM_LISTPACKS_5 = 27, "STREAM_LISTPACKS_5";
        /// A sparse array, 8.8.
        ARRAY = 28, "ARRAY";
        /// A template hash that carries its field names, values in a listpack.
        HASH_TMPL_LP = 29, "HASH_TMPL_LP";
        /// A template hash that names its template, values in a listpack.
        HASH_TMPL_LP_REF = 30, "HASH_TMPL_LP_REF";
        /// A template hash that carries its field names, values as strings.
        HASH_TMPL_ARRAY = 31, "HASH_TMPL_ARRAY";
        /// A template hash that names its template, values as strings.
        HASH_TMPL_ARRAY_REF = 32, "HASH_TMPL_ARRAY_REF";
    }
}

/// The special codes of a string (first byte `11xxxxxx`).
pub(crate) mod string_encoding {
    pub(crate) const INT8: u8 = 0;
    pub(crate) const INT16: u8 = 1;
    pub(crate) const INT32: u8 = 2;
    pub(crate) const LZF: u8 = 3;
}

/// Containers of a quicklist node (type 18).
pub(crate) mod quicklist_container {
    pub(crate) const PLAIN: u64 = 1;
    pub(crate) const PACKED: u64 = 2;
}

/// Opcodes inside a module value.
pub(crate) mod module_opcode {
    pub(crate) const EOF: u64 = 0;
    pub(crate) const SINT: u64 = 1;
    pub(crate) const UINT: u64 = 2;
    pub(crate) const FLOAT: u64 = 3;
    pub(crate) const DOUBLE: u64 = 4;
    pub(crate) const STRING: u64 = 5;
}

/// Length bytes of a score in text form (type 3) that stand for a value of their own.
pub(crate) mod text_score {
    pub(crate) const NAN: u8 = 253;
    pub(crate) const POSITIVE_INFINITY: u8 = 254;
    pub(crate) const NEGATIVE_INFINITY: u8 = 255;
}

/// Tags of an array's elements (type 28).
pub(crate) mod array_tag {
    pub(crate) const STRING: u64 = 0;
    pub(crate) const INT: u64 = 1;
    pub(crate) const FLOAT: u64 = 2;
    pub(crate) const SMALL_STRING: u64 = 3;
}
