//! The release to write for where neither the user nor the data names one.

use super::rdb_survey::Survey;
use crate::error::{Error, ErrorKind, Result};
use crate::rdb::Target;

/// The releases that are tried, oldest first.
const USUAL: [&str; 6] = [
    "redis-6.2",
    "redis-7.0",
    "redis-7.4",
    "redis-8.6",
    "redis-8.8",
    "redis-8.10",
];

/// The lowest of the usual releases that knows every command that was seen and has a place for
/// all data, and what it loses of them; if none has, the lowest of those that lose least.
///
/// `since` is the first Redis that has the commands, see [`crate::replay::Counters::since`];
/// a log of several parts is for 7.0 at least. `survey` says what a release would lose.
///
/// # Errors
/// Those of `survey`.
pub fn usual_target(
    since: (u16, u16),
    has_parts: bool,
    mut survey: impl FnMut(&'static Target) -> Result<Survey>,
) -> Result<(&'static Target, Survey)> {
    let mut best: Option<(u64, &Target, Survey)> = None;
    for target in USUAL.iter().filter_map(|name| Target::named(name)) {
        let flavor = target.flavor();
        let knows_commands = (flavor.major, flavor.minor) >= since;
        if !knows_commands || (has_parts && !target.has_multi_part_logs()) {
            continue;
        }
        let survey = survey(target)?;
        let lost = survey.losses.data.values().map(|lost| lost.count).sum();
        if best.as_ref().is_none_or(|(least, ..)| lost < *least) {
            best = Some((lost, target, survey));
        }
        if lost == 0 {
            break;
        }
    }
    let none = || Error::new(ErrorKind::Internal("there are targets"));
    let (_, target, survey) = best.ok_or_else(none)?;
    Ok((target, survey))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::loss::Loss;

    fn chosen(since: (u16, u16), has_parts: bool, lost: impl Fn(&Target) -> u64) -> String {
        let survey = |target: &'static Target| {
            let mut survey = Survey::default();
            survey.losses.add(Loss::Stream, lost(target), 0, b"key");
            Ok(survey)
        };
        let (target, survey) = usual_target(since, has_parts, survey).unwrap();
        let counts = survey.losses.data.values().map(|lost| lost.count);
        assert_eq!(counts.sum::<u64>(), lost(target));
        target.to_string()
    }

    #[test]
    fn lowest_release_that_knows_the_commands_and_loses_nothing() {
        let nothing = |_: &Target| 0;
        let deadlines = |target: &Target| u64::from(!target.has_field_deadlines());
        let always = |_: &Target| 3;
        let arrays = |target: &Target| 1 + u64::from(!target.has_arrays());
        assert_eq!(chosen((6, 2), false, nothing), "redis-6.2");
        assert_eq!(chosen((6, 2), true, nothing), "redis-7.0");
        assert_eq!(chosen((7, 0), false, nothing), "redis-7.0");
        assert_eq!(chosen((8, 2), false, nothing), "redis-8.6");
        assert_eq!(chosen((8, 10), true, nothing), "redis-8.10");
        assert_eq!(chosen((6, 2), false, deadlines), "redis-7.4");
        assert_eq!(chosen((7, 0), false, always), "redis-7.0");
        assert_eq!(chosen((6, 2), false, arrays), "redis-8.8");
    }
}
