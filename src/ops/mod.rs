//! Whole jobs: what the program's commands do, as library functions.

pub mod convert;
pub mod export;
pub mod inspect;
pub mod pipeline;
pub mod value_checks;
pub mod verify;
