//! Places as 52 bits, and the cells around one (`geohash.c`, `geohash_helper.c`).
//!
//! Longitude and latitude become 26 bits each, interleaved with latitude on the even
//! bits. A search looks into the cell of its centre, at a width that its radius asks
//! for, and the eight around it.

const MAX_STEP: u32 = 26;
const LATITUDE: f64 = 85.051_128_78;
const LONGITUDE: f64 = 180.0;
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
const MERCATOR_MAX: f64 = 20_037_726.37;
/// Degrees to radians, as the servers round it.
const RADIAN: f64 = std::f64::consts::PI / 180.0;

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

/// What is looked for around a place; lengths in metres.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Circle {
        radius: f64,
    },
    Box {
        width: f64,
        height: f64,
    },
    /// Its corners, and the place is their [`centroid`].
    Polygon(Vec<Place>),
}

/// The middle of places on the sphere: where the sum of their directions points to.
pub(super) fn centroid(corners: &[Place]) -> Place {
    let (mut x, mut y, mut z) = (0f64, 0f64, 0f64);
    for corner in corners {
        let (longitude, latitude) = (corner.longitude * RADIAN, corner.latitude * RADIAN);
        x += latitude.cos() * longitude.cos();
        y += latitude.cos() * longitude.sin();
        z += latitude.sin();
    }
    Place {
        longitude: y.atan2(x) / RADIAN,
        latitude: z.atan2((x * x + y * y).sqrt()) / RADIAN,
    }
}

/// Whether a line to the east of a place crosses the edges of a polygon an odd number
/// of times.
fn is_inside(corners: &[Place], place: Place) -> bool {
    let before = corners.iter().cycle().skip(corners.len().saturating_sub(1));
    let crosses = |(a, b): (&Place, &Place)| {
        let east = || {
            (b.longitude - a.longitude) * (place.latitude - a.latitude) / (b.latitude - a.latitude)
                + a.longitude
        };
        (a.latitude > place.latitude) != (b.latitude > place.latitude) && place.longitude < east()
    };
    corners
        .iter()
        .zip(before)
        .filter(|edge| crosses(*edge))
        .count()
        % 2
        == 1
}

fn spread(bits: u64) -> u64 {
    (0..32).fold(0, |spread, at| spread | (bits >> at & 1) << (2 * at))
}

fn gather(bits: u64) -> u64 {
    (0..32).fold(0, |gathered, at| gathered | (bits >> (2 * at) & 1) << at)
}

impl Place {
    /// Whether a place may stand in a geo index.
    pub(super) fn is_valid(self) -> bool {
        self.longitude.abs() <= LONGITUDE && self.latitude.abs() <= LATITUDE
    }

    fn bits(self, step: u32) -> u64 {
        let scale = (1u64 << step) as f64;
        let latitude = (self.latitude + LATITUDE) / (LATITUDE + LATITUDE) * scale;
        let longitude = (self.longitude + LONGITUDE) / (LONGITUDE + LONGITUDE) * scale;
        spread(latitude as u64) | spread(longitude as u64) << 1
    }

    /// The score under which it is stored.
    pub(super) fn score(self) -> f64 {
        self.bits(MAX_STEP) as f64
    }

    /// The bits of the geohash of common use, which spans latitudes up to the poles.
    #[cfg(feature = "lua")]
    pub(super) fn standard_bits(self) -> u64 {
        let scale = (1u64 << MAX_STEP) as f64;
        let latitude = (self.latitude + 90.0) / 180.0 * scale;
        let longitude = (self.longitude + 180.0) / 360.0 * scale;
        spread(latitude as u64) | spread(longitude as u64) << 1
    }

    /// The middle of the cell that a score stands for.
    pub(super) fn of_score(score: f64) -> Place {
        let area = Cell {
            bits: score as u64,
            step: MAX_STEP,
        }
        .area();
        Place {
            longitude: ((area.west + area.east) / 2.0).clamp(-LONGITUDE, LONGITUDE),
            latitude: ((area.south + area.north) / 2.0).clamp(-LATITUDE, LATITUDE),
        }
    }

