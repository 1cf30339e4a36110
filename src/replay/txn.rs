//! Transactions: MULTI remembers what follows, EXEC runs it.

use super::table::{self, Class, Command};
use super::{Args, Reject, Replayer};

/// Who carries out the commands that [`Transactions`] give out.
pub trait Run<'a> {
    /// The database that is selected.
    fn selected(&self) -> u32;

    /// Carries a command out, or sees to it; its record begins at `offset`.
    ///
    /// # Errors
    /// What is known now to be refused.
    fn run(
        &mut self,
        command: &'static Command,
        args: &[&'a [u8]],
        offset: u64,
    ) -> Result<(), Reject>;
}

impl<'a> Run<'a> for Replayer<'a> {
    fn selected(&self) -> u32 {
        self.db
    }

    fn run(&mut self, command: &'static Command, args: &[&'a [u8]], _: u64) -> Result<(), Reject> {
        let args = Args::of_log(args, self.options().flavor);
        Replayer::run(self, command, args).map(drop)
    }
}

/// A record and where it stands.
#[derive(Clone, Copy, Debug)]
struct Queued {
    command: &'static Command,
    first: usize,
    end: usize,
    offset: u64,
}

/// Feeds the records of one log to a [`Replayer`] or another [`Run`], those of a transaction when its
/// EXEC comes.
///
/// While a MULTI is open every record but EXEC waits, a second MULTI (which is an
/// error when its turn comes) and SELECT among them. What waits when the log ends
/// never happened.
///
/// Releases before 4.0 log a PFCOUNT of a transaction that writes nothing else, and its
/// EXEC, but no MULTI; such an EXEC is no error.
#[derive(Debug, Default)]
pub struct Transactions<'a> {
    open: bool,
    counted: bool,
    args: Vec<&'a [u8]>,
    queue: Vec<Queued>,
}

/// A command that was not carried out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rejected<'r> {
    /// Where its record begins.
    pub offset: u64,
    /// Its name and arguments.
    pub args: &'r [&'r [u8]],
    /// Its row, if it has one.
    pub command: Option<&'static Command>,
    /// The database that was selected.
    pub db: u32,
    /// Why.
    pub reject: Reject,
}

impl<'a> Transactions<'a> {
    /// Starts outside a transaction.
    #[must_use]
    pub fn new() -> Self {
        Transactions::default()
    }

    /// Whether a MULTI is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Number of records that wait for EXEC.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Forgets an open transaction.
    pub fn abandon(&mut self) {
        self.open = false;
        self.args.clear();
        self.queue.clear();
    }

    /// The command of a record outside a transaction that only writes one key, its first
    /// argument, and is complete: [`Transactions::feed`] would run it as it stands.
    #[inline]
    pub(crate) fn plain(&mut self, args: &[&'a [u8]]) -> Option<&'static Command> {
        if self.open {
            return None;
        }
        let command = table::find(args)?;
        if !command.writes_one_key(args.len()) || !command.takes(args.len()) {
            return None;
        }
        self.counted = false;
        Some(command)
    }

    /// Takes one record. What is rejected goes to `rejected`, which says whether to go
    /// on; false if it said no.
    pub fn feed(
        &mut self,
        runner: &mut impl Run<'a>,
        args: &[&'a [u8]],
        offset: u64,
        rejected: &mut dyn FnMut(Rejected<'_>) -> bool,
    ) -> bool {
        let command = table::find(args);
        let db = runner.selected();
        let reject = |reject, command| Rejected {
            offset,
            args,
            command,
            db,
            reject,
        };
        let Some(command) = command else {
            let name = args.first().copied().unwrap_or_default();
            return rejected(reject(Reject::of_unknown(name), None));
        };
        // Looked at before it waits, as loaders do that check it at all.
        if !command.takes(args.len()) {
            return rejected(reject(Reject::WrongArity, Some(command)));
        }
        let counted = std::mem::replace(&mut self.counted, command.name == "pfcount");
        if command.class == Class::Session {
            match (command.name, self.open) {
                ("exec", false) if counted => return true,
                ("multi", false) => {
                    self.open = true;
                    return true;
                }
                ("exec", true) => return self.exec(runner, rejected),
                ("discard", true) => {
                    let what = Reject::unsupported("DISCARD in a log, which crashes servers");
                    return rejected(reject(what, Some(command)));
                }
                _ => {}
            }
        }
        if self.open {
            let first = self.args.len();
            self.args.extend_from_slice(args);
            self.queue.push(Queued {
                command,
                first,
                end: self.args.len(),
                offset,
            });
            return true;
        }
        match runner.run(command, args, offset) {
            Ok(()) => true,
            Err(error) => rejected(reject(error, Some(command))),
        }
    }

    fn exec(
        &mut self,
        runner: &mut impl Run<'a>,
        rejected: &mut dyn FnMut(Rejected<'_>) -> bool,
    ) -> bool {
        let mut go_on = true;
        for queued in &self.queue {
            let args = self.args.get(queued.first..queued.end).unwrap_or_default();
            let db = runner.selected();
            if let Err(reject) = runner.run(queued.command, args, queued.offset) {
                go_on &= rejected(Rejected {
                    offset: queued.offset,
                    args,
                    command: Some(queued.command),
                    db,
                    reject,
                });
            }
        }
        self.abandon();
        go_on
    }
}
