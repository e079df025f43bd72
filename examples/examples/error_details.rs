//! Details: what programs read of an error, as messages of `google.rpc` and of one's own.
#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use trunkline::details::{BadRequest, ErrorInfo, RetryInfo};
use trunkline::{Channel, RequestContext, Response, Server, Status};
use trunkline_examples::booking::{
    Booking, BookingClient, BookingServer, FreeSeats, Reservation, ReserveRequest,
};

struct BoxOffice;

impl Booking for BoxOffice {
    async fn reserve(
        &self,
        _: &RequestContext,
        request: ReserveRequest,
    ) -> Result<Response<Reservation>, Status> {
        if request.guest.is_empty() {
            let fields = BadRequest::new()
                .violation("guest", "is empty")
                .violation("seat", "is not for nobody");
            return Err(Status::invalid_argument("not a booking").with_detail(fields));
        }
        match request.seat.as_str() {
            "13f" => {
                let free = FreeSeats {
                    seats: vec!["12a".to_owned(), "14c".to_owned()],
                };
                Err(Status::failed_precondition("sold")
                    .with_detail(ErrorInfo::new("SOLD", "booking.example.com").entry("seat", "13f"))
                    .with_detail(free))
            }
            "1a" => Err(Status::unavailable("the queue is long")
                .with_detail(RetryInfo::new(Duration::from_millis(20)))),
            _ => Ok(Reservation { number: 7 }.into()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::insecure()
        .add_service(BookingServer::new(BoxOffice))
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

    // By type: the first detail that is one.
    let wrong = booking
        .reserve(request("", "1a"))
        .await
        .expect_err("refused");
    for each in wrong
        .detail::<BadRequest>()
        .unwrap_or_default()
        .field_violations
    {
        println!(
            "{}: field {} {}",
            wrong.code(),
            each.field,
            each.description
        );
    }

    // All of them, in order, known or not.
    let sold = booking
        .reserve(request("ann", "13f"))
        .await
        .expect_err("refused");
    for detail in sold.unpack_details()? {
        println!(
            "{}: {}, {} bytes",
            sold.code(),
            detail.name(),
            detail.value().len()
        );
        if let Ok(free) = detail.decode::<FreeSeats>() {
            println!("  free are {:?}", free.seats);
        } else if let Ok(info) = detail.decode::<ErrorInfo>() {
            println!("  {} of {}: {:?}", info.reason, info.domain, info.metadata);
        }
    }

    // Something to act on.
    let busy = booking
        .reserve(request("ann", "1a"))
        .await
        .expect_err("refused");
    if let Some(delay) = busy.detail::<RetryInfo>().and_then(|info| info.delay()) {
        println!("{}: once more in {delay:?}", busy.code());
        tokio::time::sleep(delay).await;
    }
    let reservation = booking.reserve(request("ann", "2b")).await?;
    println!("reserved: number {}", reservation.number);

    handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await??;
    Ok(())
}
