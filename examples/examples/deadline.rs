//! Deadlines: how long a call may take, what is told to the server, and how the errors read.

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use trunkline::{Channel, Deadline, RequestContext, Response, Server, Status, server};
use trunkline_examples::Timeline;
use trunkline_examples::patience::{
    Relay, RelayClient, RelayServer, Tick, TicksRequest, Timer, TimerClient, TimerServer,
    WaitReply, WaitRequest,
};

const MS: Duration = Duration::from_millis(1);

/// The service that everybody waits for.
struct Slow(Timeline);

impl Timer for Slow {
    async fn wait(
        &self,
        cx: &RequestContext,
        request: WaitRequest,
    ) -> Result<Response<WaitReply>, Status> {
        let allowed = cx
            .deadline()
            .map(|deadline| deadline.remaining(Instant::now()));
        match allowed {
            Some(left) => self
                .0
                .note("timer", format_args!("asked, {} ms left", ceil(left))),
            None => self.0.note("timer", "asked, without a deadline"),
        }
        let guard = Guard::new(&self.0, "timer", "Wait");
        sleep(MS * request.milliseconds).await;
        guard.done();
        let milliseconds_allowed = allowed.map_or(0, ceil);
        Ok(WaitReply {
            milliseconds_allowed,
        }
        .into())
    }

    async fn ticks(
        &self,
        _: &RequestContext,
        request: TicksRequest,
        mut ticks: server::Sender<Tick>,
    ) -> Result<(), Status> {
        let _guard = Guard::new(&self.0, "timer", "Ticks");
        let mut number = 0;
        loop {
            sleep(MS * request.every_milliseconds).await;
            number += 1;
            ticks.send(&Tick { number }).await?;
        }
    }

    async fn count(
        &self,
        _: &RequestContext,
        mut ticks: server::Receiver<Tick>,
    ) -> Result<Response<Tick>, Status> {
        let guard = Guard::new(&self.0, "timer", "Count");
        let mut number = 0;
        while ticks.recv().await?.is_some() {
            number += 1;
        }
        guard.done();
        Ok(Tick { number }.into())
    }
}

/// A service that calls another one.
struct Front {
    timer: TimerClient,
    timeline: Timeline,
}

impl Relay for Front {
    async fn wait_there(
        &self,
        cx: &RequestContext,
        request: WaitRequest,
    ) -> Result<Response<WaitReply>, Status> {
        let guard = Guard::new(&self.timeline, "relay", "WaitThere");
        sleep(40 * MS).await; // its own work
        let reply = self.timer.wait(request).within(cx).await?;
        guard.done();
        Ok(reply)
    }
}

/// Says how a handler ends: by itself, or dropped by the server.
struct Guard<'a> {
    timeline: &'a Timeline,
    who: &'static str,
    method: &'static str,
    done: bool,
}

impl<'a> Guard<'a> {
    const fn new(timeline: &'a Timeline, who: &'static str, method: &'static str) -> Self {
        Self {
            timeline,
            who,
            method,
            done: false,
        }
    }

    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let how = if self.done { "is done" } else { "was dropped" };
        let text = format!("the handler of {} {how}", self.method);
        self.timeline.note(self.who, text);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let timeline = Timeline::start();
    let back = Server::insecure()
        .add_service(TimerServer::new(Slow(timeline.clone())))
        .bind("127.0.0.1:0")
        .await?;
    let timer = TimerClient::new(Channel::insecure(back.local_address().to_string())?);
    let relay = Front {
        timer: timer.clone(),
        timeline: timeline.clone(),
    };
    let front = Server::insecure()
        .add_service(RelayServer::new(relay))
        .bind("127.0.0.1:0")
        .await?;
    let relay = RelayClient::new(Channel::insecure(front.local_address().to_string())?);
    let handles = [front.handle(), back.handle()];
    tokio::spawn(front.serve());
    tokio::spawn(back.serve());

    unary(&timeline, &timer).await;
    streaming(&timeline, &timer).await;
    downstream(&timeline, &relay).await;
    shared(&timeline, &timer).await;

    for handle in handles {
        handle.graceful_stop(Duration::from_secs(1)).await;
    }
    Ok(())
}

async fn unary(timeline: &Timeline, timer: &TimerClient) {
    timeline.heading("Unary: 100 ms of work, first without a deadline, then with 50 ms");
    for call in [
        timer.wait(wait(100)),
        timer.wait(wait(100)).timeout(50 * MS),
    ] {
        match call.await {
            Ok(_) => timeline.note("client", "answered"),
            Err(status) => timeline.note("client", status),
        }
    }
    settle().await;
}

async fn streaming(timeline: &Timeline, timer: &TimerClient) {
    timeline.heading("Server streaming: a tick each 30 ms, 100 ms for the whole call");
    if let Err(status) = hear_ticks(timeline, timer).await {
        timeline.note("client", status);
    }
    settle().await;

    timeline.heading("Client streaming: two ticks sent, finish() forgotten, 50 ms");
    if let Err(status) = send_ticks(timeline, timer).await {
        timeline.note("client", status);
    }
    settle().await;
}

async fn hear_ticks(timeline: &Timeline, timer: &TimerClient) -> Result<(), Status> {
    let request = TicksRequest {
        every_milliseconds: 30,
    };
    let mut ticks = timer.ticks(request).timeout(100 * MS).await?;
    while let Some(tick) = ticks.recv().await? {
        timeline.note("client", format_args!("tick {}", tick.number));
    }
    Ok(())
}

async fn send_ticks(timeline: &Timeline, timer: &TimerClient) -> Result<(), Status> {
    let (mut ticks, count) = timer.count().timeout(50 * MS).await?;
    for number in [1, 2] {
        ticks.send(&Tick { number }).await?;
    }
    let count = count.await?; // `ticks` still lives, unfinished
    timeline.note("client", format_args!("{} counted", count.number));
    Ok(())
}

async fn downstream(timeline: &Timeline, relay: &RelayClient) {
    timeline.heading("Downstream: 100 ms for a relay that takes 40 ms before it asks the timer");
    match relay.wait_there(wait(1000)).timeout(100 * MS).await {
        Ok(_) => timeline.note("client", "answered"),
        Err(status) => timeline.note("client", status),
    }
    settle().await;
}

async fn shared(timeline: &Timeline, timer: &TimerClient) {
    timeline.heading("One deadline for several calls: 30 ms each, until 80 ms are used up");
    let deadline = Deadline::after(Instant::now(), 80 * MS);
    for call in 1..=3 {
        match timer.wait(wait(30)).deadline(deadline).await {
            Ok(_) => timeline.note("client", format_args!("call {call} answered")),
            Err(status) => timeline.note("client", format_args!("call {call}: {status}")),
        }
    }
    settle().await;
}

fn wait(milliseconds: u32) -> WaitRequest {
    WaitRequest { milliseconds }
}

/// Lets the server say its last word before the next heading.
async fn settle() {
    sleep(20 * MS).await;
}

fn ceil(span: Duration) -> u32 {
    u32::try_from(span.as_micros().div_ceil(1000)).unwrap_or(u32::MAX)
}
