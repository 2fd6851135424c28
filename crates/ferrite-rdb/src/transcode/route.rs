//! What happens to a value on its way from one format to another, by its type byte.

use super::{Target, critical, module};
use crate::types::is_old_json;
use crate::types::key_meta::{self, KEY_META};
use crate::{Dialect, Format};

/// How a value gets to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The target reads the body as it is; only the version of the footer may have to change.
    PassThrough,
    /// The body has to be written anew, by [`super::reencode`].
    Reencode,
    /// The target cannot hold the value; why, for the operator.
    Impossible(&'static str),
}

const NO_STREAMS: &str = "the target has no streams (Redis has them since 5.0)";
const NO_MODULES: &str = "the target has no module data types (Redis has them since 4.0)";
const OLD_MODULE: &str = "module data of a Redis 4.0 release candidate";
const MODULE_MISSING: &str = "the target has no module for this data type";
const NO_ARRAYS: &str = "the target has no arrays (Redis has them since 8.8)";
const NO_TEMPLATES: &str = "a hash that is stored by a template elsewhere in its file (Redis 8.10)";
const NO_RATE_LIMITER: &str = "the target has no rate limiter type (Redis has it since 8.10)";
const NO_PATH_HASH: &str = "a path hash of Valkey 9.2, which other servers do not have";
const NO_CRON: &str = "a KeyDB cron job, which other servers do not have";
const DRAGONFLY_OWN: &str = "a data type only Dragonfly has";
/// Why a value without elements cannot be held by a target.
pub const EMPTY: &str = "the value has no elements, and servers refuse to load an empty one";
pub(super) const UNKNOWN_BACK_LENGTHS: &str = "a stream entry of exactly 16378, 2097146 or 268435450 bytes, which releases \
     of the target before and after May 2026 store differently";
const UNKNOWN: &str = "a data type this program does not know";

/// Decides by type byte alone, except that module data is looked into for its module, large
/// listpacks for elements only some servers can read, and metadata for the value behind it.
///
/// For many values of one pair of servers, a [`RouteTable`] is cheaper.
#[must_use]
pub fn route(from: Format, type_byte: u8, body: &[u8], to: &Target) -> Route {
    look_into(by_type(from, type_byte, to), type_byte, body, to)
}

fn look_into(route: Route, type_byte: u8, body: &[u8], to: &Target) -> Route {
    match (route, type_byte) {
        // Valkey 9 makes such hashes when it copies one all of whose fields are expired.
        (Route::PassThrough, 1..=5) if body == NO_ELEMENTS => Route::Impossible(EMPTY),
        (Route::PassThrough, TYPE_MODULE_2) => by_module(body, to),
        (Route::PassThrough, 15..=21 | 25..=27) => by_listpacks(type_byte, body, to),
        (Route::Reencode, KEY_META) => behind_metadata(body, to),
        _ => route,
    }
}

/// Every decision for one source format and one target, made once.
#[derive(Clone, Debug)]
pub struct RouteTable {
    routes: Box<[Route; 256]>,
    to: Target,
}

impl RouteTable {
    /// Makes all decisions.
    #[must_use]
    pub fn new(from: Format, to: &Target) -> Self {
        let routes = std::array::from_fn(|type_byte| by_type(from, type_byte as u8, to));
        Self { routes: Box::new(routes), to: to.clone() }
    }

    /// The decision for a value; its body is looked into as by the function [`route`].
    #[must_use]
    pub fn route(&self, type_byte: u8, body: &[u8]) -> Route {
        look_into(self.routes[usize::from(type_byte)], type_byte, body, &self.to)
    }

    /// The target decided for.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.to
    }
}

/// The body of a plain value with a length of 0.
const NO_ELEMENTS: &[u8] = &[0];
const TYPE_MODULE_PRE_GA: u8 = 6;
const TYPE_MODULE_2: u8 = 7;

fn by_type(from: Format, type_byte: u8, to: &Target) -> Route {
    match type_byte {
        TYPE_MODULE_PRE_GA => Route::Impossible(OLD_MODULE),
        TYPE_MODULE_2 => module_type(to),
        20 if is_old_json(from) => own_type(Dialect::Dragonfly, true, DRAGONFLY_OWN, to),
        0..=21 => shared_type(type_byte, to),
        _ => match from.dialect {
            Dialect::Redis => redis_type(type_byte, to),
            Dialect::Valkey => valkey_type(type_byte, to),
            Dialect::KeyDb => own_type(Dialect::KeyDb, type_byte == 64, NO_CRON, to),
            Dialect::Dragonfly => dragonfly_type(type_byte, to),
        },
    }
}

