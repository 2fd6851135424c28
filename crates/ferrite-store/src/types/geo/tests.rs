//! Values of a real server, and searches against looking at every place.

use proptest::prelude::*;

use super::*;

fn point(longitude: f64, latitude: f64) -> Point {
    Point::new(longitude, latitude).unwrap()
}

#[test]
fn places_are_the_numbers_redis_computes() {
    // GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania on Redis 7.0.15, then
    // ZSCORE, GEOHASH, GEODIST.
    let (palermo, catania) = (point(13.361389, 38.115556), point(15.087269, 37.502669));
    assert_eq!(encode(palermo), 3_479_099_956_230_698.0);
    assert_eq!(encode(catania), 3_479_447_370_796_909.0);
    assert_eq!(text(encode(palermo)), "sqc8b49rny0");
    assert_eq!(text(encode(catania)), "sqdtr74hyu0");
    let far = distance(decode(encode(palermo)), decode(encode(catania)));
    assert!((far - 166_274.151_6).abs() < 0.0001, "{far}");
    assert!(Point::new(180.1, 0.0).is_none());
    assert!(Point::new(0.0, 85.06).is_none());
    assert!(Point::new(f64::NAN, 0.0).is_none());
}

proptest! {
    #[test]
    fn a_search_finds_what_is_within(
        center in (-179.0_f64..179.0, -80.0_f64..80.0),
        places in prop::collection::vec((-180.0_f64..180.0, -85.0_f64..85.0), 200),
        near in prop::collection::vec((-1.0_f64..1.0, -1.0_f64..1.0), 200),
        size in 10.0_f64..2_000_000.0,
        is_circle: bool,
    ) {
        let center = point(center.0, center.1);
        let shape = match is_circle {
            true => Shape::Circle { radius: size },
            false => Shape::Box { width: size, height: size / 3.0 },
        };
        let area = Area { center, shape };
        let ranges = area.ranges();
        let near = near.into_iter().map(|(east, north)| (center.longitude + east, center.latitude + north));
        for (longitude, latitude) in places.into_iter().chain(near) {
            let score = encode(point(longitude.clamp(-180.0, 180.0), latitude));
            // Across the 180th meridian a search does not look; nor does that of Redis.
            let is_same_side = (decode(score).longitude - center.longitude).abs() < 150.0;
            if area.within(score).is_some() && is_same_side && latitude.abs() < 80.0 {
                let times = ranges.iter().filter(|(first, end)| (*first..*end).contains(&score)).count();
                prop_assert_eq!(times, 1);
            }
        }
    }
}
