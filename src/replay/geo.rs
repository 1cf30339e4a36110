//! Geo indexes, which are sorted sets: GEOADD, and searches that store or answer what
//! they find.

use std::ops::Bound;

use crate::num::parse_f64;
use crate::store::{Bytes, SortedSet};

use super::geohash::{Place, Shape, cells_around, centroid};
use super::reply::{NOT_FLOAT, SYNTAX};
use super::zset::{add_scored, with_set};
use super::{Args, Reject, Replayer, Reply};

fn number(replayer: &Replayer<'_>, args: Args<'_, '_>, at: usize) -> Result<f64, Reject> {
    parse_f64(args.get(at), replayer.flavor()).ok_or(NOT_FLOAT)
}

fn place(replayer: &Replayer<'_>, args: Args<'_, '_>, at: usize) -> Result<Place, Reject> {
    let place = Place {
        longitude: number(replayer, args, at)?,
        latitude: number(replayer, args, at + 1)?,
    };
    if !place.is_valid() {
        return Err(Reject::error("ERR invalid longitude,latitude pair"));
    }
    Ok(place)
}

/// `GEOADD key [NX|XX] [CH] longitude latitude member ..`
pub(super) fn geoadd<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (mut only_new, mut only_existing, mut changed) = (false, false, false);
    let mut at = 2;
    loop {
        match () {
            () if args.is(at, "nx") => only_new = true,
            () if args.is(at, "xx") => only_existing = true,
            () if args.is(at, "ch") => changed = true,
            () => break,
        }
        at += 1;
    }
    let words = args.len().saturating_sub(at);
    if words == 0 || words % 3 != 0 || only_new && only_existing {
        return Err(SYNTAX);
    }
    let mut scores = Vec::with_capacity(words / 3);
    for at in (at..args.len()).step_by(3) {
        // The member follows the latitude.
        scores.push((at + 1, place(replayer, args, at)?.score()));
    }
    add_scored(replayer, args, (only_new, only_existing, changed), &scores)
}

/// Metres of a unit.
pub(super) fn unit(args: Args<'_, '_>, at: usize) -> Result<f64, Reject> {
    match () {
        () if args.is(at, "m") => Ok(1.0),
        () if args.is(at, "km") => Ok(1000.0),
        () if args.is(at, "ft") => Ok(0.3048),
        () if args.is(at, "mi") => Ok(1609.34),
        () => Err(Reject::error(
            "ERR unsupported unit provided. please use M, KM, FT, MI",
        )),
    }
}

fn length(replayer: &Replayer<'_>, args: Args<'_, '_>, at: usize) -> Result<f64, Reject> {
    const BAD: Reject = Reject::error("ERR need numeric radius");
    const NEGATIVE: Reject = Reject::error("ERR radius cannot be negative");
    let length = parse_f64(args.get(at), replayer.flavor()).ok_or(BAD)?;
    if length < 0.0 {
        Err(NEGATIVE)
    } else {
        Ok(length)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    None,
    Ascending,
    Descending,
}

/// Where a search begins.
#[derive(Clone, Copy, Debug)]
enum Centre {
    Place(Place),
    /// The member at an argument.
    Member(usize),
}

/// Everything that a search says.
#[derive(Clone, Debug)]
struct Search {
    source: usize,
    /// The key to store into, if any.
    to: Option<usize>,
    store_distance: bool,
    centre: Option<Centre>,
    shape: Option<Shape>,
    /// Metres of the unit.
    unit: f64,
    sort: Sort,
    count: usize,
    any: bool,
    shown: Shown,
}

/// What a search answers about each member.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    distance: bool,
    hash: bool,
    place: bool,
}

impl Shown {
    fn any(self) -> bool {
        self.distance || self.hash || self.place
    }

    fn option(&mut self, args: Args<'_, '_>, at: usize) -> bool {
        match () {
            () if args.is(at, "withdist") => self.distance = true,
            () if args.is(at, "withhash") => self.hash = true,
            () if args.is(at, "withcoord") => self.place = true,
            () => return false,
        }
        true
    }
}

impl Search {
    fn of(source: usize) -> Self {
        Search {
            source,
            to: None,
            store_distance: false,
            centre: None,
            shape: None,
            unit: 1.0,
            sort: Sort::None,
            count: 0,
            any: false,
            shown: Shown::default(),
        }
    }

