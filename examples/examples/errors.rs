//! Errors: `?` in a handler, what of them reaches the client, and what a client can tell apart.
#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::fs;
use std::time::Duration;

use tokio::net::TcpListener;
use trunkline::{Channel, Code, OrStatus, Origin, RequestContext, Response, Server, Status};
use trunkline_examples::booking::{
    Booking, BookingClient, BookingServer, Reservation, ReserveRequest,
};
use trunkline_examples::helloworld::{GreeterClient, HelloRequest};

/// The application's own error, with texts that are meant for clients.
#[derive(Debug)]
enum BookingError {
    NoGuest,
    Sold(String),
}

/// The one conversion that `?` needs.
impl From<BookingError> for Status {
    fn from(error: BookingError) -> Self {
        match error {
            BookingError::NoGuest => Self::invalid_argument("who is coming?"),
            BookingError::Sold(seat) => Self::failed_precondition(format!("seat {seat} is sold")),
        }
    }
}

fn check(request: &ReserveRequest) -> Result<(), BookingError> {
    match request.seat.as_str() {
        _ if request.guest.is_empty() => Err(BookingError::NoGuest),
        "13f" => Err(BookingError::Sold(request.seat.clone())),
        _ => Ok(()),
    }
}

struct BoxOffice {
    /// Greets the guest; nobody listens there.
    usher: GreeterClient,
}

impl Booking for BoxOffice {
    async fn reserve(
        &self,
        _: &RequestContext,
        request: ReserveRequest,
    ) -> Result<Response<Reservation>, Status> {
        check(&request)?;
        match request.seat.as_str() {
            // An error of the standard library: INTERNAL, and its text stays here.
            "archive" => drop(fs::read("/no/such/archive/of/seats")?),
            // The same with a code and a text for the client.
            "shelf" => drop(fs::read("/no/such/shelf").or_status(Code::NotFound, "it was lent")?),
            "closed" => return Err(Status::unavailable("the box office is closed")),
            // The failure of a call that this handler makes: the code goes on, named after the call.
            "box" => {
                let name = request.guest;
                self.usher.say_hello(HelloRequest { name }).await?;
            }
            _ => {}
        }
        Ok(Reservation { number: 7 }.into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A port where nobody listens any more.
    let nowhere = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let usher = GreeterClient::new(Channel::insecure(nowhere.to_string())?);
    let server = Server::insecure()
        .add_service(BookingServer::new(BoxOffice { usher }))
        .bind("127.0.0.1:0")
        .await?;
    let channel = Channel::insecure(server.local_address().to_string())?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    let booking = BookingClient::new(channel);
    let request = |guest: &str, seat: &str| ReserveRequest {
        guest: guest.to_owned(),
        seat: seat.to_owned(),
    };
    for (guest, seat) in [
        ("", "1a"),
        ("ann", "13f"),
        ("ann", "archive"),
        ("ann", "shelf"),
        ("ann", "box"),
    ] {
        let status = booking
            .reserve(request(guest, seat))
            .await
            .expect_err("refused");
        println!("{seat:<8}{status}");
    }

    // UNAVAILABLE is not always the same: who said it, and was the call sent at all?
    let closed = booking
        .reserve(request("ann", "closed"))
        .await
        .expect_err("refused");
    let absent = BookingClient::new(Channel::insecure(nowhere.to_string())?);
    let refused = absent
        .reserve(request("ann", "1a"))
        .await
        .expect_err("refused");
    for status in [closed, refused] {
        let what = match (status.origin(), status.is_unprocessed()) {
            (Origin::Peer, _) => "the server says so",
            (_, true) => "the server has never seen the call",
            (_, false) => "nobody knows how far it came",
        };
        println!("{}: {what}", status.code());
    }

    handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await??;
    Ok(())
}
