//! The places of `data/features.json`, and geometry on them.

use serde_json::Value;
use trunkline::Status;

use crate::routeguide::{Feature, Point, Rectangle};

const FEATURES: &str = include_str!("../data/features.json");

/// Points are degrees times this.
const UNITS_PER_DEGREE: f64 = 1e7;

/// The radius of a sphere as large as the Earth.
const EARTH_RADIUS_METRES: f64 = 6_371_000.0;

/// All places, in the order of the file.
///
/// # Errors
/// DATA_LOSS says what is wrong with the file.
pub fn places() -> Result<Vec<Feature>, Status> {
    let broken = |what: &str| Status::data_loss(format!("data/features.json: {what}"));
    let file: Value = serde_json::from_str(FEATURES).map_err(|error| broken(&error.to_string()))?;
    let entries = file.as_array().ok_or_else(|| broken("is no list"))?;
    entries
        .iter()
        .enumerate()
        .map(|(index, entry)| place(entry).ok_or_else(|| broken(&format!("entry {index}"))))
        .collect()
}

fn place(entry: &Value) -> Option<Feature> {
    let degrees = |key| i32::try_from(entry.get(key)?.as_i64()?).ok();
    Some(Feature {
        name: entry.get("name")?.as_str()?.to_owned(),
        location: Some(Point {
            latitude: degrees("latitude")?,
            longitude: degrees("longitude")?,
        }),
    })
}

/// Whether a point lies in an area, its border included.
#[must_use]
pub fn is_within(area: &Rectangle, point: &Point) -> bool {
    let (lo, hi) = (area.lo.unwrap_or_default(), area.hi.unwrap_or_default());
    let between = |a: i32, b: i32, x: i32| (a.min(b)..=a.max(b)).contains(&x);
    between(lo.latitude, hi.latitude, point.latitude)
        && between(lo.longitude, hi.longitude, point.longitude)
}

/// The way from one point to another as the crow flies (haversine formula), in metres.
#[must_use]
pub fn distance_metres(from: &Point, to: &Point) -> f64 {
    let radians = |degrees: i32| (f64::from(degrees) / UNITS_PER_DEGREE).to_radians();
    let (from_lat, to_lat) = (radians(from.latitude), radians(to.latitude));
    let half_lat = (to_lat - from_lat) / 2.0;
    let half_lon = (radians(to.longitude) - radians(from.longitude)) / 2.0;
    let a = half_lat.sin().powi(2) + from_lat.cos() * to_lat.cos() * half_lon.sin().powi(2);
    2.0 * EARTH_RADIUS_METRES * a.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: i32, longitude: i32) -> Point {
        Point {
            latitude,
            longitude,
        }
    }

    #[test]
    fn the_file_is_well_formed_and_no_two_places_share_a_point() {
        let places = places().unwrap();
        assert!(places.len() >= 30);
        let points: std::collections::HashSet<_> = places.iter().map(|p| p.location).collect();
        assert_eq!(points.len(), places.len());
        assert!(places.iter().all(|place| !place.name.is_empty()));
    }

    #[test]
    fn a_degree_of_latitude_is_111_kilometres() {
        let metres = distance_metres(&at(550_000_000, 0), &at(560_000_000, 0));
        assert!((111_000.0..111_400.0).contains(&metres), "{metres}");
        assert!(distance_metres(&at(5, 5), &at(5, 5)) < 0.001);
    }

    #[test]
    fn the_corners_of_an_area_may_come_in_any_order() {
        let area = Rectangle {
            lo: Some(at(10, -10)),
            hi: Some(at(-10, 10)),
        };
        assert!(is_within(&area, &at(10, 10)) && is_within(&area, &at(0, 0)));
        assert!(!is_within(&area, &at(11, 0)));
    }
}