    fn circle<'a>(
        &mut self,
        replayer: &Replayer<'a>,
        args: Args<'_, 'a>,
        at: usize,
    ) -> Result<(), Reject> {
        let radius = length(replayer, args, at)?;
        self.unit = unit(args, at + 1)?;
        self.shape = Some(Shape::Circle {
            radius: radius * self.unit,
        });
        Ok(())
    }

    /// Whether BYPOLYGON may still come: it has a centre of its own.
    fn may_be_polygon(&self) -> bool {
        self.shape.is_none() && !matches!(self.centre, Some(Centre::Member(_)))
    }

    /// Reads the corners of a polygon from their number on; gives the number of words.
    fn polygon<'a>(
        &mut self,
        replayer: &Replayer<'a>,
        args: Args<'_, 'a>,
        at: usize,
    ) -> Result<usize, Reject> {
        let corners = args.int(at).ok().and_then(|n| usize::try_from(n).ok());
        let corners = corners.ok_or(Reject::error("ERR invalid number of vertices"))?;
        if corners < 3 || (args.len() - at - 1) / 2 < corners {
            return Err(Reject::error(
                "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
            ));
        }
        let corners = (0..corners).map(|n| place(replayer, args, at + 1 + 2 * n));
        let corners = corners.collect::<Result<Vec<_>, _>>()?;
        let words = 2 + 2 * corners.len();
        self.centre = Some(Centre::Place(centroid(&corners)));
        self.shape = Some(Shape::Polygon(corners));
        Ok(words)
    }

    /// Reads an option that all searches have; gives the place after it.
    fn option(&mut self, args: Args<'_, '_>, at: usize) -> Result<Option<usize>, Reject> {
        match () {
            () if args.is(at, "asc") => self.sort = Sort::Ascending,
            () if args.is(at, "desc") => self.sort = Sort::Descending,
            () if args.is(at, "any") => self.any = true,
            () if args.is(at, "count") => {
                let count = args.int(args.value_of(at)?)?;
                let count = usize::try_from(count).ok().filter(|count| *count > 0);
                self.count = count.ok_or(Reject::error("ERR COUNT must be > 0"))?;
                return Ok(Some(at + 2));
            }
            () => return Ok(None),
        }
        Ok(Some(at + 1))
    }
}

/// Options of GEORADIUS and GEORADIUSBYMEMBER from `at` on.
fn radius_search<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    mut search: Search,
    mut at: usize,
    takes_store: bool,
) -> Result<Reply<'a>, Reject> {
    while at < args.len() {
        if let Some(next) = search.option(args, at)? {
            at = next;
            continue;
        }
        match () {
            () if search.shown.option(args, at) => {}
            () if takes_store && (args.is(at, "store") || args.is(at, "storedist")) => {
                search.store_distance = args.is(at, "storedist");
                at = args.value_of(at)?;
                search.to = Some(at);
            }
            () => return Err(SYNTAX),
        }
        at += 1;
    }
    if search.to.is_some() && search.shown.any() {
        return Err(Reject::error(
            "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORDS options",
        ));
    }
    run(replayer, args, search)
}

/// GEORADIUS, which can store what it finds, or its read-only form.
pub(super) fn around_place<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    takes_store: bool,
) -> Result<Reply<'a>, Reject> {
    let mut search = Search::of(1);
    search.centre = Some(Centre::Place(place(replayer, args, 2)?));
    search.circle(replayer, args, 4)?;
    radius_search(replayer, args, search, 6, takes_store)
}

/// GEORADIUSBYMEMBER in its two forms.
pub(super) fn around_member<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    takes_store: bool,
) -> Result<Reply<'a>, Reject> {
    let mut search = Search::of(1);
    search.centre = Some(Centre::Member(2));
    search.circle(replayer, args, 3)?;
    radius_search(replayer, args, search, 5, takes_store)
}

/// `GEORADIUS key longitude latitude radius unit ..`
pub(super) fn georadius<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    around_place(replayer, args, true)
}

/// `GEORADIUSBYMEMBER key member radius unit ..`
pub(super) fn georadiusbymember<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    around_member(replayer, args, true)
}

/// `GEOSEARCHSTORE destination source FROMMEMBER m|FROMLONLAT x y BYRADIUS r unit|BYBOX w h unit|
/// BYPOLYGON n x y .. [ASC|DESC] [COUNT n [ANY]] [STOREDIST]`
pub(super) fn geosearchstore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut search = Search::of(2);
    search.to = Some(1);
    shape_search(replayer, args, search, 3)
}

/// GEOSEARCH, which answers what it finds.
#[cfg(feature = "lua")]
pub(super) fn shape_search_read<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    shape_search(replayer, args, Search::of(1), 2)
}

/// Options of GEOSEARCH and GEOSEARCHSTORE from `at` on.
fn shape_search<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    mut search: Search,
    mut at: usize,
) -> Result<Reply<'a>, Reject> {
    while at < args.len() {
        if let Some(next) = search.option(args, at)? {
            at = next;
            continue;
        }
        let more = args.len() - at - 1;
        at += match () {
            () if search.to.is_some() && args.is(at, "storedist") => {
                search.store_distance = true;
                1
            }
            () if search.to.is_none() && search.shown.option(args, at) => 1,
            () if args.is(at, "frommember") && more >= 1 && search.centre.is_none() => {
                search.centre = Some(Centre::Member(at + 1));
                2
            }
            () if args.is(at, "fromlonlat") && more >= 2 && search.centre.is_none() => {
                search.centre = Some(Centre::Place(place(replayer, args, at + 1)?));
                3
            }
            () if args.is(at, "byradius") && more >= 2 && search.shape.is_none() => {
                search.circle(replayer, args, at + 1)?;
                3
            }
            () if args.is(at, "bybox") && more >= 3 && search.shape.is_none() => {
                let width = length(replayer, args, at + 1)?;
                let height = length(replayer, args, at + 2)?;
                search.unit = unit(args, at + 3)?;
                search.shape = Some(Shape::Box {
                    width: width * search.unit,
                    height: height * search.unit,
                });
                4
            }
            () if args.is(at, "bypolygon") && more >= 2 && search.may_be_polygon() => {
                search.polygon(replayer, args, at + 1)?
            }
            () => return Err(SYNTAX),
        };
    }
    run(replayer, args, search)
}

