//! Leaving without a failed call: health says no first, then the server stops, and within its grace
//! everything that can end does.
//!
//! It runs on tokio's paused clock, so that its seconds take no time. A real server would wait for
//! `tokio::signal::ctrl_c()`, or for SIGTERM, where this one waits for a second.

use std::error::Error;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use trunkline::server::{HealthReporter, Receiver, Sender};
use trunkline::transport::memory;
use trunkline::{Channel, RequestContext, Response, Server, Status};
use trunkline_examples::grpc::health::v1::{HealthCheckRequest, HealthClient};
use trunkline_examples::say;
use trunkline_examples::work::{Job, Report, Worker, WorkerClient, WorkerServer};

const SECOND: Duration = Duration::from_secs(1);

/// How long whoever balances the load needs to see that this server is not serving any more.
const NOTICE: Duration = Duration::from_secs(5);

/// How long calls may go on after that.
const GRACE: Duration = Duration::from_secs(10);

struct Site;

impl Worker for Site {
    /// Is done when it is done; a stop waits for it, but not for ever.
    async fn dig(&self, _: &RequestContext, job: Job) -> Result<Response<Report>, Status> {
        sleep(Duration::from_millis(job.milliseconds.into())).await;
        let text = format!("{} is done", job.name);
        Ok(Report { text }.into())
    }

    /// Would go on for as long as anybody listens. It looks out for the stop, and so is none of
    /// those that the stop has to wait for.
    async fn watch(
        &self,
        cx: &RequestContext,
        _: Job,
        mut reports: Sender<Report>,
    ) -> Result<(), Status> {
        let reporting = async {
            loop {
                let text = "still digging".to_owned();
                reports.send(&Report { text }).await?;
                sleep(SECOND).await;
            }
        };
        tokio::select! {
            ended = reporting => ended,
            () = cx.stopping() => Err(Status::unavailable("the server is stopping")),
        }
    }

    async fn carry(
        &self,
        _: &RequestContext,
        _: Receiver<Job>,
    ) -> Result<Response<Report>, Status> {
        Ok(Report::default().into())
    }

    async fn dig_together(&self, _: &RequestContext, _: Job) -> Result<Response<Report>, Status> {
        Ok(Report::default().into())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let (connector, listener) = memory::pair("site");
    let health = HealthReporter::new();
    let server = Server::insecure()
        .add_service(WorkerServer::new(Site))
        .add_service(health.service())
        .listen(listener)?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let channel = Channel::builder("memory:site")
        .insecure()
        .connector(connector)
        .build()?;

    let balancer = tokio::spawn(balance(HealthClient::new(channel.clone())));
    let worker = WorkerClient::new(channel);
    let short = tokio::spawn(dig(worker.clone(), "the short one", 8 * SECOND));
    let endless = tokio::spawn(dig(worker.clone(), "the endless one", 3_600 * SECOND));
    let watching = tokio::spawn(watch(worker));

    // Here a signal would arrive.
    sleep(SECOND).await;
    say!("server  told to leave");
    // Calls still come and are answered, but those who look at its health send no more.
    health.shut_down();
    sleep(NOTICE).await;
    say!("server  {} s later the stop begins", NOTICE.as_secs());
    let stop = Instant::now();
    let report = handle.graceful_stop(GRACE).await;
    let took = stop.elapsed();
    serving.await??;

    for task in [balancer, short, endless, watching] {
        task.await?;
    }
    say!(
        "server  {} calls cut short; {} completed, {} answered UNAVAILABLE, {} reset",
        report.cut_short(),
        // The balancer's watch is none of interest.
        report.completed - 1,
        report.trailers,
        report.reset
    );
    let bound = GRACE + Duration::from_millis(200);
    say!(
        "server  stopped within the grace and 200 ms: {}",
        took <= bound
    );
    Ok(())
}

/// Looks at the server's health, as a load balancer does.
async fn balance(client: HealthClient) {
    let Ok(mut watch) = client.watch(HealthCheckRequest::default()).await else {
        return;
    };
    while let Ok(Some(response)) = watch.recv().await {
        say!("health  {}", response.status().as_str_name());
    }
}

async fn dig(worker: WorkerClient, name: &str, takes: Duration) {
    let milliseconds = u32::try_from(takes.as_millis()).unwrap_or(u32::MAX);
    let name = name.to_owned();
    match worker.dig(Job { name, milliseconds }).await {
        Ok(report) => say!("client  {}", report.text),
        Err(status) => say!("client  {status}"),
    }
}

async fn watch(worker: WorkerClient) {
    let mut count = 0_u32;
    let ended = async {
        let mut reports = worker.watch(Job::default()).await?;
        while reports.recv().await?.is_some() {
            count += 1;
        }
        Ok::<_, Status>(())
    };
    if let Err(status) = ended.await {
        say!("client  {status}, and {count} reports before it");
    }
}
