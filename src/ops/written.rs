//! How much of a dataset was written for a server.

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Keys.
    pub keys: u64,
    /// Those whose values are copies, byte for byte.
    pub copied: u64,
    /// Keys that no filter chose.
    pub left_out: u64,
    /// Keys that were damaged and passed over.
    pub damaged: u64,
    /// Keys that the target has no place for.
    pub lost: u64,
    /// Collections without elements, left out as servers do.
    pub empty: u64,
    /// Function libraries.
    pub functions: u64,
    /// Commands.
    pub commands: u64,
}

impl Written {
    pub(super) fn add(&mut self, part: &Written) {
        let Written {
            keys,
            copied,
            left_out,
            damaged,
            lost,
            empty,
            functions,
            commands,
        } = *part;
        self.keys += keys;
        self.copied += copied;
        self.left_out += left_out;
        self.damaged += damaged;
        self.lost += lost;
        self.empty += empty;
        self.functions += functions;
        self.commands += commands;
    }
}
