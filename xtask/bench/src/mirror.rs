//! The server of measured clients: frames of our own, every shape of call, and no library.
//!
//! It does not read paths: the command line says what shape all calls have.

use crate::grpc::Failure;
use crate::serve::run_server;
use crate::shape::{Plan, Shape};
use crate::wire::{Body, End, Event, Output, Responses, Wire};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// A stream gives room back when this much has come.
const CREDIT_BYTES: u32 = 1 << 20;

/// Serves until the starter goes away.
///
/// Errors: it cannot listen.
pub fn run_mirror() -> Result<(), Failure> {
    run_server(|listener, arguments| async move {
        let plan = Plan::new(arguments.shape, arguments.payload, arguments.messages);
        serve(listener, Arc::new(plan)).await
    })
}

/// Serves whoever comes.
pub(crate) async fn serve(listener: TcpListener, plan: Arc<Plan>) -> Result<(), Failure> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let connection = Connection {
            plan: plan.clone(),
            calls: HashMap::new(),
            responses: Responses::default(),
            is_blocked: false,
        };
        // A client that goes away ends its connection: the clients judge, here nothing is reported.
        tokio::spawn(connection.run(socket));
    }
}

struct Connection {
    plan: Arc<Plan>,
    calls: HashMap<u32, Call>,
    responses: Responses,
    is_blocked: bool,
}

struct Call {
    received: u64,
    uncredited: u32,
    body: Body,
}

impl Connection {
    async fn run(mut self, socket: TcpStream) -> Result<(), Failure> {
        let mut wire = Wire::server(socket);
        while wire.turn().await? {
            while let Some(event) = wire.input.next(&mut wire.output)? {
                self.event(&event, &mut wire.output);
            }
            if self.is_blocked {
                self.is_blocked = false;
                let streams: Vec<u32> = self.calls.keys().copied().collect();
                for stream in streams {
                    self.go_on(stream, &mut wire.output);
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, output: &mut Output) {
        match *event {
            Event::Headers { stream, .. } => self.begin(stream, output),
            Event::Data { stream, bytes, end } => self.data(stream, bytes.len(), end, output),
            Event::Settings { window_delta } => {
                for call in self.calls.values_mut() {
                    call.body.window += window_delta;
                }
            }
            Event::Window { stream, by } => {
                if let Some(call) = self.calls.get_mut(&stream) {
                    call.body.window += i64::from(by);
                }
            }
            Event::Reset { stream, .. } => {
                self.calls.remove(&stream);
            }
        }
    }

    fn begin(&mut self, stream: u32, output: &mut Output) {
        let end = match self.plan.shape {
            Shape::PingPong => End::Open,
            _ => End::Trailers,
        };
        let window = output.stream_window();
        let body = Body::new(stream, window, self.plan.answer.clone(), 0, end);
        let call = Call {
            received: 0,
            uncredited: 0,
            body,
        };
        self.calls.insert(stream, call);
        if self.plan.shape == Shape::PingPong {
            // Some clients wait for them before they send.
            output.headers(stream, false, |out| self.responses.head(out));
        }
    }

    fn data(&mut self, stream: u32, bytes: usize, is_end: bool, output: &mut Output) {
        let Some(call) = self.calls.get_mut(&stream) else {
            return;
        };
        let before = call.received / self.plan.request_unit;
        call.received += bytes as u64;
        call.uncredited += bytes as u32;
        if call.uncredited >= CREDIT_BYTES && !is_end {
            output.credit(stream, std::mem::take(&mut call.uncredited));
        }
        if self.plan.shape == Shape::PingPong {
            let messages = call.received / self.plan.request_unit - before;
            call.body.extend(messages * self.plan.answer_unit);
            if is_end {
                call.body.end = End::Trailers;
            }
            self.go_on(stream, output);
        } else if is_end {
            output.headers(stream, false, |out| self.responses.head(out));
            call.body.extend(self.plan.answer_bytes.unwrap_or(0));
            self.go_on(stream, output);
        }
    }

    fn go_on(&mut self, stream: u32, output: &mut Output) {
        let Some(call) = self.calls.get_mut(&stream) else {
            return;
        };
        if !output.send(&mut call.body) {
            self.is_blocked = true;
            return;
        }
        // An answer that has not begun has no body either.
        let is_begun = call.body.has_begun() || self.plan.shape == Shape::PingPong;
        if call.body.end == End::Trailers && is_begun {
            output.finish(&call.body, |out| self.responses.trailers(out));
            self.calls.remove(&stream);
        }
    }
}