struct Found<'a> {
    member: Bytes<'a>,
    score: f64,
    distance: f64,
}

impl<'a> Found<'a> {
    /// The member, in an array with what was asked for.
    fn shown(self, shown: Shown, metres: f64) -> Reply<'a> {
        let member = Reply::Bulk(self.member.into());
        let mut parts = vec![member];
        if shown.distance {
            parts.push(distance_reply(self.distance / metres));
        }
        if shown.hash {
            parts.push(Reply::Int(self.score as i64));
        }
        if shown.place {
            parts.push(place_reply(Place::of_score(self.score)));
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => Reply::Array(parts),
        }
    }
}

/// A distance with four digits.
pub(super) fn distance_reply<'a>(distance: f64) -> Reply<'a> {
    Reply::Bulk(format!("{distance:.4}").into_bytes().into())
}

/// Longitude and latitude with up to 17 digits behind the point.
pub(super) fn place_reply<'a>(place: Place) -> Reply<'a> {
    let degrees = |degrees: f64| {
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        Reply::Bulk(text.as_bytes().to_vec().into())
    };
    Reply::Array(vec![degrees(place.longitude), degrees(place.latitude)])
}

fn run<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    mut search: Search,
) -> Result<Reply<'a>, Reject> {
    let (Some(centre), Some(shape)) = (search.centre, search.shape.take()) else {
        return Err(SYNTAX);
    };
    if search.any && search.count == 0 {
        return Err(Reject::error(
            "ERR the ANY argument requires COUNT argument",
        ));
    }
    if search.count > 0 && search.sort == Sort::None && !search.any {
        search.sort = Sort::Ascending;
    }
    let short_cut = replayer.flavor().shortens_meridians();
    let found = with_set(replayer, args.get(search.source), |set| {
        let centre = match centre {
            Centre::Place(place) => place,
            Centre::Member(at) => Place::of_score(
                set.score(args.get(at))
                    .ok_or(Reject::error("ERR could not decode requested zset member"))?,
            ),
        };
        Ok::<_, Reject>(find(set, centre, &shape, &search, short_cut))
    })?;
    let mut found = found.transpose()?.unwrap_or_default();
    match search.sort {
        Sort::None => {}
        Sort::Ascending => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
        Sort::Descending => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
    }
    if search.count > 0 && search.count < found.len() {
        let cut = |at: usize| found.get(at).map(|found| found.distance.to_bits());
        if search.sort != Sort::None && cut(search.count - 1) == cut(search.count) {
            return Err(Reject::unsupported(
                "COUNT that leaves out one of two members at the same distance",
            ));
        }
        found.truncate(search.count);
    }
    let metres = search.unit;
    let Some(to) = search.to else {
        // Of two at one distance servers put either first.
        let tie = |pair: &[Found<'_>]| matches!(pair, [a, b] if a.distance == b.distance);
        if search.sort != Sort::None && found.windows(2).any(tie) {
            return Err(Reject::unsupported(
                "the order of two members at the same distance",
            ));
        }
        let shown = found
            .into_iter()
            .map(|found| found.shown(search.shown, metres));
        return Ok(Reply::Array(shown.collect()));
    };
    let mut set: SortedSet<'a> = found
        .into_iter()
        .map(|found| {
            let score = if search.store_distance {
                found.distance / metres
            } else {
                found.score
            };
            (found.member, score)
        })
        .collect();
    if replayer.flavor().small_zsets_lose_negative_zero() {
        set.forget_negative_zeros_if_small();
    }
    let len = set.len();
    replayer.store_result(args, to, set);
    Ok(Reply::count(len))
}

fn find<'a>(
    set: &mut SortedSet<'a>,
    centre: Place,
    shape: &Shape,
    search: &Search,
    short_cut: bool,
) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for cell in cells_around(centre, shape) {
        let (from, below) = cell.scores();
        let ranks = set.score_range(Bound::Included(from), Bound::Excluded(below));
        for (member, score) in set.range(ranks) {
            if search.any && found.len() >= search.count {
                return found;
            }
            let to = Place::of_score(score);
            if let Some(distance) = centre.distance_within(shape, to, short_cut) {
                found.push(Found {
                    member: member.clone(),
                    score,
                    distance,
                });
            }
        }
    }
    found
}
