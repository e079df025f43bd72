//! `?` in a handler: what its client learns of errors that are not the handler's own words, and
//! what stays in the server's log.

use std::io;
use std::time::Duration;

use tracing::Level;
use trunkline::details::{BadRequest, RetryInfo};
use trunkline::server::{Interceptor, Next};
use trunkline::{Code, Metadata, OrStatus, Origin, RequestContext, Response, Status, Trailers};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::errors::closed_port;
use crate::handlers::{Scripted, note, scripted};
use crate::log::Log;
use crate::world::{World, soon};

const SECRET: &str = "password of the vault";

/// An application's error, with its one conversion.
#[derive(Debug)]
enum BookingError {
    Seat(&'static str),
    Busy(Duration),
}

impl From<BookingError> for Status {
    fn from(error: BookingError) -> Self {
        match error {
            BookingError::Seat(why) => Self::invalid_argument("the booking is not complete")
                .with_detail(BadRequest::new().violation("seat", why)),
            BookingError::Busy(delay) => {
                Self::unavailable("too many bookings").with_detail(RetryInfo::new(delay))
            }
        }
    }
}

fn book(what: &str) -> Result<(), BookingError> {
    match what {
        "taken" => Err(BookingError::Seat("is taken")),
        "busy" => Err(BookingError::Busy(Duration::from_millis(1500))),
        _ => Ok(()),
    }
}

fn read_vault() -> io::Result<()> {
    Err(io::Error::other(SECRET))
}

fn boxed() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Ok(read_vault()?)
}

/// What a handler does, all of it by `?`.
fn handle(what: &str) -> Result<(), Status> {
    book(what)?;
    match what {
        "io" => read_vault()?,
        "boxed" => boxed()?,
        "named" => read_vault().or_status(Code::Unavailable, "the vault is closed")?,
        "exposed" => read_vault().or_exposed(Code::FailedPrecondition)?,
        _ => {}
    }
    Ok(())
}

fn booking() -> Scripted {
    Scripted::default()
        .once(|_, request| {
            Box::pin(async move {
                handle(&request.text)?;
                Ok(Response::new(request))
            })
        })
        .expand(|_, request, mut responses| {
            Box::pin(async move {
                responses.send(&note("first")).await?;
                handle(&request.text)
            })
        })
        .collect(|cx, _| {
            cx.spawn(async { Ok(read_vault()?) });
            Box::pin(std::future::pending())
        })
}

#[tokio::test(start_paused = true)]
async fn an_applications_own_error_arrives_with_its_details() {
    let world = World::memory(scripted(booking()));
    let echo = world.echo();
    let taken = echo.once(note("taken")).await.unwrap_err();
    assert_eq!(taken.code(), Code::InvalidArgument);
    let request: BadRequest = taken.detail().expect("the handler has packed it");
    assert_eq!(request.field_violations[0].field, "seat");
    assert_eq!(request.field_violations[0].description, "is taken");

    let busy = echo.once(note("busy")).await.unwrap_err();
    let retry: RetryInfo = busy.detail().expect("the handler has packed it");
    assert_eq!(retry.delay(), Some(Duration::from_millis(1500)));
    assert_eq!(busy.detail::<BadRequest>(), None);

    // The same at the end of a stream.
    let mut notes = echo.expand(note("taken")).await.unwrap();
    assert_eq!(notes.recv().await.unwrap(), Some(note("first")));
    let taken = notes.recv().await.unwrap_err();
    assert!(taken.detail::<BadRequest>().is_some(), "{taken:?}");
    drop((notes, echo));
    world.end().await;
}

