//! GEOSEARCH and GEOSEARCHSTORE, and what they replaced: GEORADIUS, GEORADIUSBYMEMBER.

use ferrite_store::types::SortedSet;
use ferrite_store::types::geo::{Area, Point};
use ferrite_store::types::sorted_set::{Direction, ScoreBound, ScoreRange};

use super::ask::{distance, place};
use super::options::{Kind, Order, Request, place_of, radius};
use super::point;
use crate::commands::sorted_set::store;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::reply::Reply;

/// A member within the area.
#[derive(Debug)]
struct Found {
    member: Vec<u8>,
    score: f64,
    point: Point,
    metres: f64,
}

/// `GEOSEARCH key FROMMEMBER member|FROMLONLAT longitude latitude BYRADIUS radius unit|BYBOX width
/// height unit [ASC|DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`
pub(super) fn geosearch(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let set = ctx.read::<SortedSet>(words[1])?;
    let mut request = Request::new(None, None);
    request.read(words.get(2..).unwrap_or_default(), Kind::Search, set)?;
    request.check(Kind::Search, words[0])?;
    let found = find(set, &mut request);
    answer(&mut ctx.reply, &request, &found);
    Ok(())
}

/// `GEOSEARCHSTORE destination source …` as GEOSEARCH, and `[STOREDIST]`
pub(super) fn geosearchstore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let set = ctx.read::<SortedSet>(words[2])?;
    let mut request = Request::new(None, None);
    request.store = Some(words[1]);
    request.read(words.get(3..).unwrap_or_default(), Kind::SearchStore, set)?;
    request.check(Kind::SearchStore, words[0])?;
    let found = find(set, &mut request);
    finish(ctx, &request, found, "geosearchstore");
    Ok(())
}

/// `GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count
/// [ANY]] [ASC|DESC] [STORE key|STOREDIST key]`
pub(super) fn georadius(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    by_place(ctx, words, true)
}

/// GEORADIUS that does not store.
pub(super) fn georadius_ro(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    by_place(ctx, words, false)
}

/// `GEORADIUSBYMEMBER key member radius unit …` as GEORADIUS
pub(super) fn georadiusbymember(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    by_member(ctx, words, true)
}

/// GEORADIUSBYMEMBER that does not store.
pub(super) fn georadiusbymember_ro(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    by_member(ctx, words, false)
}

fn by_place(ctx: &mut Ctx<'_>, words: &[&[u8]], may_store: bool) -> Outcome {
    let set = ctx.read::<SortedSet>(words[1])?;
    let center = point(words[2], words[3])?;
    let request = Request::new(Some(center), Some(radius(words[4], words[5])?));
    let options = words.get(6..).unwrap_or_default();
    let (request, found) = within_radius(set, request, options, words[0], may_store)?;
    finish(ctx, &request, found, "georadiusstore");
    Ok(())
}

fn by_member(ctx: &mut Ctx<'_>, words: &[&[u8]], may_store: bool) -> Outcome {
    let set = ctx.read::<SortedSet>(words[1])?;
    let request = match place_of(set, words[2])? {
        Some(center) => Request::new(Some(center), Some(radius(words[3], words[4])?)),
        None => Request::new(None, None),
    };
    let options = words.get(5..).unwrap_or_default();
    let (request, found) = within_radius(set, request, options, words[0], may_store)?;
    finish(ctx, &request, found, "georadiusstore");
    Ok(())
}

fn within_radius<'w>(
    set: Option<&SortedSet>,
    mut request: Request<'w>,
    options: &'w [&'w [u8]],
    name: &[u8],
    may_store: bool,
) -> Result<(Request<'w>, Vec<Found>), CommandError> {
    let kind = Kind::Radius { may_store };
    request.read(options, kind, set)?;
    request.check(kind, name)?;
    let found = find(set, &mut request);
    Ok((request, found))
}

/// What is within the area, in the order that is asked for, and no more than that.
fn find(set: Option<&SortedSet>, request: &mut Request<'_>) -> Vec<Found> {
    let (Some(set), Some(area)) = (set, request.area()) else { return Vec::new() };
    if request.count > 0 && !request.any {
        request.order.get_or_insert(Order::Nearest);
    }
    let most = if request.any { request.count } else { usize::MAX };
    let mut found = Vec::new();
    for (first, end) in area.ranges() {
        if found.len() >= most {
            break;
        }
        find_in(set, &area, (first, end), most, &mut found);
    }
    match request.order {
        Some(Order::Nearest) => found.sort_by(|one, other| one.metres.total_cmp(&other.metres)),
        Some(Order::Farthest) => found.sort_by(|one, other| other.metres.total_cmp(&one.metres)),
        None => {}
    }
    if request.count > 0 {
        found.truncate(request.count);
    }
    found
}

fn find_in(
    set: &SortedSet,
    area: &Area,
    (first, end): (f64, f64),
    most: usize,
    found: &mut Vec<Found>,
) {
    let range = ScoreRange {
        min: ScoreBound { score: first, exclusive: false },
        max: ScoreBound { score: end, exclusive: true },
    };
    set.walk(set.ranks_by_score(&range), Direction::Ascending, &mut |member, score| {
        if let Some((point, metres)) = area.within(score) {
            found.push(Found { member: member.to_vec(), score, point, metres });
        }
        found.len() < most
    });
}

/// Answers what was found, or stores it.
fn finish(ctx: &mut Ctx<'_>, request: &Request<'_>, found: Vec<Found>, event: &str) {
    let Some(key) = request.store else { return answer(&mut ctx.reply, request, &found) };
    let limits = ctx.shared.limits;
    let longest = found.iter().map(|found| found.member.len()).max().unwrap_or(0);
    let mut result = SortedSet::sized(found.len(), longest, &limits);
    for found in &found {
        let distance = found.metres / request.unit;
        let score = if request.stores_distance { distance } else { found.score };
        result.set(&found.member, score, &limits);
    }
    store(ctx, key, result, event);
    ctx.effects.dirty += (found.len() as u64).saturating_sub(1);
}

fn answer(reply: &mut Reply, request: &Request<'_>, found: &[Found]) {
    let parts = [request.with_distance, request.with_hash, request.with_place];
    let parts = parts.into_iter().filter(|asked| *asked).count();
    reply.array(found.len());
    for found in found {
        if parts > 0 {
            reply.array(1 + parts);
        }
        reply.bulk(&found.member);
        if request.with_distance {
            distance(reply, found.metres, request.unit);
        }
        if request.with_hash {
            reply.int(found.score as i64);
        }
        if request.with_place {
            place(reply, found.point);
        }
    }
}
