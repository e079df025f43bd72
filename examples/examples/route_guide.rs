//! All four kinds of methods on one service: a map that is asked, listed, walked and talked about.
#![expect(clippy::print_stdout, reason = "an example")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use trunkline::{Channel, RequestContext, Response, Server, Status, client, server};
use trunkline_examples::routeguide::{
    Feature, Point, Rectangle, RouteGuide, RouteGuideClient, RouteGuideServer, RouteNote,
    RouteSummary,
};
use trunkline_examples::{distance_metres, is_within, places};

/// The service: places that never change, and notes that its callers leave.
struct Island {
    places: Vec<Feature>,
    notes: Mutex<HashMap<Point, Vec<RouteNote>>>,
}

impl Island {
    fn new(places: Vec<Feature>) -> Self {
        Self {
            places,
            notes: Mutex::default(),
        }
    }

    fn place(&self, point: Point) -> Option<&Feature> {
        self.places
            .iter()
            .find(|place| place.location == Some(point))
    }

    /// Keeps a note; gives those that were there before.
    fn leave(&self, note: RouteNote) -> Vec<RouteNote> {
        let point = note.location.unwrap_or_default();
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let there = notes.entry(point).or_default();
        let before = there.clone();
        there.push(note);
        before
    }
}

impl RouteGuide for Island {
    async fn get_feature(
        &self,
        _: &RequestContext,
        point: Point,
    ) -> Result<Response<Feature>, Status> {
        let nameless = || Feature {
            name: String::new(),
            location: Some(point),
        };
        Ok(self.place(point).cloned().unwrap_or_else(nameless).into())
    }

    async fn list_features(
        &self,
        _: &RequestContext,
        area: Rectangle,
        mut features: server::Sender<Feature>,
    ) -> Result<(), Status> {
        for place in &self.places {
            if place.location.is_some_and(|point| is_within(&area, &point)) {
                features.send(place).await?;
            }
        }
        Ok(())
    }

    async fn record_route(
        &self,
        _: &RequestContext,
        mut points: server::Receiver<Point>,
    ) -> Result<Response<RouteSummary>, Status> {
        let started = Instant::now();
        let mut summary = RouteSummary::default();
        let mut metres = 0.0;
        let mut last = None;
        while let Some(point) = points.recv().await? {
            summary.point_count += 1;
            summary.feature_count += i32::from(self.place(point).is_some());
            metres += last.map_or(0.0, |last| distance_metres(&last, &point));
            last = Some(point);
        }
        summary.distance = metres.round() as i32;
        summary.elapsed_time = started.elapsed().as_secs() as i32;
        Ok(summary.into())
    }

    async fn route_chat(
        &self,
        _: &RequestContext,
        mut notes: server::Receiver<RouteNote>,
        mut answers: server::Sender<RouteNote>,
    ) -> Result<(), Status> {
        while let Some(note) = notes.recv().await? {
            for earlier in self.leave(note) {
                answers.send(&earlier).await?;
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let places = places()?;
    let server = Server::insecure()
        .add_service(RouteGuideServer::new(Island::new(places.clone())))
        .bind("127.0.0.1:0")
        .await?;
    let guide = RouteGuideClient::new(Channel::insecure(server.local_address().to_string())?);
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    get_feature(&guide, &places).await?;
    list_features(&guide).await?;
    record_route(&guide, &places).await?;
    route_chat(&guide, &places).await?;

    let report = handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await??;
    println!("\nServer stopped, {} calls cut short", report.cut_short());
    Ok(())
}

/// Unary: one question, one answer.
async fn get_feature(guide: &RouteGuideClient, places: &[Feature]) -> Result<(), Status> {
    println!("GetFeature (unary)");
    let known = places.first().and_then(|place| place.location);
    for point in [known.unwrap_or_default(), Point::default()] {
        let feature = guide.get_feature(point).await?;
        match feature.name.as_str() {
            "" => println!("  {}  nothing here", show(&point)),
            name => println!("  {}  {name}", show(&point)),
        }
    }
    Ok(())
}

/// Server streaming: a receiver to take answers from, until `None`.
async fn list_features(guide: &RouteGuideClient) -> Result<(), Status> {
    println!("\nListFeatures (server streaming): the middle of the island");
    let area = Rectangle {
        lo: Some(degrees(55.445, 4.060)),
        hi: Some(degrees(55.470, 4.120)),
    };
    let mut features = guide.list_features(area).await?;
    while let Some(feature) = features.recv().await? {
        let point = feature.location.unwrap_or_default();
        println!("  {}  {}", show(&point), feature.name);
    }
    Ok(())
}

/// Client streaming: `upload` takes anything iterable, or a `Stream`.
async fn record_route(guide: &RouteGuideClient, places: &[Feature]) -> Result<(), Status> {
    println!("\nRecordRoute (client streaming): every third place, then out to sea");
    let stops = places.iter().step_by(3).filter_map(|place| place.location);
    let route: Vec<Point> = stops.chain([degrees(55.5, 4.2)]).collect();
    let summary = guide.record_route().upload(route).await?;
    println!(
        "  {} points, {} of them places, {:.1} km",
        summary.point_count,
        summary.feature_count,
        f64::from(summary.distance) / 1000.0
    );
    Ok(())
}

/// Bidirectional: the halves are two values, so one task sends while another receives.
async fn route_chat(guide: &RouteGuideClient, places: &[Feature]) -> Result<(), Box<dyn Error>> {
    println!("\nRouteChat (bidirectional): a task that sends beside one that receives");
    let stops: Vec<Point> = places
        .iter()
        .filter_map(|place| place.location)
        .take(3)
        .collect();
    let (notes, mut answers) = guide.route_chat().await?;
    let sending = tokio::spawn(leave_notes(notes, stops));
    while let Some(note) = answers.recv().await? {
        let point = note.location.unwrap_or_default();
        println!("  {}  heard {:?}", show(&point), note.message);
    }
    let sent = sending.await??;
    println!("  {sent} notes sent; each was answered with those left there before it");
    Ok(())
}

/// Goes round three times, leaving a note at each stop.
async fn leave_notes(
    mut notes: client::Sender<RouteNote>,
    stops: Vec<Point>,
) -> Result<usize, Status> {
    let mut sent = 0;
    for round in ["first", "second", "third"] {
        for (stop, point) in stops.iter().enumerate() {
            let note = RouteNote {
                location: Some(*point),
                message: format!("{round} time at stop {}", stop + 1),
            };
            notes.send(&note).await?;
            sent += 1;
        }
    }
    // Without it the call would be cancelled: a half that is dropped never looks like an end.
    notes.finish();
    Ok(sent)
}

fn degrees(latitude: f64, longitude: f64) -> Point {
    Point {
        latitude: (latitude * 1e7).round() as i32,
        longitude: (longitude * 1e7).round() as i32,
    }
}

fn show(point: &Point) -> String {
    let degrees = |units: i32| f64::from(units) / 1e7;
    format!(
        "{:8.4} N {:7.4} E",
        degrees(point.latitude),
        degrees(point.longitude)
    )
}