/// The error of somebody else: its text is in the log, once, and nowhere on the wire.
#[tokio::test]
async fn an_error_of_others_tells_the_client_nothing_and_the_log_everything() {
    let (log, _listening) = Log::listen(Level::INFO);
    let world = World::tcp(scripted(booking())).await;
    let echo = world.echo();
    let mut failures = Vec::new();
    for (what, code, text) in [
        ("io", Code::Internal, "internal error"),
        ("boxed", Code::Internal, "internal error"),
        ("named", Code::Unavailable, "the vault is closed"),
    ] {
        let failed = soon(echo.once(note(what))).await.unwrap_err();
        assert_eq!((failed.code(), failed.message()), (code, text));
        failures.push(failed);
        assert_eq!(log.count(SECRET), failures.len(), "once for each");
    }
    // The error of a child is that of its RPC.
    let child = soon(echo.collect().upload([])).await.unwrap_err();
    assert_eq!(child.message(), "internal error");
    failures.push(child);
    log.line(&["WARN", "trunkline_server", "Echo/Once", SECRET]);
    log.line(&["WARN", "trunkline_server", "Echo/Collect", SECRET]);
    assert_eq!(log.count(SECRET), 4);
    for failed in failures {
        assert_eq!(failed.origin(), Origin::Peer);
        assert!(!format!("{failed:?} {failed}").contains(SECRET));
        assert!(failed.metadata().is_empty() && failed.details().is_empty());
    }
    // Unless its author says so.
    let told = soon(echo.once(note("exposed"))).await.unwrap_err();
    assert_eq!(
        (told.code(), told.message()),
        (Code::FailedPrecondition, SECRET)
    );
    drop(echo);
    world.end().await;
}

/// Fails as asked for: the number is the code.
fn backend() -> Scripted {
    Scripted::default().once(|_, request| {
        Box::pin(async move {
            let code = Code::from_number(u32::try_from(request.number).unwrap());
            let mut status = Status::new(code, "said behind").with_detail(RetryInfo::default());
            status.metadata_mut().insert("behind", "host 7")?;
            Err(status)
        })
    })
}

/// Calls another server; forwards its failure on purpose if the text says so.
fn frontend(behind: EchoClient) -> Scripted {
    Scripted::default().once(move |_, request| {
        let behind = behind.clone();
        Box::pin(async move {
            let on_purpose = request.text == "on purpose";
            let answer = behind.once(request).await;
            let answer = if on_purpose {
                answer.map_err(Status::forward)
            } else {
                answer
            };
            Ok(Response::new(answer?.into_message()))
        })
    })
}

async fn asked(echo: &EchoClient, code: Code, text: &str) -> Status {
    let request = Note {
        number: u64::from(code.number()),
        text: text.to_owned(),
        ..Note::default()
    };
    soon(echo.once(request)).await.unwrap_err()
}

/// A `?` on the call that a handler makes: the code goes on, under the name of that call.
#[tokio::test(start_paused = true)]
async fn the_failure_of_a_handlers_own_call_is_not_taken_for_the_handlers() {
    let behind = World::memory(scripted(backend()));
    let world = World::memory(scripted(frontend(behind.echo())));
    let echo = world.echo();
    for code in (1..=16).map(Code::from_number) {
        let passed = asked(&echo, code, "").await;
        let (expected, text) = match code {
            Code::Unauthenticated | Code::Unimplemented => (Code::Internal, ""),
            code => (code, ": said behind"),
        };
        assert_eq!(passed.code(), expected);
        let text = format!("a call to /tests.echo.Echo/Once failed{text}");
        assert_eq!(passed.message(), text);
        assert!(passed.details().is_empty(), "{passed:?}");
        assert!(passed.metadata().is_empty(), "{passed:?}");

        let forwarded = asked(&echo, code, "on purpose").await;
        assert_eq!(
            (forwarded.code(), forwarded.message()),
            (code, "said behind")
        );
        assert!(forwarded.detail::<RetryInfo>().is_some());
        assert_eq!(forwarded.metadata().get("behind"), Some("host 7"));
    }
    drop(echo);
    world.end().await;
    behind.end().await;
}

