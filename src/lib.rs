//! Reads, verifies and converts the persistence files of Redis and Valkey.
//!
//! Data flows one way:
//!
//! ```text
//! bytes -> frame (opcodes | RESP) -> object and encoding views -> model -> sinks (JSON, reports, store)
//! ```
//!
//! | where is … | in |
//! |---|---|
//! | a byte value of the format | [`rdb::constants`] |
//! | which bytes are legal in which version | `rdb::object::Layout::of`, [`rdb::dialect`] |
//! | the frame: opcodes, key records, the end | [`rdb::frame`] |
//! | a length, a string, a module item | [`rdb::length`], [`rdb::string`], [`rdb::module`] |
//! | the layout of a list, set, hash, … | `rdb::object`, one file per type |
//! | how a value is written for a release | `rdb::object::encode`, one file per type |
//! | what a release reads and writes | [`rdb::target`] |
//! | what a release has no place for | [`ops::losses`] |
//! | a ziplist, listpack, intset, zipmap, stream node | [`encoding`], one file per blob |
//! | the framing of a log, the manifest, `#TS:` | [`aof`] |
//! | which commands make a key | [`aof::rewrite`] |
//! | how an RDB comes into being, a log of commands, a multi-part set | [`rdb::writer`], [`aof::command_writer`], [`aof::writer`] |
//! | how a log is written anew | [`ops::rewrite`] |
//! | how a log is replaced where it lies | [`aof::in_place`] |
//! | what a command of a log does | [`replay`], one table and one file per family |
//! | DEBUG DIGEST | [`store::digest`] |
//! | what an input is, compression, replication framing | [`input`] |
//! | the JSON schema | [`json::native`] writes it, [`json::reader`] reads it |
//! | whether two datasets are the same | [`ops::diff`] |
//! | whether a key was seen before, in bounded memory | [`keyset`] |
//! | errors and their codes | [`error`] |
//! | what an input may cost | [`limits`] |
//! | whole jobs | [`ops`] |
//!
//! # Count keys by type
//!
//! Nothing is decoded that nobody asks for: a key's type is in its frame.
//!
//! ```
//! use std::collections::BTreeMap;
//! use rdbkit::rdb::{Item, RdbReader, ReadItems as _};
//!
//! # let file: &[u8] = b"REDIS0003\xfe\x00\x00\x01k\x01v\x01\x01l\x01\x01a\xff";
//! let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
//! RdbReader::from_read(file).for_each(|item, _span| {
//!     if let Item::Key(record) = item {
//!         *counts.entry(record.value_type().name()).or_default() += 1;
//!     }
//!     Ok(())
//! })?;
//! assert_eq!(counts, BTreeMap::from([("list", 1), ("string", 1)]));
//! # Ok::<(), rdbkit::error::Error>(())
//! ```
//!
//! # Print big keys
//!
//! Over a slice, items live as long as the slice.
//!
//! ```
//! use rdbkit::error::escape_key;
//! use rdbkit::rdb::{Item, Items};
//!
//! # let file: &[u8] = b"REDIS0003\xfe\x00\x00\x01k\x05value\x00\x01s\x01v\xff";
//! let mut scratch = Vec::new();
//! for item in Items::new(file) {
//!     if let Item::Key(record) = item?
//!         && record.encoded_len() > 4
//!     {
//!         println!("{} {}", record.encoded_len(), escape_key(record.key_bytes(&mut scratch)?));
//! #       assert_eq!(record.encoded_len(), 6);
//!     }
//! }
//! # Ok::<(), rdbkit::error::Error>(())
//! ```
//!
//! # Stop at the first corrupt key
//!
//! An error says what is wrong, with offset, database and key.
//!
//! ```
//! use rdbkit::rdb::{Item, Items, Scratch, Value};
//!
//! # // A hash in a listpack whose only element has a wrong backlen.
//! # let file: &[u8] = b"REDIS0003\xfe\x00\x10\x01h\x0a\x0a\x00\x00\x00\x01\x00\x81a\x03\xff\xff";
//! let mut scratch = Scratch::new();
//! let first_corrupt = Items::new(file).find_map(|item| match item {
//!     Err(error) => Some(error),
//!     Ok(Item::Key(record)) => match record.value() {
//!         Value::Hash(hash) => hash.for_each(&mut scratch, |_field, _value, _deadline| {}).err(),
//!         _ => None,
//!     },
//!     Ok(_) => None,
//! });
//! assert_eq!(first_corrupt.unwrap().code().as_str(), "bad_listpack");
//! ```
//!
//! # Write values of one's own
//!
//! ```
//! use rdbkit::model::ValueType;
//! use rdbkit::model::sink::KeyHead;
//! use rdbkit::rdb::{RdbWriter, Target};
//!
//! let target = Target::named("redis-7.2").unwrap();
//! let mut writer = RdbWriter::new(Vec::new(), target)?;
//! writer.key(&KeyHead::new(0, b"online", ValueType::Set), |value| {
//!     value.element(b"ann");
//!     value.element(b"bob");
//! })?;
//! let file = writer.finish()?;
//! # assert!(file.starts_with(b"REDIS0011"));
//! # Ok::<(), rdbkit::error::Error>(())
//! ```
//!
//! [`aof::AofWriter`] writes commands, [`ops::rewrite::Rewriter`] a log anew.
//!
//! `examples/` holds more as programs.
//!
//! # Features
//!
//! `cli` is the program and its crates, `compress` reads gzip, zstd and lz4, `lua` runs
//! the scripts of old logs. All are on by default; the library needs none.

pub mod aof;
pub mod bytes;
pub mod encoding;
pub mod error;
pub mod input;
pub mod json;
pub mod keyset;
pub mod limits;
pub mod model;
pub mod num;
pub mod ops;
pub mod rdb;
pub mod replay;
pub mod report;
#[cfg(feature = "lua")]
mod script;
pub mod select;
pub mod store;
