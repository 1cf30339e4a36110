//! A record as commands, and the strings of which there is nothing to say but themselves.

use super::array_as_hash::ArrayAsHash;
use super::export::{export_keyed, key_head};
use super::listener::Listener;
use super::rdb_ledger::Part as Ledger;
use super::rdb_write::{Copier, judge};
use super::value_checks::ValueChecks;
use crate::aof::rewrite::encode_string;
use crate::error::{Error, ErrorKind, Result};
use crate::rdb::{PlainString, RdbString, Record, RecordEncoder, Scratch};

impl Copier<'_> {
    /// Writes the commands of a record that the target has a place for. Its value is checked on
    /// the way: what was written of one that turns out to be damaged the caller takes back.
    pub(super) fn write_commands(&mut self, record: &Record<'_>) -> Result<()> {
        let Copier {
            options,
            commands: Some(commands),
            part,
            ..
        } = self
        else {
            return Err(Error::new(ErrorKind::Internal("no commands are written")));
        };
        let key = record.key_bytes(&mut self.key_scratch)?;
        if !options.no_check {
            part.ledger.keys.push(self.marker.mark(record, key));
        }
        part.begin_db(record.db);
        commands.lend(
            std::mem::take(&mut part.spool),
            std::mem::take(&mut part.bytes),
        );
        let teller = Teller {
            checks: (!options.no_check).then_some(&mut self.checks),
            found: &mut self.found,
            ledger: &mut part.ledger,
            scratch: &mut self.scratch,
        };
        let told = match options.turns_into_hash(record.value_type()) {
            true => teller.tell(record, key, &mut ArrayAsHash(commands)),
            false => teller.tell(record, key, commands),
        };
        let ended = told.and_then(|()| {
            let ended = commands.end();
            ended.map_err(|error| error.in_key(record.db, key))
        });
        (part.spool, part.bytes) = commands.reclaim();
        let count = ended?;
        if let Some(surveyor) = &mut self.surveyor {
            surveyor.count(record)?;
        }
        part.written.commands += count;
        match count {
            0 => part.written.empty += 1,
            _ => part.written.keys += 1,
        }
        Ok(())
    }

    /// Writes a plain string, unless there is more to it: something to report, to leave out or
    /// to encode anew.
    #[inline]
    pub(super) fn write_plain_string(&mut self, string: &PlainString<'_>) -> bool {
        let RdbString::Raw(key) = string.key() else {
            return false;
        };
        if !self.takes_plain_strings || !ValueChecks::is_flawless(string, key) {
            return false;
        }
        let part = &mut self.part;
        if !self.options.no_check {
            let mark = self.marker.mark_at(string.offset, string.db, key);
            part.ledger.keys.push(mark);
        }
        part.written.keys += 1;
        if self.keeps {
            part.bytes.extend_from_slice(string.raw());
            part.written.copied += 1;
            return true;
        }
        part.begin_db(string.db);
        match &self.commands {
            Some(_) => {
                let text = string.text();
                let count = encode_string(key, text, string.expire_at_ms, &mut part.bytes);
                part.written.commands += count;
            }
            None => {
                RecordEncoder::copy_string(string, &mut part.bytes);
                part.written.copied += 1;
            }
        }
        true
    }
}

/// What it takes to check a value and to tell it.
struct Teller<'c> {
    /// What checks it, if somebody wants that.
    checks: Option<&'c mut ValueChecks>,
    /// What was found in the value in hand.
    found: &'c mut Ledger,
    /// Where it is reported.
    ledger: &'c mut Ledger,
    scratch: &'c mut Scratch,
}

impl Teller<'_> {
    fn tell<L: Listener>(self, record: &Record<'_>, key: &[u8], sink: &mut L) -> Result<()> {
        let Some(checks) = self.checks else {
            return export_keyed(record, key, self.scratch, sink);
        };
        if record.key_meta.is_some() {
            // Its value comes as a payload, and in another order than the file has it.
            checks.check(record, key, self.found);
            judge(record, key, self.found, self.ledger)?;
            return export_keyed(record, key, self.scratch, sink);
        }
        sink.begin_key(&key_head(record, key, None, None));
        checks.check_and_tell(record, key, sink, self.found);
        judge(record, key, self.found, self.ledger).inspect_err(|_| sink.abandon_key())?;
        match sink.end_key() {
            true => Ok(()),
            // Commands cannot say it, which has been learnt only now.
            false => export_keyed(record, key, self.scratch, sink),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::aof::resp::encode_record_into;
    use crate::ops::aof_write::write_and_survey;
    use crate::ops::rdb_write::{Form, WriteOptions};
    use crate::rdb::{RdbReader, Target};

    #[test]
    fn nothing_is_left_of_a_value_whose_damage_is_found_behind_its_elements() {
        let sound = b"\x0b\0\0\0\x01\0\x82el\x03\xff";
        let wrong_backlen = b"\x0b\0\0\0\x01\0\x82el\x04\xff";
        let list = [
            b"\x12\x01l\x02\x02\x0b",
            &sound[..],
            b"\x02\x0b",
            wrong_backlen,
        ]
        .concat();
        let twice = b"\x02\x01s\x02\x01x\x01x";
        let file = |damaged: &[&[u8]]| {
            let damaged = damaged.concat();
            let parts = [
                b"REDIS0011\xfe\0\0\x01a\x01v",
                &damaged[..],
                b"\0\x01b\x01w\xff",
            ];
            [&parts.concat()[..], &[0; 8]].concat()
        };
        let written = |file: &[u8]| {
            let mut options = WriteOptions::new(Target::named("redis-7.2").unwrap());
            options.form = Form::Commands { now_ms: 1 };
            options.keep_going = true;
            let mut found = Vec::new();
            let mut reader = RdbReader::from_slice(file);
            let (log, written, _) =
                write_and_survey(&mut reader, &options, Vec::new(), &mut |finding| {
                    found.push(finding.code.as_str());
                })
                .unwrap();
            (log, written.keys, written.damaged, found)
        };
        let mut expected = Vec::new();
        for command in [&["SELECT", "0"][..], &["SET", "a", "v"], &["SET", "b", "w"]] {
            encode_record_into(command, &mut expected);
        }
        let codes = vec!["duplicate_member", "bad_listpack"];
        assert_eq!(
            written(&file(&[twice, &list])),
            (expected.clone(), 2, 2, codes)
        );
        assert_eq!(written(&file(&[])), (expected, 2, 0, Vec::new()));
    }
}
