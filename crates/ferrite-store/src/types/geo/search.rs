//! Searching around a place: which ranges of scores to look at, and which of their members are in.

use std::f64::consts::PI;

use super::hash::{Cell, MAX_LATITUDE, STEPS, Sides, cell};
use super::{EARTH_RADIUS, Point, decode, distance, latitude_distance};

/// Metres from the middle of the Mercator projection to its edge.
const MERCATOR_EDGE: f64 = 20_037_726.37;

/// What is searched, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// All within a radius.
    Circle {
        /// The radius.
        radius: f64,
    },
    /// A rectangle whose sides are parallels and meridians.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

/// What is searched, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Its centre.
    pub center: Point,
    /// What is around it.
    pub shape: Shape,
}

fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

impl Area {
    /// The place of a score and its distance from the centre, if it is within.
    #[must_use]
    pub fn within(&self, score: f64) -> Option<(Point, f64)> {
        let point = decode(score);
        if let Shape::Box { width, height } = self.shape {
            let same_parallel = Point { latitude: point.latitude, ..self.center };
            let is_beyond = latitude_distance(point.latitude, self.center.latitude) > height / 2.0
                || distance(point, same_parallel) > width / 2.0;
            if is_beyond {
                return None;
            }
        }
        let distance = distance(self.center, point);
        let is_within = match self.shape {
            Shape::Circle { radius } => distance <= radius,
            Shape::Box { .. } => true,
        };
        is_within.then_some((point, distance))
    }

    /// The ranges of scores to look at, in the order Redis looks at them: from the first to below
    /// the second.
    #[must_use]
    pub fn ranges(&self) -> Vec<(f64, f64)> {
        let bounds = self.bounds();
        let mut middle = cell(self.center, self.steps(), MAX_LATITUDE);
        if middle.steps > 1 && !reaches(middle, &bounds) {
            middle = cell(self.center, middle.steps - 1, MAX_LATITUDE);
        }
        let sides = middle.sides();
        let excludes = |east: i32, north: i32| {
            middle.steps >= 2
                && ((north < 0 && sides.south < bounds.south)
                    || (north > 0 && sides.north > bounds.north)
                    || (east < 0 && sides.west < bounds.west)
                    || (east > 0 && sides.east > bounds.east))
        };
        const AROUND: [(i32, i32); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut cells: Vec<Cell> = Vec::with_capacity(AROUND.len());
        for (east, north) in AROUND.into_iter().filter(|&(east, north)| !excludes(east, north)) {
            let cell = middle.neighbour(east, north);
            // In a grid of few cells a neighbour may be one that was looked at.
            if cells.len() < 2 || cells.last() != Some(&cell) {
                cells.push(cell);
            }
        }
        cells.into_iter().map(Cell::scores).collect()
    }

    /// The sides of a rectangle around the area, in degrees.
    fn bounds(&self) -> Sides {
        let (width, height) = match self.shape {
            Shape::Circle { radius } => (radius, radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let Point { longitude, latitude } = self.center;
        let up = degrees(height / EARTH_RADIUS);
        // The parallel nearer to the pole is the shorter one.
        let parallel = if latitude < 0.0 { latitude - up } else { latitude + up };
        let across = degrees(width / EARTH_RADIUS / parallel.to_radians().cos());
        Sides {
            west: longitude - across,
            east: longitude + across,
            south: latitude - up,
            north: latitude + up,
        }
    }

    /// Into how fine a grid to look, so that nine cells hold the area.
    fn steps(&self) -> u32 {
        let mut range = match self.shape {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => (width / 2.0).hypot(height / 2.0),
        };
        if range == 0.0 {
            return STEPS;
        }
        let mut steps: i32 = 1;
        while range < MERCATOR_EDGE {
            range *= 2.0;
            steps += 1;
        }
        steps -= 2;
        // Towards the poles cells are narrower.
        let latitude = self.center.latitude.abs();
        steps -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        steps.clamp(1, STEPS.cast_signed()).unsigned_abs()
    }
}

/// Whether a cell and those around it reach the bounds.
fn reaches(middle: Cell, bounds: &Sides) -> bool {
    middle.neighbour(0, 1).sides().north >= bounds.north
        && middle.neighbour(0, -1).sides().south <= bounds.south
        && middle.neighbour(1, 0).sides().east >= bounds.east
        && middle.neighbour(-1, 0).sides().west <= bounds.west
}
