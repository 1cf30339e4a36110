//! Interruption: SIGINT, SIGTERM and SIGHUP leave no partial output and end with 130.

use rdbkit::bytes::map;
use rdbkit::error::{Error, Result};

/// Installs the handlers for interruption, for inputs that shrink while mapped, and for outputs that
/// grow too large.
pub(crate) fn install() -> Result<()> {
    map::install_interrupt_handler().map_err(|e| Error::io("cannot handle interrupts", e))?;
    map::install_fault_handler().map_err(|e| Error::io("cannot handle faults of mapped files", e))
}
