//! Compressed inputs: gzip, zstd and lz4 frames, told by their first bytes.
//!
//! ```text
//! 1f 8b        gzip, any number of members
//! 28 b5 2f fd  zstd, any number of frames; 5x 2a 4d 18 is a frame to skip
//! 04 22 4d 18  lz4 frame, any number of frames
//! ```
//!
//! Compression is undone once: what is compressed twice is named and refused. A
//! damaged or cut archive is damage of the input, not a failure of the system;
//! [`explain`] tells the two apart once a reader has turned both into I/O errors.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
#[cfg(feature = "compress")]
use std::sync::atomic::Ordering;

use crate::error::{Code, Error, ErrorKind, Result};
use crate::limits::ZSTD_WINDOW_BYTES;

/// How an input is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// The LZ4 frame format.
    Lz4,
}

impl Compression {
    /// Tells a compression by the first bytes.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Compression> {
        match head {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Compression::Zstd)
            }
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Compression::Lz4),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Lz4 => "lz4",
        }
    }

    /// Undoes it; `failed` says whether an error came from the stream itself.
    #[cfg(feature = "compress")]
    pub(super) fn undo(
        self,
        packed: impl Read + Send + 'static,
        failed: Arc<AtomicBool>,
    ) -> Result<Box<dyn Read + Send>> {
        let packed = io::BufReader::with_capacity(BUFFER_BYTES, packed);
        let stream: Box<dyn Read + Send> = match self {
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::Zstd => Box::new(
                zstd::Decoder::with_buffer(packed)
                    .map_err(|e| Error::io("cannot decompress zstd", e))?,
            ),
            Compression::Lz4 => Box::new(lz4::Frames::new(packed)),
        };
        Ok(Box::new(Guard {
            stream,
            compression: self,
            failed,
        }))
    }

    /// Refuses it: this build cannot.
    #[cfg(not(feature = "compress"))]
    pub(super) fn undo(
        self,
        _: impl Read + Send + 'static,
        _: Arc<AtomicBool>,
    ) -> Result<Box<dyn Read + Send>> {
        let what = format!(
            "{}-compressed input in a build without the feature `compress`",
            self.name()
        );
        Err(Error::new(ErrorKind::Unsupported { what: what.into() }))
    }
}

#[cfg(feature = "compress")]
const BUFFER_BYTES: usize = 256 * 1024;

/// Marks the errors of a decompressor as damage of its input.
#[cfg(feature = "compress")]
struct Guard {
    stream: Box<dyn Read + Send>,
    compression: Compression,
    failed: Arc<AtomicBool>,
}

#[cfg(feature = "compress")]
impl Read for Guard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer).map_err(|e| {
            if e.kind() == io::ErrorKind::Interrupted || self.failed.load(Ordering::Relaxed) {
                return e;
            }
            let flaw = match e.kind() {
                io::ErrorKind::UnexpectedEof => Flaw::Cut,
                // The words of ZSTD_error_frameParameter_windowTooLarge.
                _ if e.to_string().contains("too much memory") => Flaw::Window,
                _ => Flaw::Broken,
            };
            let damage = Damage {
                compression: self.compression,
                flaw,
            };
            io::Error::new(io::ErrorKind::InvalidData, damage)
        })
    }
}

/// Why a decompressor stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Damage {
    compression: Compression,
    flaw: Flaw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "compress"),
    expect(dead_code, reason = "only decompressors find flaws")
)]
enum Flaw {
    /// The archive ends too early.
    Cut,
    /// A frame that needs a larger window than is allowed.
    Window,
    /// Anything else.
    Broken,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.flaw {
            Flaw::Cut => "cut short",
            Flaw::Window => "of too large a window",
            Flaw::Broken => "damaged",
        };
        write!(f, "the {} data is {what}", self.compression.name())
    }
}

impl std::error::Error for Damage {}

/// Turns the I/O error that a damaged archive became on its way back into what it is.
pub(super) fn explain(error: Error) -> Error {
    let damage = error
        .io_error()
        .and_then(io::Error::get_ref)
        .and_then(|inner| inner.downcast_ref::<Damage>());
    let kind = match damage {
        None => return error,
        Some(Damage {
            flaw: Flaw::Cut, ..
        }) => ErrorKind::UnexpectedEof { needed: 0 },
        Some(Damage {
            flaw: Flaw::Window, ..
        }) => ErrorKind::LimitExceeded {
            what: "the window of a zstd frame in bytes",
            limit: ZSTD_WINDOW_BYTES,
        },
        Some(Damage {
            flaw: Flaw::Broken,
            compression,
        }) => ErrorKind::Broken {
            code: Code::BadCompression,
            at: None,
            what: match compression {
                Compression::Gzip => "damaged gzip data",
                Compression::Zstd => "damaged zstd data",
                Compression::Lz4 => "damaged lz4 data",
            },
            expected: crate::error::Value::None,
            found: crate::error::Value::None,
        },
    };
    let context = error.context().clone();
    let mut explained = Error::new(kind);
    if let Some(offset) = context.offset {
        explained = explained.at_offset(offset);
    }
    if let Some(file) = context.file {
        explained = explained.in_file(file);
    }
    explained
}

