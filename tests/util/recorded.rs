//! Everything that a conversion does to the world.

use rdbkit::bytes::source::Source;
use rdbkit::error::{Error, Result};
use rdbkit::json::Document;
use rdbkit::ops::convert::{Conversion, ConvertOptions, convert_rdb};
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::rdb::{ChecksumMode, RdbReader};

struct Recorded<D> {
    document: D,
    text: Vec<u8>,
    /// Told when they are found, which is before the text of their batch is.
    damages: Vec<String>,
}

impl<D: Document + Send> Conversion for Recorded<D> {
    type Document = D;

    fn document(&mut self) -> &mut D {
        &mut self.document
    }

    fn progress(&mut self) -> Result<()> {
        self.text.append(self.document.text());
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.progress()
    }

    fn damaged(&mut self, error: Error) {
        self.damages.push(error.to_string());
    }
}

/// What an RDB becomes, what is said of damage, and how it ends.
pub(crate) fn converted<S: Source + Send, D: Document + Send>(
    source: S,
    document: D,
    keep_going: bool,
    pipeline: Pipeline,
) -> String {
    let mut conversion = Recorded {
        document,
        text: Vec::new(),
        damages: Vec::new(),
    };
    let options = ConvertOptions {
        keep_going,
        pipeline,
        ..ConvertOptions::default()
    };
    let mut reader = RdbReader::new(source).checksum(match keep_going {
        true => ChecksumMode::Report,
        false => ChecksumMode::Require,
    });
    let outcome = convert_rdb(&mut reader, &options, &mut conversion);
    if outcome.is_ok() {
        conversion.document.finish();
    }
    conversion.text.append(conversion.document.text());
    let text = conversion.text.escape_ascii();
    format!("{text}\n{:?}\n{outcome:?}", conversion.damages)
}
