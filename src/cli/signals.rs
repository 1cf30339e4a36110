//! Interruption: SIGINT, SIGTERM and SIGHUP leave no partial output and end with 130.

use std::panic;

use rdbkit::bytes::map;
use rdbkit::error::{Error, Result};

use super::exit::Exit;
use super::printer::Printer;

/// Installs the handlers for interruption, for inputs that shrink while mapped, and for outputs that
/// grow too large.
pub(crate) fn install() -> Result<()> {
    map::install_interrupt_handler().map_err(|e| Error::io("cannot handle interrupts", e))?;
    map::install_fault_handler().map_err(|e| Error::io("cannot handle faults of mapped files", e))
}

/// Ends the program where a value of a mapped file turns out to have changed since it was checked:
/// who asks for it has no use for half a value, on whatever thread it is.
pub(crate) fn end_on_changed_input(printer: Printer) {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if let Some(error) = panic.payload().downcast_ref::<Error>() {
            printer.error(error);
            map::abandon(Exit::Unable.code());
        }
        usual(panic);
    }));
}