#[cfg(feature = "compress")]
mod lz4 {
    use std::io::{self, BufRead, Read};

    use lz4_flex::frame::FrameDecoder;

    /// Frames after each other, each of which must have its end mark.
    ///
    /// The decoder takes an input that ends between two blocks for a whole one, so the
    /// end of the input is watched: nobody may meet it inside a frame.
    pub(super) struct Frames<R: Read> {
        decoder: FrameDecoder<EndWatch<R>>,
        /// The end came after a whole frame; asking again would meet it again.
        ended: bool,
    }

    impl<R: BufRead> Frames<R> {
        pub(super) fn new(stream: R) -> Self {
            Frames {
                decoder: FrameDecoder::new(EndWatch { stream, met: false }),
                ended: false,
            }
        }
    }

    impl<R: BufRead> Read for Frames<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            while !self.ended && !buffer.is_empty() {
                let n = self.decoder.read(buffer)?;
                if n > 0 {
                    return Ok(n);
                }
                let watch = self.decoder.get_mut();
                if watch.met {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.ended = watch.stream.fill_buf()?.is_empty();
            }
            Ok(0)
        }
    }

    struct EndWatch<R> {
        stream: R,
        met: bool,
    }

    impl<R: Read> Read for EndWatch<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.stream.read(buffer)?;
            self.met |= n == 0 && !buffer.is_empty();
            Ok(n)
        }
    }
}

#[cfg(all(test, feature = "compress"))]
pub(super) mod tests {
    use std::io::Write;

    use super::*;
    use crate::error::Fault;

    pub(in crate::input) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub(in crate::input) fn zstd(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub(in crate::input) fn lz4(bytes: &[u8]) -> Vec<u8> {
        let info = lz4_flex::frame::FrameInfo::new()
            .block_size(lz4_flex::frame::BlockSize::Max64KB)
            .content_checksum(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    type Pack = fn(&[u8]) -> Vec<u8>;
    const ALL: [(Compression, Pack); 3] = [
        (Compression::Gzip, gzip),
        (Compression::Zstd, zstd),
        (Compression::Lz4, lz4),
    ];

    fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
        let raw = io::Cursor::new(packed.to_vec());
        let mut bytes = Vec::new();
        Compression::of(packed)
            .unwrap()
            .undo(raw, Arc::default())?
            .read_to_end(&mut bytes)
            .map_err(|e| explain(Error::io("cannot read", e)))?;
        Ok(bytes)
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 & 15
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn members_after_each_other_are_one_input() {
        let (a, b) = (noise(200_000), noise(7));
        for (compression, pack) in ALL {
            let packed = [pack(&a), pack(b""), pack(&b)].concat();
            assert_eq!(Compression::of(&packed), Some(compression));
            assert_eq!(unpack(&packed).unwrap(), [&a[..], &b].concat());
        }
    }

    #[test]
    fn archive_cut_anywhere_is_cut_input() {
        let bytes = noise(3000);
        for (compression, pack) in ALL {
            let packed = pack(&bytes);
            for len in 4..packed.len() {
                let error = unpack(&packed[..len]).unwrap_err();
                assert_eq!(error.code(), Code::UnexpectedEof, "{compression:?} {len}");
            }
        }
    }

    #[test]
    fn lz4_cut_between_blocks_is_cut_input() {
        let packed = lz4(&noise(200_000));
        // Magic, descriptor and its checksum are 7 bytes here; then each block has a length.
        let mut at = 7;
        let mut blocks = 0;
        loop {
            let size = u32::from_le_bytes(packed[at..at + 4].try_into().unwrap());
            assert_eq!(
                unpack(&packed[..at]).unwrap_err().code(),
                Code::UnexpectedEof
            );
            if size == 0 {
                break;
            }
            at += 4 + (size & 0x7fff_ffff) as usize;
            blocks += 1;
        }
        assert!(blocks > 2);
    }

    #[test]
    fn archive_with_a_flipped_byte_is_damaged_input() {
        let bytes = noise(3000);
        for (compression, pack) in ALL {
            let mut packed = pack(&bytes);
            let middle = packed.len() / 2;
            packed[middle] ^= 0x40;
            let error = unpack(&packed).unwrap_err();
            assert_eq!(error.fault(), Fault::Input, "{compression:?} {error}");
        }
    }

    #[test]
    fn failing_disk_is_no_damage() {
        struct Failing(&'static [u8]);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match self.0.read(buffer)? {
                    0 => Err(io::ErrorKind::TimedOut.into()),
                    n => Ok(n),
                }
            }
        }
        for (compression, head) in [
            (Compression::Gzip, &b"\x1f\x8b\x08\0\0\0\0\0\0"[..]),
            (Compression::Zstd, b"\x28\xb5\x2f\xfd\x04"),
            (Compression::Lz4, b"\x04\x22\x4d\x18\x40"),
        ] {
            let e = compression
                .undo(Failing(head), Arc::new(AtomicBool::new(true)))
                .unwrap()
                .read_to_end(&mut Vec::new())
                .unwrap_err();
            assert_eq!(e.kind(), io::ErrorKind::TimedOut, "{compression:?}");
            assert_eq!(explain(Error::io("cannot read", e)).fault(), Fault::Io);
        }
    }
}
