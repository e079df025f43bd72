//! Cancelling: by dropping a future or a half, or by saying so; and what the handler sees of it.

use std::error::Error;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use trunkline::server::ServerHandle;
use trunkline::{Channel, RequestContext, Response, Server, Status, server};
use trunkline_examples::work::{Job, Report, Worker, WorkerClient, WorkerServer};
use trunkline_examples::{Timeline, say};

const MS: Duration = Duration::from_millis(1);

struct Site(Timeline);

impl Site {
    /// A value that lives as long as the work: RAII is all that cleaning up takes.
    fn begin(&self, what: &str) -> Guard {
        self.0.note("server", format_args!("{what} begins"));
        Guard {
            timeline: self.0.clone(),
            what: what.to_owned(),
            done: false,
        }
    }
}

struct Guard {
    timeline: Timeline,
    what: String,
    done: bool,
}

impl Guard {
    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let how = if self.done {
            "is done"
        } else {
            "was cancelled"
        };
        self.timeline
            .note("server", format_args!("{} {how}", self.what));
    }
}

impl Worker for Site {
    async fn dig(&self, _: &RequestContext, job: Job) -> Result<Response<Report>, Status> {
        let guard = self.begin(&job.name);
        sleep(MS * job.milliseconds).await;
        guard.done();
        Ok(report(&job.name, "dug").into())
    }

    async fn watch(
        &self,
        _: &RequestContext,
        job: Job,
        mut reports: server::Sender<Report>,
    ) -> Result<(), Status> {
        let _guard = self.begin(&job.name);
        for metre in 1.. {
            reports
                .send(&report(&job.name, &format!("{metre} m deep")))
                .await?;
            sleep(MS * job.milliseconds).await;
        }
        Ok(())
    }

    async fn carry(
        &self,
        _: &RequestContext,
        mut loads: server::Receiver<Job>,
    ) -> Result<Response<Report>, Status> {
        let guard = self.begin("Carry");
        let mut count = 0;
        while loads.recv().await?.is_some() {
            count += 1;
        }
        guard.done();
        Ok(report("Carry", &format!("{count} loads")).into())
    }

    async fn dig_together(
        &self,
        cx: &RequestContext,
        job: Job,
    ) -> Result<Response<Report>, Status> {
        for helper in 1..=3 {
            let guard = self.begin(&format!("helper {helper}"));
            cx.spawn(async move {
                sleep(MS * job.milliseconds * helper).await;
                guard.done();
                Ok(())
            });
        }
        // The RPC ends after its children.
        Ok(report(&job.name, "dug by three").into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let timeline = Timeline::start();
    let server = Server::insecure()
        .add_service(WorkerServer::new(Site(timeline.clone())))
        .bind("127.0.0.1:0")
        .await?;
    let worker = WorkerClient::new(Channel::insecure(server.local_address().to_string())?);
    let handle = server.handle();
    tokio::spawn(server.serve());
    let screen = Screen { timeline, handle };

    unary(&screen, &worker).await;
    receiver(&screen, &worker).await?;
    sender(&screen, &worker).await?;
    children(&screen, &worker).await;

    screen
        .timeline
        .heading("And the connection is as good as new");
    match worker.dig(job("Dig", 10)).await {
        Ok(reply) => screen.timeline.note("client", &reply.text),
        Err(status) => screen.timeline.note("client", status),
    }
    let stats = screen.handle.stats();
    let report = screen.handle.graceful_stop(Duration::from_secs(1)).await;
    say!(
        "\n{} calls over {} connection: {} ran to their end, {} were cancelled or ran out of time, {} left to cut short",
        stats.rpcs_started,
        stats.connections_accepted,
        stats.rpcs_completed,
        stats.rpcs_cancelled + stats.rpcs_deadline_exceeded,
        report.cut_short(),
    );
    Ok(())
}

async fn unary(screen: &Screen, worker: &WorkerClient) {
    screen
        .timeline
        .heading("A call's future is dropped, here by tokio's timeout");
    let call = worker.dig(job("Dig", 1000));
    if timeout(30 * MS, call).await.is_err() {
        screen.timeline.note("client", "waits no longer");
    }
    screen.until_idle().await;

    screen
        .timeline
        .heading("The task that waits for a call is aborted");
    let task = tokio::spawn(worker.dig(job("Dig", 1000)).owned());
    sleep(30 * MS).await;
    screen.timeline.note("client", "aborts the task");
    task.abort();
    screen.until_idle().await;
}

async fn receiver(screen: &Screen, worker: &WorkerClient) -> Result<(), Status> {
    let Screen { timeline, .. } = screen;
    timeline.heading("A receiver is dropped after two messages");
    let mut reports = worker.watch(job("Watch", 10)).await?;
    for _ in 0..2 {
        if let Some(report) = reports.recv().await? {
            timeline.note("client", &report.text);
        }
    }
    timeline.note("client", "has seen enough");
    drop(reports);
    screen.until_idle().await;

    timeline.heading("A receiver cancels: what had arrived is still read");
    let mut reports = worker.watch(job("Watch", 10)).await?;
    sleep(35 * MS).await;
    timeline.note("client", "cancels");
    reports.cancel();
    loop {
        match reports.recv().await {
            Ok(Some(report)) => timeline.note("client", &report.text),
            Ok(None) => break,
            Err(status) => {
                timeline.note("client", status);
                break;
            }
        }
    }
    screen.until_idle().await;
    Ok(())
}

async fn sender(screen: &Screen, worker: &WorkerClient) -> Result<(), Status> {
    let Screen { timeline, .. } = screen;
    timeline.heading("A sender is dropped without finish(), as by an early `?`");
    let (mut loads, answer) = worker.carry().await?;
    loads.send(&job("stones", 0)).await?;
    sleep(10 * MS).await;
    drop(loads);
    if let Err(status) = answer.await {
        timeline.note("client", status);
    }
    screen.until_idle().await;

    timeline.heading("A sender aborts on purpose");
    let (mut loads, answer) = worker.carry().await?;
    loads.send(&job("stones", 0)).await?;
    sleep(10 * MS).await;
    loads.abort();
    if let Err(status) = answer.await {
        timeline.note("client", status);
    }
    screen.until_idle().await;

    timeline.heading("A sender finishes: no cancel");
    let (mut loads, answer) = worker.carry().await?;
    loads.send(&job("stones", 0)).await?;
    loads.finish();
    timeline.note("client", &answer.await?.text);
    screen.until_idle().await;
    Ok(())
}

async fn children(screen: &Screen, worker: &WorkerClient) {
    screen
        .timeline
        .heading("Children of the RPC (cx.spawn) are cancelled with it");
    let call = worker.dig_together(job("Dig", 40)).timeout(60 * MS);
    if let Err(status) = call.await {
        screen.timeline.note("client", status);
    }
    screen.until_idle().await;
}

/// Prints, and knows when the server has nothing left to print.
struct Screen {
    timeline: Timeline,
    handle: ServerHandle,
}

impl Screen {
    async fn until_idle(&self) {
        for _ in 0..200 {
            let stats = self.handle.stats();
            if stats.live_rpcs + stats.live_children == 0 {
                return;
            }
            sleep(5 * MS).await;
        }
        self.timeline.note("server", "still busy after a second?");
    }
}

fn job(name: &str, milliseconds: u32) -> Job {
    Job {
        name: name.to_owned(),
        milliseconds,
    }
}

fn report(who: &str, what: &str) -> Report {
    Report {
        text: format!("{who}: {what}"),
    }
}
