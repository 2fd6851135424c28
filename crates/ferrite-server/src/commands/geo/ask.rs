//! GEOPOS, GEODIST, GEOHASH.

use ferrite_store::types::SortedSet;
use ferrite_store::types::geo::{self, Point};

use super::unit;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::reply::Reply;

/// Digits behind the point of a distance.
const DISTANCE_DIGITS: u8 = 4;

/// Writes a distance.
pub(super) fn distance(reply: &mut Reply, metres: f64, unit: f64) {
    let mut text = Vec::new();
    ferrite_store::double::write_fixed(&mut text, metres / unit, DISTANCE_DIGITS);
    reply.bulk(&text);
}

/// Writes a place.
pub(super) fn place(reply: &mut Reply, point: Point) {
    reply.array(2);
    reply.human_double(point.longitude);
    reply.human_double(point.latitude);
}

/// `GEOPOS key [member …]`
pub(super) fn geopos(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let members = words.get(2..).unwrap_or_default();
    ctx.answer::<SortedSet, _>(words[1], |reply, set| {
        reply.array(members.len());
        for member in members {
            match set.and_then(|set| set.score(member)) {
                Some(score) => place(reply, geo::decode(score)),
                None => reply.null_array(),
            }
        }
    })?;
    Ok(())
}

/// `GEOHASH key [member …]`
pub(super) fn geohash(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let members = words.get(2..).unwrap_or_default();
    ctx.answer::<SortedSet, _>(words[1], |reply, set| {
        reply.array(members.len());
        for member in members {
            match set.and_then(|set| set.score(member)) {
                Some(score) => reply.text(&geo::text(score)),
                None => reply.null(),
            }
        }
    })?;
    Ok(())
}

/// `GEODIST key member member [M|KM|FT|MI]`
pub(super) fn geodist(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let unit = match words.get(4..).unwrap_or_default() {
        [] => 1.0,
        [word] => unit(word)?,
        _ => return Err(CommandError::SYNTAX.into()),
    };
    ctx.answer::<SortedSet, _>(words[1], |reply, set| {
        let score = |member: &[u8]| set.and_then(|set| set.score(member));
        match (score(words[2]), score(words[3])) {
            (Some(one), Some(other)) => {
                distance(reply, geo::distance(geo::decode(one), geo::decode(other)), unit);
            }
            _ => reply.null(),
        }
    })?;
    Ok(())
}