    fn latitude_distance(self, other: Place) -> f64 {
        EARTH_RADIUS_M * (other.latitude * RADIAN - self.latitude * RADIAN).abs()
    }

    /// The distance in metres on a sphere.
    ///
    /// From 7.0 on servers take the short cut for places on one meridian.
    pub(super) fn distance(self, other: Place, short_cut: bool) -> f64 {
        let v = ((other.longitude * RADIAN - self.longitude * RADIAN) / 2.0).sin();
        if v == 0.0 && short_cut {
            return self.latitude_distance(other);
        }
        let (from, to) = (self.latitude * RADIAN, other.latitude * RADIAN);
        let u = ((to - from) / 2.0).sin();
        let a = u * u + from.cos() * to.cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }

    /// The distance to a place, if that lies in the shape around this one.
    pub(super) fn distance_within(self, shape: &Shape, to: Place, short_cut: bool) -> Option<f64> {
        match shape {
            Shape::Circle { radius } => {
                Some(self.distance(to, short_cut)).filter(|distance| distance <= radius)
            }
            Shape::Polygon(corners) => is_inside(corners, to).then(|| self.distance(to, short_cut)),
            Shape::Box { width, height } => {
                let north = Place {
                    longitude: to.longitude,
                    latitude: self.latitude,
                };
                let across = Place {
                    longitude: self.longitude,
                    latitude: to.latitude,
                };
                let high = if short_cut {
                    to.latitude_distance(self)
                } else {
                    to.distance(north, false)
                };
                if high > height / 2.0 || to.distance(across, short_cut) > width / 2.0 {
                    return None;
                }
                Some(self.distance(to, short_cut))
            }
        }
    }
}

/// A cell of the grid of a step; step 0 is no cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    bits: u64,
    step: u32,
}

struct Area {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

const LONGITUDE_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
const LATITUDE_BITS: u64 = 0x5555_5555_5555_5555;

impl Cell {
    fn area(self) -> Area {
        let edge =
            |n: u64, limit: f64| -limit + n as f64 / (1u64 << self.step) as f64 * (limit + limit);
        let (latitude, longitude) = (gather(self.bits), gather(self.bits >> 1));
        Area {
            west: edge(longitude, LONGITUDE),
            east: edge(longitude + 1, LONGITUDE),
            south: edge(latitude, LATITUDE),
            north: edge(latitude + 1, LATITUDE),
        }
    }

    /// Moves along one of the two interleaved numbers, around the world if need be.
    ///
    /// Who stays keeps a bit too many: that of a place on the very edge of the world.
    fn moved(self, mine: u64, by: i32) -> Cell {
        if by == 0 {
            return self;
        }
        let unused = 64 - 2 * self.step;
        let others = !mine >> unused;
        let (kept, number) = (self.bits & !mine, self.bits & mine);
        let number = match by {
            1.. => number.wrapping_add(others + 1),
            _ => (number | others).wrapping_sub(others + 1),
        };
        Cell {
            bits: number & (mine >> unused) | kept,
            step: self.step,
        }
    }

    fn beside(self, east: i32, north: i32) -> Cell {
        self.moved(LONGITUDE_BITS, east).moved(LATITUDE_BITS, north)
    }

    /// The scores in it: from the first, and below the second.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = 2 * (MAX_STEP - self.step);
        (
            (self.bits << shift) as f64,
            ((self.bits + 1) << shift) as f64,
        )
    }
}

fn estimated_step(mut range: f64, latitude: f64) -> u32 {
    if range == 0.0 {
        return MAX_STEP;
    }
    let mut step: i32 = 1;
    while range < MERCATOR_MAX {
        range *= 2.0;
        step += 1;
    }
    step -= 2;
    if latitude.abs() > 66.0 {
        step -= 1;
        if latitude.abs() > 80.0 {
            step -= 1;
        }
    }
    step.clamp(1, MAX_STEP as i32) as u32
}

