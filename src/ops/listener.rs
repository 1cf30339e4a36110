//! Who is told a value while it is checked.

use super::array_as_hash::ArrayAsHash;
use crate::aof::CommandEncoder;
use crate::bytes::Text;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, ValueSink};
use crate::model::stream::{StreamId, StreamState};

/// A sink that takes scores as the file has them while nothing but commands can say the key.
pub(crate) trait Listener: ValueSink {
    /// Whether anything becomes of what it is told.
    const IS_HEARD: bool = true;
}

impl Listener for CommandEncoder {}

impl<L: Listener> Listener for ArrayAsHash<'_, L> {}

/// Wants a value checked and nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nobody;

impl Listener for Nobody {
    const IS_HEARD: bool = false;
}

impl ValueSink for Nobody {
    fn begin_key(&mut self, _: &KeyHead<'_>) {}
    fn string(&mut self, _: Text<'_>) {}
    fn begin_value(&mut self) {}
    #[inline]
    fn element(&mut self, _: Text<'_>) {}
    #[inline]
    fn scored(&mut self, _: Text<'_>, _: f64) {}
    #[inline]
    fn field(&mut self, _: Text<'_>, _: Text<'_>, _: Option<i64>) {}
    #[inline]
    fn entry(&mut self, _: StreamId, _: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {}
    fn stream_state(&mut self, _: &StreamState) {}
    fn item(&mut self, _: u64, _: Text<'_>) {}
    fn array_state(&mut self, _: Option<u64>) {}
    fn module(
        &mut self,
        _: &str,
        _: u16,
        _: Option<&ModuleData>,
        _: &mut dyn Iterator<Item = ModuleField>,
        _: u64,
    ) {
    }
    fn end_value(&mut self) {}
    fn end_key(&mut self) -> bool {
        true
    }
    fn abandon_key(&mut self) {}
}
