//! Elements of a collection that is being written: packed while they are few and short,
//! then one string each.

use crate::bytes::Text;
use crate::encoding::listpack::BacklenWidth;
use crate::encoding::{Listpack, ListpackBuilder, Ziplist, ZiplistBuilder};
use crate::error::{Error, ErrorKind, Result};
use crate::rdb::string::StringEncoder;
use crate::rdb::target::Target;

/// A listpack or a ziplist under construction.
#[derive(Debug)]
pub(crate) enum Packed {
    Listpack(ListpackBuilder),
    Ziplist(ZiplistBuilder),
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackedKind {
    Listpack(BacklenWidth),
    Ziplist,
}

impl PackedKind {
    /// What a release packs small collections in.
    pub(crate) fn of(target: &Target) -> Self {
        match target.has_listpacks() {
            true => PackedKind::Listpack(target.backlen_width()),
            false => PackedKind::Ziplist,
        }
    }

    /// Starts an empty one in a buffer that is there already.
    pub(crate) fn begin(self, buffer: Vec<u8>) -> Packed {
        match self {
            PackedKind::Listpack(width) => Packed::Listpack(ListpackBuilder::reuse(buffer, width)),
            PackedKind::Ziplist => Packed::Ziplist(ZiplistBuilder::reuse(buffer)),
        }
    }

    /// Passes on the elements of a blob that was built here.
    pub(crate) fn for_each(self, blob: &[u8], mut f: impl FnMut(Text<'_>)) {
        match self {
            PackedKind::Listpack(_) => {
                let elements = Listpack::new(blob).map(|listpack| listpack.iter());
                elements.into_iter().flatten().flatten().for_each(&mut f);
            }
            PackedKind::Ziplist => {
                let elements = Ziplist::new(blob).map(|ziplist| ziplist.iter());
                elements.into_iter().flatten().flatten().for_each(&mut f);
            }
        }
    }
}

impl Packed {
    #[inline]
    pub(crate) fn push(&mut self, text: Text<'_>) {
        match self {
            Packed::Listpack(builder) => builder.push_text(text),
            Packed::Ziplist(builder) => builder.push_text(text),
        }
    }

    pub(crate) fn encoded_len(&self) -> usize {
        match self {
            Packed::Listpack(builder) => builder.encoded_len(),
            Packed::Ziplist(builder) => builder.encoded_len(),
        }
    }

    /// The blob.
    ///
    /// # Errors
    /// It is larger than its header can say: an element of 4 GiB.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        let blob = match self {
            Packed::Listpack(builder) => builder.finish(),
            Packed::Ziplist(builder) => builder.finish(),
        };
        blob.ok_or_else(|| {
            Error::new(ErrorKind::LimitExceeded {
                what: "a packed collection in bytes",
                limit: u64::from(u32::MAX),
            })
        })
    }
}

/// Up to where a collection stays packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The most elements; a pair counts as one.
    pub(crate) entries: u64,
    /// The longest of them in bytes.
    pub(crate) value_bytes: usize,
}

impl Limits {
    /// Nothing is ever packed.
    pub(crate) const NOTHING: Limits = Limits {
        entries: 0,
        value_bytes: 0,
    };
}

/// The longest text that a number has: nothing shorter needs to be printed to be measured.
const SHORT_BYTES: usize = 20;

/// Whether an element is no longer than a limit.
#[inline]
pub(crate) fn is_short(text: Text<'_>, limit: usize) -> bool {
    match text {
        Text::Bytes(bytes) => bytes.len() <= limit,
        Text::Int(_) if limit >= SHORT_BYTES => true,
        number => number.len() <= limit,
    }
}

/// Elements, each of `width` texts.
#[derive(Debug)]
pub(crate) struct Elements {
    kind: PackedKind,
    limits: Limits,
    packed: Option<Packed>,
    /// Keeps the allocation of the blob between values.
    blob: Vec<u8>,
    /// The elements as strings, once they are not packed any more.
    body: Vec<u8>,
    count: u64,
}

/// What elements have become.
#[derive(Debug)]
pub(crate) enum Gathered<'e> {
    /// All of them in a listpack or ziplist.
    Packed(&'e [u8]),
    /// So many, as strings behind each other.
    Strings(u64, &'e [u8]),
}

impl Elements {
    pub(crate) fn new(kind: PackedKind) -> Self {
        Elements {
            kind,
            limits: Limits::NOTHING,
            packed: None,
            blob: Vec::new(),
            body: Vec::new(),
            count: 0,
        }
    }

    pub(crate) fn kind(&self) -> PackedKind {
        self.kind
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    /// Forgets all elements.
    pub(crate) fn begin(&mut self, limits: Limits) {
        self.limits = limits;
        self.count = 0;
        self.body.clear();
        let buffer = match self.packed.take() {
            Some(packed) => packed.finish().unwrap_or_default(),
            None => std::mem::take(&mut self.blob),
        };
        match limits == Limits::NOTHING {
            true => self.blob = buffer,
            false => self.packed = Some(self.kind.begin(buffer)),
        }
    }

    /// Adds an element of some texts.
    ///
    /// # Errors
    /// As [`Packed::finish`].
    pub(crate) fn push(&mut self, texts: &[Text<'_>], strings: &mut StringEncoder) -> Result<()> {
        let Limits {
            entries,
            value_bytes,
        } = self.limits;
        let fits = |text: &Text<'_>| is_short(*text, value_bytes);
        if self.packed.is_some() && !(self.count < entries && texts.iter().all(fits)) {
            self.unpack(strings)?;
        }
        self.count += 1;
        match &mut self.packed {
            Some(packed) => texts.iter().for_each(|text| packed.push(*text)),
            None => texts
                .iter()
                .for_each(|text| strings.encode_text(*text, &mut self.body)),
        }
        Ok(())
    }

    /// Turns what is packed into strings.
    pub(super) fn unpack(&mut self, strings: &mut StringEncoder) -> Result<()> {
        if let Some(packed) = self.packed.take() {
            self.blob = packed.finish()?;
            let body = &mut self.body;
            self.kind
                .for_each(&self.blob, |text| strings.encode_text(text, body));
        }
        Ok(())
    }

    /// What they have become.
    ///
    /// # Errors
    /// As [`Packed::finish`].
    pub(crate) fn finish(&mut self) -> Result<Gathered<'_>> {
        match self.packed.take() {
            Some(packed) => {
                self.blob = packed.finish()?;
                Ok(Gathered::Packed(&self.blob))
            }
            None => Ok(Gathered::Strings(self.count, &self.body)),
        }
    }

    /// Gives back what an unusually large value took.
    pub(crate) fn trim(&mut self, kept_bytes: usize) {
        for buffer in [&mut self.blob, &mut self.body] {
            buffer.clear();
            buffer.shrink_to(kept_bytes);
        }
    }
}
