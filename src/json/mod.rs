//! JSON out of datasets: our own lossless schema, and the shapes of two older tools.

mod compat;
#[cfg(test)]
mod compat_tests;
pub mod escape;
pub mod librdb;
pub mod native;
pub mod pretty;
pub mod rdbtools;
pub mod sink;

pub use sink::{KeyHead, ModuleField, ValueSink};
