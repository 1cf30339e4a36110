//! Answers of read commands on geo indexes.

use super::super::geo;
use super::super::geohash::Place;
use super::super::reply::SYNTAX;
use super::{Args, Reject, Replayer, Reply, text};
use crate::store::SortedSet;

type Answer<'a> = Result<Reply<'a>, Reject>;

/// The places of members.
fn places<'a>(
    replayer: &Replayer<'a>,
    args: Args<'_, 'a>,
    members: std::ops::Range<usize>,
) -> Result<Vec<Option<Place>>, Reject> {
    let set = replayer.get::<SortedSet<'a>>(args.get(1))?;
    let score = |at: usize| set.and_then(|set| set.score(args.get(at)));
    Ok(members.map(|at| score(at).map(Place::of_score)).collect())
}

/// Whether there is no such key, which before 4.0 had an answer of its own.
fn is_missing_of_old<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> bool {
    replayer.flavor().major < 4 && !replayer.db().contains(args.get(1))
}

/// `GEODIST key member member [unit]`
pub(super) fn geodist<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let metres = match args.len() {
        4 => 1.0,
        5 => geo::unit(args, 4)?,
        _ => return Err(SYNTAX),
    };
    if is_missing_of_old(replayer, args) {
        return Ok(text(String::new()));
    }
    let short_cut = replayer.flavor().shortens_meridians();
    Ok(match places(replayer, args, 2..4)?.as_slice() {
        [Some(from), Some(to)] => geo::distance_reply(from.distance(*to, short_cut) / metres),
        _ => Reply::Nil,
    })
}

/// `GEOPOS key member ..`
pub(super) fn geopos<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    if is_missing_of_old(replayer, args) {
        return Ok(Reply::Array(Vec::new()));
    }
    let places = places(replayer, args, 2..args.len())?;
    let shown = places
        .into_iter()
        .map(|place| place.map_or(Reply::Nil, geo::place_reply));
    Ok(Reply::Array(shown.collect()))
}

/// `GEOHASH key member ..`: eleven letters, for the last of which there are no bits.
pub(super) fn geohash<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    if is_missing_of_old(replayer, args) {
        return Ok(Reply::Array(Vec::new()));
    }
    let shown = places(replayer, args, 2..args.len())?
        .into_iter()
        .map(|place| {
            let Some(place) = place else {
                return Reply::Nil;
            };
            let bits = place.standard_bits();
            let letter = |at: u32| {
                let index = match at {
                    10 => 0,
                    at => bits >> (52 - 5 * (at + 1)) & 0x1f,
                };
                char::from(LETTERS[index as usize])
            };
            text((0..11).map(letter).collect())
        });
    Ok(Reply::Array(shown.collect()))
}

/// `GEORADIUS_RO key longitude latitude radius unit ..`
pub(super) fn georadius_ro<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    geo::around_place(replayer, args, false)
}

/// `GEORADIUSBYMEMBER_RO key member radius unit ..`
pub(super) fn georadiusbymember_ro<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Answer<'a> {
    geo::around_member(replayer, args, false)
}

/// `GEOSEARCH key FROMMEMBER m|FROMLONLAT x y BYRADIUS r unit|BYBOX w h unit ..`
pub(super) fn geosearch<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    geo::shape_search_read(replayer, args)
}
