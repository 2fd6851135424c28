//! Places on the earth, kept in sorted sets.

mod add;
mod ask;
mod options;
mod search;

use ferrite_store::types::geo::Point;

use super::{Handler, handler};
use crate::error::CommandError;
use crate::number;

pub(super) const COMMANDS: &[Handler] = &[
    handler("geoadd", add::geoadd),
    handler("geodist", ask::geodist),
    handler("geohash", ask::geohash),
    handler("geopos", ask::geopos),
    handler("georadius", search::georadius),
    handler("georadius_ro", search::georadius_ro),
    handler("georadiusbymember", search::georadiusbymember),
    handler("georadiusbymember_ro", search::georadiusbymember_ro),
    handler("geosearch", search::geosearch),
    handler("geosearchstore", search::geosearchstore),
];

/// Metres of a unit.
fn unit(word: &[u8]) -> Result<f64, CommandError> {
    match word.to_ascii_lowercase().as_slice() {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => {
            let text = "ERR unsupported unit provided. please use M, KM, FT, MI";
            Err(CommandError::text(text))
        }
    }
}

fn point(longitude: &[u8], latitude: &[u8]) -> Result<Point, CommandError> {
    let (longitude, latitude) = (number::float(longitude)?, number::float(latitude)?);
    Point::new(longitude, latitude).ok_or_else(|| {
        let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        CommandError::new(text)
    })
}
