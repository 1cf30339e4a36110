//! From filter flags to a selection.

use std::fmt::Display;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use rdbkit::error::{Error, Result};
use rdbkit::select::{Filters, Selection};

use super::args::FilterArgs;

impl FilterArgs {
    /// The selection that the flags describe.
    ///
    /// # Errors
    /// A value that cannot be understood, with the flag's name.
    pub(crate) fn selection(&self) -> Result<Selection> {
        Ok(Selection::new(Filters {
            db: self.db.clone(),
            key: parsed("--key", &self.key)?,
            key_regex: parsed("--key-regex", &self.key_regex)?,
            not_key: parsed("--not-key", &self.not_key)?,
            value_type: parsed("--type", &self.value_type)?,
            ttl: parsed("--ttl", &self.ttl)?,
            size: parsed("--size", &self.size)?,
            slot: parsed("--slot", &self.slot)?,
            sample: parsed("--sample", self.sample.as_slice())?,
            drop_expired: self.drop_expired,
            now_ms: self.now_ms(),
        }))
    }
}

impl FilterArgs {
    /// The time that counts as now.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now.unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as i64)
        })
    }
}

fn parsed<T: FromStr<Err: Display>>(flag: &str, texts: &[String]) -> Result<Vec<T>> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|e: T::Err| Error::usage(format!("{flag} {text}: {e}")))
    };
    texts.iter().map(parse).collect()
}