fn when(known: bool, otherwise: Route) -> Route {
    if known { Route::PassThrough } else { otherwise }
}

/// Type bytes every dialect took over from Redis.
fn shared_type(type_byte: u8, to: &Target) -> Route {
    let since = match type_byte {
        0 | 1 | 2 | 3 | 4 | 9 | 10 | 11 | 12 | 13 => 1,
        5 => 8,
        14 => 7,
        15 => 9,
        16..=19 => 10,
        20 | 21 => 11,
        _ => return Route::Impossible(UNKNOWN),
    };
    if to.format.dialect == Dialect::Dragonfly {
        // It reads the newer encodings though it writes RDB 9, but not the oldest; and 20, under
        // that version, as JSON.
        return when(!matches!(type_byte, 1 | 9 | 10 | 20), Route::Reencode);
    }
    if is_stream(type_byte) && to.format.version < 9 {
        return Route::Impossible(NO_STREAMS);
    }
    when(to.format.version >= since, Route::Reencode)
}

/// Type bytes of Redis since Valkey parted from it.
fn redis_type(type_byte: u8, to: &Target) -> Route {
    let newer = |version| to.format.dialect == Dialect::Redis && to.format.version >= version;
    match type_byte {
        // Of a 7.4 release candidate.
        22 | 23 => Route::Reencode,
        24 | 25 => when(newer(12) && to.hold_fields_ms == 0, Route::Reencode),
        26 | 27 if to.format.version < 9 => Route::Impossible(NO_STREAMS),
        26 => when(newer(13), Route::Reencode),
        27 => when(newer(14), Route::Reencode),
        28 => when(newer(14), Route::Impossible(NO_ARRAYS)),
        29 | 31 => when(newer(15), Route::Reencode),
        // These refer to templates elsewhere in their file and cannot travel alone.
        30 | 32 => Route::Impossible(NO_TEMPLATES),
        33 => when(newer(15), Route::Impossible(NO_RATE_LIMITER)),
        // The value without the metadata.
        KEY_META => Route::Reencode,
        _ => Route::Impossible(UNKNOWN),
    }
}

/// Type bytes of Valkey 9 and later.
fn valkey_type(type_byte: u8, to: &Target) -> Route {
    let valkey = to.format.dialect == Dialect::Valkey;
    match type_byte {
        22 => when(valkey && to.hold_fields_ms == 0, Route::Reencode),
        23 => when(valkey && to.format.version >= 81, Route::Impossible(NO_PATH_HASH)),
        _ => Route::Impossible(UNKNOWN),
    }
}

/// Type bytes of Dragonfly.
fn dragonfly_type(type_byte: u8, to: &Target) -> Route {
    match type_byte {
        31 | 32 => when(to.format.dialect == Dialect::Dragonfly, Route::Reencode),
        _ => own_type(Dialect::Dragonfly, (30..=37).contains(&type_byte), DRAGONFLY_OWN, to),
    }
}

fn own_type(dialect: Dialect, known: bool, reason: &'static str, to: &Target) -> Route {
    if !known {
        return Route::Impossible(UNKNOWN);
    }
    when(to.format.dialect == dialect, Route::Impossible(reason))
}

fn module_type(to: &Target) -> Route {
    when(to.format.version >= 8, Route::Impossible(NO_MODULES))
}

fn by_module(body: &[u8], to: &Target) -> Route {
    let loadable = module::type_name(body)
        .is_some_and(|name| to.modules.iter().any(|module| module.as_bytes() == name));
    when(loadable, Route::Impossible(MODULE_MISSING))
}

/// A value behind metadata is written anew, without it, wherever the value itself can be held.
fn behind_metadata(body: &[u8], to: &Target) -> Route {
    match key_meta::peel(body) {
        Ok((_, type_byte, value)) => match route(REDIS, type_byte, value, to) {
            Route::Impossible(reason) => Route::Impossible(reason),
            Route::PassThrough | Route::Reencode => Route::Reencode,
        },
        Err(_) => Route::Reencode,
    }
}

/// Any Redis format: only the dialect is looked at.
const REDIS: Format = Format::redis(13);

/// Plain layouts have no listpacks and suit everybody; streams have no plain layout.
fn by_listpacks(type_byte: u8, body: &[u8], to: &Target) -> Route {
    match critical::listpacks(type_byte, body) {
        None => Route::PassThrough,
        Some(critical::Found::Only(rule)) if to.back_lengths == Some(rule) => Route::PassThrough,
        Some(_) if to.back_lengths.is_none() && is_stream(type_byte) => {
            Route::Impossible(UNKNOWN_BACK_LENGTHS)
        }
        Some(_) => Route::Reencode,
    }
}