/// East, north of each cell that a search looks into, in the servers' order.
const AROUND: [(i32, i32); 9] = [
    (0, 0),
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
];

/// The area that a shape around a place reaches, and how far it reaches.
fn reach(centre: Place, shape: &Shape) -> (Area, f64) {
    let (width, height, radius) = match shape {
        Shape::Circle { radius } => (*radius, *radius, *radius),
        Shape::Box { width, height } => {
            let (w, h) = (width / 2.0, height / 2.0);
            (w, h, (w * w + h * h).sqrt())
        }
        Shape::Polygon(corners) => return reach_of_polygon(centre, corners),
    };
    let high = height / EARTH_RADIUS_M / RADIAN;
    let wide_at = |latitude: f64| width / EARTH_RADIUS_M / (latitude * RADIAN).cos() / RADIAN;
    let wide = if centre.latitude < 0.0 {
        wide_at(centre.latitude - high)
    } else {
        wide_at(centre.latitude + high)
    };
    let bounds = Area {
        west: centre.longitude - wide,
        east: centre.longitude + wide,
        south: centre.latitude - high,
        north: centre.latitude + high,
    };
    (bounds, radius)
}

/// The box around a polygon, and the distance to its farthest corner.
fn reach_of_polygon(centre: Place, corners: &[Place]) -> (Area, f64) {
    let longitudes = || corners.iter().map(|corner| corner.longitude);
    let latitudes = || corners.iter().map(|corner| corner.latitude);
    let bounds = Area {
        west: longitudes().fold(LONGITUDE, f64::min),
        east: longitudes().fold(-LONGITUDE, f64::max),
        south: latitudes().fold(LATITUDE, f64::min),
        north: latitudes().fold(-LATITUDE, f64::max),
    };
    let corners = [
        (bounds.west, bounds.north),
        (bounds.east, bounds.north),
        (bounds.west, bounds.south),
        (bounds.east, bounds.south),
    ];
    let distances = corners.map(|(longitude, latitude)| {
        let corner = Place {
            longitude,
            latitude,
        };
        centre.distance(corner, true)
    });
    (bounds, distances.into_iter().fold(0.0, f64::max))
}

/// The cells that hold whatever lies in a shape around a place.
pub(super) fn cells_around(centre: Place, shape: &Shape) -> Vec<Cell> {
    let (bounds, radius) = reach(centre, shape);
    let mut step = estimated_step(radius, centre.latitude);
    let cell = |step| Cell {
        bits: centre.bits(step),
        step,
    };
    let mut middle = cell(step);
    let too_small = middle.beside(0, 1).area().north < bounds.north
        || middle.beside(0, -1).area().south > bounds.south
        || middle.beside(1, 0).area().east < bounds.east
        || middle.beside(-1, 0).area().west > bounds.west;
    if step > 1 && too_small {
        step -= 1;
        middle = cell(step);
    }
    let area = middle.area();
    let useless = |(east, north): (i32, i32)| {
        step >= 2
            && (north < 0 && area.south < bounds.south
                || north > 0 && area.north > bounds.north
                || east < 0 && area.west < bounds.west
                || east > 0 && area.east > bounds.east)
    };
    let mut cells: Vec<Cell> = Vec::with_capacity(AROUND.len());
    for (at, (east, north)) in AROUND.into_iter().enumerate() {
        if at > 0 && useless((east, north)) {
            continue;
        }
        let cell = middle.beside(east, north);
        // In a coarse grid neighbours fall together. The servers compare only with the
        // one before, and not with the middle.
        if cells.len() > 1 && cells.last() == Some(&cell) {
            continue;
        }
        cells.push(cell);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_scores_of_servers() {
        let palermo = Place {
            longitude: 13.361389,
            latitude: 38.115556,
        };
        assert_eq!(palermo.score(), 3479099956230698.0);
        let corner = Place {
            longitude: 180.0,
            latitude: LATITUDE,
        };
        assert!(corner.score() >= (1u64 << 52) as f64);
        let back = Place::of_score(palermo.score());
        assert!(back.distance(palermo, true) < 0.6);
    }
}
