//! The options of searches.

use ferrite_store::types::SortedSet;
use ferrite_store::types::geo::{self, Area, Point, Shape};

use super::{point, unit};
use crate::error::CommandError;
use crate::number;

const NOT_THERE: CommandError = CommandError::text("ERR could not decode requested zset member");

/// Which command searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// GEORADIUS and its kin; whether results may be stored.
    Radius { may_store: bool },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

/// How the centre is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Member,
    Place,
}

/// In which order results come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Nearest,
    Farthest,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Request<'w> {
    pub(super) center: Option<Point>,
    pub(super) shape: Option<Shape>,
    pub(super) unit: f64,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    pub(super) with_place: bool,
    pub(super) any: bool,
    /// 0 for all.
    pub(super) count: usize,
    pub(super) order: Option<Order>,
    pub(super) store: Option<&'w [u8]>,
    pub(super) stores_distance: bool,
    /// How the centre was named; it may not be known: without a key there is no member.
    from: Option<From>,
}

/// The place of a member; nothing where there is no key.
pub(super) fn place_of(
    set: Option<&SortedSet>,
    member: &[u8],
) -> Result<Option<Point>, CommandError> {
    let Some(set) = set else { return Ok(None) };
    set.score(member).map(|score| Some(geo::decode(score))).ok_or(NOT_THERE)
}

/// A radius and its unit.
pub(super) fn radius(radius: &[u8], unit_word: &[u8]) -> Result<(Shape, f64), CommandError> {
    let wrong = CommandError::text("ERR need numeric radius");
    let radius = number::parse_float(radius).ok_or(wrong)?;
    if radius < 0.0 {
        return Err(CommandError::text("ERR radius cannot be negative"));
    }
    let unit = unit(unit_word)?;
    Ok((Shape::Circle { radius: radius * unit }, unit))
}

fn rectangle(width: &[u8], height: &[u8], unit_word: &[u8]) -> Result<(Shape, f64), CommandError> {
    let read = |word, text| number::parse_float(word).ok_or(CommandError::text(text));
    let width = read(width, "ERR need numeric width")?;
    let height = read(height, "ERR need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::text("ERR height or width cannot be negative"));
    }
    let unit = unit(unit_word)?;
    Ok((Shape::Box { width: width * unit, height: height * unit }, unit))
}

impl<'w> Request<'w> {
    /// A request without options.
    pub(super) fn new(center: Option<Point>, around: Option<(Shape, f64)>) -> Self {
        Self {
            center,
            shape: around.map(|(shape, _)| shape),
            unit: around.map_or(1.0, |(_, unit)| unit),
            with_distance: false,
            with_hash: false,
            with_place: false,
            any: false,
            count: 0,
            order: None,
            store: None,
            stores_distance: false,
            from: None,
        }
    }

    /// Reads the options.
    pub(super) fn read(
        &mut self,
        words: &'w [&'w [u8]],
        kind: Kind,
        set: Option<&SortedSet>,
    ) -> Result<(), CommandError> {
        let mut rest = words;
        while let Some((word, behind)) = rest.split_first() {
            let word = word.to_ascii_lowercase();
            rest = match self.read_flag(&word) {
                true => behind,
                false if matches!(kind, Kind::Radius { .. }) => {
                    self.read_of_radius(&word, behind, kind)?
                }
                false => self.read_of_search(&word, behind, kind, set)?,
            };
        }
        Ok(())
    }

    fn read_flag(&mut self, word: &[u8]) -> bool {
        match word {
            b"withdist" => self.with_distance = true,
            b"withhash" => self.with_hash = true,
            b"withcoord" => self.with_place = true,
            b"any" => self.any = true,
            b"asc" => self.order = Some(Order::Nearest),
            b"desc" => self.order = Some(Order::Farthest),
            _ => return false,
        }
        true
    }

    fn read_count(&mut self, word: &[u8]) -> Result<(), CommandError> {
        let count = usize::try_from(number::int(word)?).ok().filter(|count| *count > 0);
        self.count = count.ok_or(CommandError::text("ERR COUNT must be > 0"))?;
        Ok(())
    }

    fn read_of_radius(
        &mut self,
        word: &[u8],
        behind: &'w [&'w [u8]],
        kind: Kind,
    ) -> Result<&'w [&'w [u8]], CommandError> {
        let may_store = kind == Kind::Radius { may_store: true };
        match (word, behind) {
            (b"count", [count, behind @ ..]) => {
                self.read_count(count)?;
                Ok(behind)
            }
            (b"store" | b"storedist", [key, behind @ ..]) if may_store => {
                self.store = Some(key);
                self.stores_distance = word == b"storedist";
                Ok(behind)
            }
            _ => Err(CommandError::SYNTAX),
        }
    }

    fn read_of_search(
        &mut self,
        word: &[u8],
        behind: &'w [&'w [u8]],
        kind: Kind,
        set: Option<&SortedSet>,
    ) -> Result<&'w [&'w [u8]], CommandError> {
        let shape_is = |wanted: fn(&Shape) -> bool| self.shape.as_ref().is_none_or(wanted);
        match (word, behind) {
            (b"count", [count, behind @ ..]) => {
                self.read_count(count)?;
                Ok(behind)
            }
            (b"frommember", [member, behind @ ..]) if self.from != Some(From::Place) => {
                self.from = Some(From::Member);
                self.center = place_of(set, member)?;
                Ok(behind)
            }
            (b"fromlonlat", [longitude, latitude, behind @ ..])
                if self.from != Some(From::Member) =>
            {
                self.center = Some(point(longitude, latitude)?);
                self.from = Some(From::Place);
                Ok(behind)
            }
            (b"byradius", [size, unit, behind @ ..])
                if shape_is(|shape| matches!(shape, Shape::Circle { .. })) =>
            {
                let (shape, unit) = radius(size, unit)?;
                (self.shape, self.unit) = (Some(shape), unit);
                Ok(behind)
            }
            (b"bybox", [width, height, unit, behind @ ..])
                if shape_is(|shape| matches!(shape, Shape::Box { .. })) =>
            {
                let (shape, unit) = rectangle(width, height, unit)?;
                (self.shape, self.unit) = (Some(shape), unit);
                Ok(behind)
            }
            (b"storedist", behind) if kind == Kind::SearchStore => {
                self.stores_distance = true;
                Ok(behind)
            }
            _ => Err(CommandError::SYNTAX),
        }
    }

    /// Looks whether the options fit together; `name` is the command as it was called.
    pub(super) fn check(&self, kind: Kind, name: &[u8]) -> Result<(), CommandError> {
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_place) {
            let who = match kind {
                Kind::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            return Err(CommandError::new(format!(
                "ERR {who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        let exactly = |what: &str| {
            let name = String::from_utf8_lossy(name);
            CommandError::new(format!("ERR exactly one of {what} can be specified for {name}"))
        };
        let searches = !matches!(kind, Kind::Radius { .. });
        if searches && self.from.is_none() {
            return Err(exactly("FROMMEMBER or FROMLONLAT"));
        }
        if searches && self.shape.is_none() {
            return Err(exactly("BYRADIUS and BYBOX"));
        }
        if self.any && self.count == 0 {
            return Err(CommandError::text("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// The area that is searched; nothing where no key is there that could tell its centre.
    pub(super) fn area(&self) -> Option<Area> {
        Some(Area { center: self.center?, shape: self.shape? })
    }
}
