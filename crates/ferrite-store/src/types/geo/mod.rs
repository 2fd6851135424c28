//! Places on the earth as scores of a sorted set, the very numbers Redis computes.
//!
//! ```text
//! score   52 bits: latitude and longitude, 26 bits each, in turns, longitude first
//! ```
//!
//! Both ends of a double's mantissa fit, so a score is exact. A cell of the grid at `step` bits a
//! side is a range of scores; a search looks at the cell of its centre and the eight around it.

mod hash;
mod search;
#[cfg(test)]
mod tests;

pub use hash::{MAX_LATITUDE, MAX_LONGITUDE, Point, decode, encode, text};
pub use search::{Area, Shape};

/// Radius of the earth in metres, as Redis takes it.
const EARTH_RADIUS: f64 = 6_372_797.560856;

/// The distance of two places in metres, over the surface of a sphere.
#[must_use]
pub fn distance(one: Point, other: Point) -> f64 {
    let u = ((other.longitude.to_radians() - one.longitude.to_radians()) / 2.0).sin();
    // On one meridian the distance is that of the latitudes.
    if u == 0.0 {
        return latitude_distance(one.latitude, other.latitude);
    }
    let (first, second) = (one.latitude.to_radians(), other.latitude.to_radians());
    let v = ((second - first) / 2.0).sin();
    let a = v * v + first.cos() * second.cos() * u * u;
    2.0 * EARTH_RADIUS * a.sqrt().asin()
}

/// The distance of two parallels in metres.
fn latitude_distance(one: f64, other: f64) -> f64 {
    EARTH_RADIUS * (other.to_radians() - one.to_radians()).abs()
}
