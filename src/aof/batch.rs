//! Some records framed ahead, so that a replay can look at what they need before they
//! run.

use super::annotation::Annotation;
use super::reader::{Event, LogReader};

/// Arguments beyond which a record is not copied into the batch but ends it.
const MANY: usize = 256;

/// Up to a number of consecutive commands, and the annotation that follows them if one does.
#[derive(Debug)]
pub struct Batch<'a> {
    room: usize,
    args: Vec<&'a [u8]>,
    records: Vec<Record>,
    tail: Tail<'a>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    args_start: usize,
    args_end: usize,
    offset: u64,
    end_offset: u64,
}

#[derive(Debug)]
enum Tail<'a> {
    None,
    /// A record with many arguments.
    Long {
        args: Vec<&'a [u8]>,
        offset: u64,
        end_offset: u64,
    },
    Annotation {
        annotation: Annotation<'a>,
        offset: u64,
        end_offset: u64,
    },
}

impl<'a> Batch<'a> {
    /// A batch of up to `room` commands.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Batch {
            room,
            args: Vec::new(),
            records: Vec::new(),
            tail: Tail::None,
        }
    }

    /// Takes the next events of a log; false if there are none, and the log has ended.
    pub fn fill(&mut self, reader: &mut LogReader<'a>) -> bool {
        self.args.clear();
        self.records.clear();
        self.tail = Tail::None;
        while self.records.len() < self.room {
            match reader.next_event() {
                Some(Event::Command {
                    args,
                    offset,
                    end_offset,
                }) => {
                    if args.len() > MANY {
                        let args = reader.take_args();
                        self.tail = Tail::Long {
                            args,
                            offset,
                            end_offset,
                        };
                        return true;
                    }
                    let args_start = self.args.len();
                    self.args.extend_from_slice(args);
                    self.records.push(Record {
                        args_start,
                        args_end: self.args.len(),
                        offset,
                        end_offset,
                    });
                }
                Some(Event::Annotation {
                    annotation,
                    offset,
                    end_offset,
                }) => {
                    self.tail = Tail::Annotation {
                        annotation,
                        offset,
                        end_offset,
                    };
                    return true;
                }
                None => break,
            }
        }
        !self.records.is_empty()
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len() + usize::from(!matches!(self.tail, Tail::None))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The arguments of a command, by its number; not those of a long one.
    #[must_use]
    pub fn command(&self, number: usize) -> Option<&[&'a [u8]]> {
        let record = self.records.get(number)?;
        self.args.get(record.args_start..record.args_end)
    }

    /// An event, by its number in the order of the log.
    #[must_use]
    pub fn event(&self, number: usize) -> Option<Event<'_, 'a>> {
        if let Some(record) = self.records.get(number) {
            return Some(Event::Command {
                args: self.command(number)?,
                offset: record.offset,
                end_offset: record.end_offset,
            });
        }
        match &self.tail {
            _ if number != self.records.len() => None,
            Tail::None => None,
            Tail::Long {
                args,
                offset,
                end_offset,
            } => Some(Event::Command {
                args,
                offset: *offset,
                end_offset: *end_offset,
            }),
            Tail::Annotation {
                annotation,
                offset,
                end_offset,
            } => Some(Event::Annotation {
                annotation: *annotation,
                offset: *offset,
                end_offset: *end_offset,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resp::encode_record_into;
    use super::*;

    #[test]
    fn batches_give_the_events_of_the_reader() {
        let mut log = Vec::new();
        for n in 0..200usize {
            if n % 17 == 0 {
                log.extend(format!("#TS:{n}\r\n").bytes());
            }
            let args: Vec<String> = (0..=n * 3).map(|arg| arg.to_string()).collect();
            encode_record_into(&args, &mut log);
        }
        for cut in [log.len(), log.len() - 3, 40, 1, 0] {
            let log = &log[..cut];
            let mut alone = LogReader::new(log, 9);
            let mut ahead = LogReader::new(log, 9);
            for room in (1..40).cycle() {
                let mut batch = Batch::new(room);
                if !batch.fill(&mut ahead) {
                    break;
                }
                assert!(batch.event(batch.len()).is_none());
                for number in 0..batch.len() {
                    assert_eq!(batch.event(number), alone.next_event());
                }
            }
            assert_eq!(alone.next_event(), None);
            assert_eq!(ahead.end(), alone.end());
        }
    }
}