#[tokio::test]
async fn an_address_behind_a_server_stays_behind_it() {
    let (log, _listening) = Log::listen(Level::INFO);
    let address = closed_port().await.to_string();
    let behind = EchoClient::new(trunkline::Channel::insecure(&address).unwrap());
    let world = World::tcp(scripted(frontend(behind))).await;
    let echo = world.echo();
    let failed = asked(&echo, Code::Aborted, "").await;
    assert_eq!(failed.code(), Code::Unavailable);
    assert_eq!(failed.message(), "a call to /tests.echo.Echo/Once failed");
    log.line(&["WARN", "trunkline_server", "refused", &address]);
    drop(echo);
    world.end().await;
}

/// What does not fit is counted where it was made.
#[tokio::test]
async fn a_status_that_is_cut_is_told_to_the_log_once() {
    let (log, _listening) = Log::listen(Level::INFO);
    let huge = Scripted::default().once(|_, _| {
        Box::pin(async {
            Err(Status::internal("x".repeat(1 << 20)).with_details(vec![1; 100 << 10]))
        })
    });
    let world = World::tcp(scripted(huge)).await;
    let echo = world.echo();
    let failed = soon(echo.once(note("x"))).await.unwrap_err();
    assert_eq!(failed.code(), Code::Internal);
    log.line(&["message_bytes=1048576", "details_bytes=102400", "Echo/Once"]);
    assert_eq!(log.count("too large to be sent whole"), 1);
    drop(echo);
    world.end().await;
}

/// Adds a header before, and a trailer after, whatever the outcome is.
struct Marks;

impl Interceptor for Marks {
    async fn intercept(&self, cx: RequestContext, mut next: Next<'_>) -> Result<Trailers, Status> {
        next.headers_mut().insert("checked", "yes")?;
        let mut outcome = next.run(cx).await;
        let metadata: &mut Metadata = match &mut outcome {
            Ok(trailers) => trailers,
            Err(status) => status.metadata_mut(),
        };
        metadata.insert("audited", "yes")?;
        outcome
    }
}

/// A failure of a call that a handler made, with metadata that is meant for this server.
fn of_a_call() -> Status {
    let mut status = Status::not_found("no such seat").with_origin(Origin::Peer);
    let metadata = status.metadata_mut();
    metadata.insert("inner", "secret").expect("a valid entry");
    status.with_method("/booking.Booking/Find")
}

#[tokio::test(start_paused = true)]
async fn what_the_handler_and_interceptors_add_leaves_with_the_failure_of_an_inner_call() {
    let handlers = || {
        Scripted::default()
            .once(|_, _| Box::pin(async { Err(of_a_call()) }))
            .expand(|_, _, mut responses| {
                Box::pin(async move {
                    responses.insert_trailer("seats", "0")?;
                    Err(of_a_call())
                })
            })
            .chat(|cx, _, mut responses| {
                cx.spawn(async move {
                    responses.insert_trailer("seats", "0")?;
                    Err(of_a_call())
                });
                Box::pin(std::future::pending())
            })
    };
    for intercepted in [false, true] {
        let service = scripted(handlers());
        let world = World::memory(if intercepted {
            service.intercept(Marks)
        } else {
            service
        });
        let echo = world.echo();
        let once = echo.once(note("x")).await.unwrap_err();
        let expand = match echo.expand(note("x")).await {
            Ok(mut notes) => notes.recv().await.unwrap_err(),
            Err(status) => status,
        };
        let (sender, mut notes) = echo.chat().await.unwrap();
        let chat = notes.recv().await.unwrap_err();
        drop((sender, notes, echo));
        for (kind, status, seats) in [
            ("once", once, None),
            ("expand", expand, Some("0")),
            ("chat", chat, Some("0")),
        ] {
            assert_eq!(status.code(), Code::NotFound, "{kind}");
            let text = "a call to /booking.Booking/Find failed: no such seat";
            assert_eq!(status.message(), text, "{kind}");
            let of = |key| status.metadata().get(key);
            assert_eq!(of("inner"), None, "{kind} {intercepted}");
            assert_eq!(of("seats"), seats, "{kind} {intercepted}");
            let mark = intercepted.then_some("yes");
            let marks = (of("checked"), of("audited"));
            assert_eq!(marks, (mark, mark), "{kind} {intercepted}");
        }
        world.end().await;
    }
}