fn is_stream(type_byte: u8) -> bool {
    matches!(type_byte, 15 | 19 | 21 | 26 | 27)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIS_62: Format = Format::redis(9);
    const REDIS_72: Format = Format::redis(11);
    const REDIS_80: Format = Format::redis(12);
    const VALKEY_9: Format = Format::valkey(80);

    fn by_route(from: Format, to: Format) -> (Vec<u8>, Vec<u8>) {
        let table = RouteTable::new(from, &Target::new(to));
        let with = |wanted| (0..=255).filter(|t| table.route(*t, &[]) == wanted).collect();
        (with(Route::PassThrough), with(Route::Reencode))
    }

    #[test]
    fn to_an_older_redis() {
        let (passed, reencoded) = by_route(REDIS_80, REDIS_62);
        assert_eq!(passed, [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(reencoded, [16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 31, 243]);
        let (passed, reencoded) = by_route(REDIS_72, Format::redis(6));
        assert_eq!(passed, [0, 1, 2, 3, 4, 9, 10, 11, 12, 13]);
        assert_eq!(reencoded, [5, 14, 16, 17, 18, 20, 22, 23, 24, 25, 29, 31, 243]);
    }

    #[test]
    fn between_redis_and_valkey() {
        let (passed, reencoded) = by_route(REDIS_80, VALKEY_9);
        assert!(passed.contains(&21) && !passed.contains(&22));
        assert_eq!(reencoded, [22, 23, 24, 25, 26, 27, 29, 31, 243]);
        let (_, reencoded) = by_route(VALKEY_9, REDIS_80);
        assert_eq!(reencoded, [22]);
        let (passed, reencoded) = by_route(VALKEY_9, VALKEY_9);
        assert!(passed.contains(&22) && reencoded.is_empty());
    }

    #[test]
    fn dragonfly_reads_new_encodings_and_not_the_oldest() {
        let dragonfly = Format { dialect: Dialect::Dragonfly, version: 9 };
        let (passed, reencoded) = by_route(REDIS_72, dragonfly);
        assert_eq!(passed, [0, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21]);
        assert_eq!(reencoded[..4], [1, 9, 10, 20]);
    }

    #[test]
    fn types_of_one_family_stay_in_it() {
        let of = |dialect, version| Format { dialect, version };
        let (dragonfly, keydb) = (of(Dialect::Dragonfly, 9), of(Dialect::KeyDb, 9));
        let (passed, _) = by_route(dragonfly, dragonfly);
        assert_eq!(passed[14..], [20, 21, 30, 31, 32, 33, 34, 35, 36, 37]);
        let (passed, reencoded) = by_route(dragonfly, REDIS_80);
        assert!(!passed.contains(&20) && passed.iter().all(|t| *t <= 21));
        assert_eq!(reencoded, [31, 32]);
        for (from, type_byte, newer, older) in [
            (Format::redis(15), 28, Format::redis(14), Format::redis(13)),
            (Format::redis(15), 33, Format::redis(15), Format::redis(14)),
            (Format::valkey(81), 23, Format::valkey(81), VALKEY_9),
            (keydb, 64, keydb, REDIS_62),
        ] {
            let by = |to| route(from, type_byte, &[], &Target::new(to));
            assert_eq!(by(newer), Route::PassThrough, "{from} {type_byte}");
            assert!(matches!(by(older), Route::Impossible(_)), "{from} {type_byte}");
        }
    }

    #[test]
    fn values_without_elements_are_not_passed_on() {
        let to = Target::new(VALKEY_9);
        for type_byte in 1..=5 {
            assert_eq!(route(VALKEY_9, type_byte, &[0], &to), Route::Impossible(EMPTY));
            assert_eq!(route(VALKEY_9, type_byte, &[1, 0, 0], &to), Route::PassThrough);
        }
        assert_eq!(route(VALKEY_9, 0, &[0], &to), Route::PassThrough);
    }

    #[test]
    fn module_data_needs_its_module() {
        // Type name "ReJSON-RL", encoding version 4.
        let body = module::tests::id(b"ReJSON-RL", 4);
        let plain = Target::new(REDIS_80);
        let from = REDIS_72;
        assert_eq!(route(from, 7, &body, &plain), Route::Impossible(MODULE_MISSING));
        let with = plain.with_modules(["search", "ReJSON"]);
        assert_eq!(route(from, 7, &body, &with), Route::PassThrough);
        assert_eq!(route(from, 7, &[], &with), Route::Impossible(MODULE_MISSING));
        assert_eq!(RouteTable::new(from, &with).route(7, &body), Route::PassThrough);
    }
}
