//! Whole jobs: what the program's commands do, as library functions.

pub mod convert;
pub mod digest;
pub mod export;
pub mod inspect;
pub mod replay;
pub mod value_checks;
pub mod verify;
