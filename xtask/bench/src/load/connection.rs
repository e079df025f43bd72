//! One connection of the load: starts calls, and judges what comes back.

use super::calls::{Call, Calls};
use super::pace::Pace;
use crate::Failure;
use crate::meter::{Budget, Counters};
use crate::shape::{Plan, Shape};
use crate::wire::{Body, End, Event, Output, Requests, Wire};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream gives room back when this much has come.
const CREDIT_BYTES: u32 = 1 << 20;

pub(super) struct Connection {
    plan: Arc<Plan>,
    counters: Arc<Counters>,
    budget: Arc<Budget>,
    requests: Requests,
    calls: Calls,
    /// Some body waits for room.
    is_blocked: bool,
    is_exhausted: bool,
}

impl Connection {
    pub(super) fn new(
        address: SocketAddr,
        plan: Arc<Plan>,
        counters: Arc<Counters>,
        budget: Arc<Budget>,
    ) -> Self {
        Self {
            requests: match plan.shape {
                // As long as the run.
                Shape::PingPong => Requests::without_deadline,
                _ => Requests::new,
            }(&plan.shape.path(), &address.to_string()),
            plan,
            counters,
            budget,
            calls: Calls::new(),
            is_blocked: false,
            is_exhausted: false,
        }
    }

    /// Until the budget is used up.
    pub(super) async fn run(
        mut self,
        socket: impl AsyncRead + AsyncWrite + Unpin,
        in_flight: usize,
        mut pace: Option<Pace>,
    ) -> Result<(), Failure> {
        let mut wire = Wire::client(socket);
        wire.handshake().await?;
        let most = in_flight.min(wire.output.max_streams());
        loop {
            let now = Instant::now();
            while let Some(event) = wire.input.next(&mut wire.output)? {
                // `input` is lent to the event, `output` is free.
                self.event(&event, now, &mut wire.output)?;
            }
            if self.is_blocked {
                self.is_blocked = false;
                for call in self.calls.iter_mut() {
                    self.is_blocked |= !wire.output.send(&mut call.body);
                }
            }
            while self.calls.in_flight() < most && !self.is_exhausted {
                let due = match &mut pace {
                    Some(pace) => pace.take(now),
                    None => Some(now),
                };
                let Some(due) = due else { break };
                self.start(due, &mut wire.output);
            }
            if self.is_exhausted && self.calls.in_flight() == 0 {
                return Ok(());
            }
            let is_open = if pace.is_some() {
                // A timer's millisecond would be too coarse.
                tokio::task::yield_now().await;
                wire.try_turn().await?
            } else {
                wire.turn().await?
            };
            if !is_open {
                return Err("the server closed a connection".into());
            }
        }
    }

    fn start(&mut self, began: Instant, output: &mut Output) {
        if !self.budget.take() {
            self.is_exhausted = true;
            return;
        }
        let stream = self.calls.next_stream();
        output.headers(stream, false, |out| self.requests.next(out));
        let end = match self.plan.shape {
            Shape::PingPong => End::Open,
            _ => End::Stream,
        };
        let body = Body::new(
            stream,
            output.stream_window(),
            self.plan.request.clone(),
            self.plan.request_bytes,
            end,
        );
        let call = self.calls.insert(Call {
            began,
            received: 0,
            uncredited: 0,
            body,
        });
        self.is_blocked |= !output.send(&mut call.body);
    }

    fn event(
        &mut self,
        event: &Event<'_>,
        now: Instant,
        output: &mut Output,
    ) -> Result<(), Failure> {
        match *event {
            Event::Data { stream, bytes, end } => {
                self.data(stream, bytes.len(), now, output)?;
                if end {
                    return Err(format!("stream {stream} ended without trailers").into());
                }
            }
            Event::Headers { stream, end: true } => self.ended(stream, now)?,
            Event::Headers { .. } => {}
            Event::Settings { window_delta } => {
                for call in self.calls.iter_mut() {
                    call.body.window += window_delta;
                }
            }
            Event::Window { stream, by } => {
                if let Some(call) = self.calls.find(stream) {
                    call.body.window += i64::from(by);
                }
            }
            Event::Reset { stream, code } => {
                return Err(format!("the server reset stream {stream}, error {code}").into());
            }
        }
        Ok(())
    }

    fn data(
        &mut self,
        stream: u32,
        bytes: usize,
        now: Instant,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let Some(call) = self.calls.find(stream) else {
            return Err(format!("DATA on stream {stream}, which is no call of ours").into());
        };
        let unit = self.plan.answer_unit;
        let before = call.received / unit;
        call.received += bytes as u64;
        call.uncredited += bytes as u32;
        if call.uncredited >= CREDIT_BYTES {
            output.credit(stream, std::mem::take(&mut call.uncredited));
        }
        let messages = call.received / unit - before;
        match self.plan.shape {
            Shape::PingPong if messages > 0 => {
                self.counters.count(messages);
                self.counters.record(now - call.began);
                call.began = now;
                if self.budget.take() {
                    call.body.extend(self.plan.request_unit);
                } else {
                    call.body.end = End::Stream;
                    self.is_exhausted = true;
                    output.end(&call.body);
                }
                self.is_blocked |= !output.send(&mut call.body);
            }
            Shape::Ready | Shape::Channel | Shape::Download => self.counters.count(messages),
            _ => {}
        }
        Ok(())
    }

    fn ended(&mut self, stream: u32, now: Instant) -> Result<(), Failure> {
        let Some(call) = self.calls.find(stream) else {
            return Err(format!("trailers on stream {stream}, which is no call of ours").into());
        };
        let received = call.received;
        if self.plan.shape == Shape::PingPong && !self.is_exhausted {
            return Err(format!("a ping-pong ended after {received} bytes").into());
        }
        if self.plan.answer_bytes.is_some_and(|all| all != received) {
            return Err(format!("a call ended after {received} bytes of answer").into());
        }
        self.counters.count(self.plan.units_at_end);
        self.counters
            .record(now.saturating_duration_since(call.began));
        self.calls.remove(stream);
        Ok(())
    }
}

/// Opens streams of a ping-pong, waits for the first message on each, and leaves them at that.
pub(super) async fn echo_once<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    address: SocketAddr,
    streams: usize,
    payload: usize,
) -> Result<Wire<S>, Failure> {
    let plan = Plan::new(Shape::PingPong, payload, 1);
    let mut requests = Requests::without_deadline(&plan.shape.path(), &address.to_string());
    let mut wire = Wire::client(socket);
    wire.handshake().await?;
    for stream in (0..streams as u32).map(|number| 1 + 2 * number) {
        wire.output.headers(stream, false, |out| requests.next(out));
        let window = wire.output.stream_window();
        let mut body = Body::new(
            stream,
            window,
            plan.request.clone(),
            plan.request_unit,
            End::Open,
        );
        if !wire.output.send(&mut body) {
            return Err("no window for a first message".into());
        }
    }
    let wanted = streams as u64 * plan.answer_unit;
    let mut received = 0;
    // Without a stream, one turn more: the acknowledgement of SETTINGS goes out.
    wire.try_turn().await?;
    while received < wanted {
        if !wire.turn().await? {
            return Err("the server closed a connection".into());
        }
        while let Some(event) = wire.input.next(&mut wire.output)? {
            match event {
                Event::Data { bytes, .. } => received += bytes.len() as u64,
                Event::Headers { stream, end: true } | Event::Reset { stream, .. } => {
                    return Err(format!("the server ended stream {stream}").into());
                }
                _ => {}
            }
        }
    }
    wire.try_turn().await?;
    wire.rest();
    Ok(wire)
}
