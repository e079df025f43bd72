//! Compression: by default, per call, per message; what it saves, and when not to.
#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use trunkline::server::{self, ResponseCompression};
use trunkline::stats::{CallEvent, CallInfo, StatsHandler};
use trunkline::{Channel, RequestContext, Response, Server, Status};
use trunkline_examples::archive::{
    Archive, ArchiveClient, ArchiveServer, Document, FetchRequest, Receipt,
};

#[derive(Default)]
struct Shelf(Mutex<Vec<Document>>);

impl Shelf {
    fn keep(&self, document: Document) -> Receipt {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        documents.push(document);
        Receipt {
            documents: u32::try_from(documents.len()).unwrap_or(u32::MAX),
        }
    }
}

impl Archive for Shelf {
    async fn store(
        &self,
        _: &RequestContext,
        document: Document,
    ) -> Result<Response<Receipt>, Status> {
        Ok(self.keep(document).into())
    }

    async fn store_all(
        &self,
        _: &RequestContext,
        mut documents: server::Receiver<Document>,
    ) -> Result<Response<Receipt>, Status> {
        let mut receipt = Receipt::default();
        while let Some(document) = documents.recv().await? {
            receipt = self.keep(document);
        }
        Ok(receipt.into())
    }

    async fn fetch(
        &self,
        _: &RequestContext,
        _: FetchRequest,
        mut documents: server::Sender<Document>,
    ) -> Result<(), Status> {
        let all = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for document in &all {
            // A stranger who chooses a part of a message and sees its size can guess at the rest.
            if document.secret {
                documents.send_uncompressed(document).await?;
            } else {
                documents.send(document).await?;
            }
        }
        Ok(())
    }
}

/// Prints how large messages are, and how much of that travels.
struct Sizes;

impl StatsHandler for Sizes {
    fn call(&self, call: &CallInfo, event: &CallEvent<'_>, _: Instant) {
        let (what, size) = match event {
            CallEvent::MessageIn(size) => ("request", size),
            CallEvent::MessageOut(size) => ("response", size),
            _ => return,
        };
        let (bytes, wire) = (size.bytes, size.wire_bytes);
        let saved = if wire < bytes { "" } else { ", as it is" };
        println!(
            "  {} {what}: {bytes} bytes, {wire} on the wire{saved}",
            call.method.name
        );
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::insecure()
        .add_service(ArchiveServer::new(Shelf::default()))
        // Responses too, if the client accepts gzip. Requests may always be compressed.
        .compression(ResponseCompression::prefer(["gzip"]))
        .stats_handler(Sizes)
        .bind("127.0.0.1:0")
        .await?;
    let channel = Channel::builder(server.local_address().to_string())
        .insecure()
        .compression("gzip")
        .build()?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let archive = ArchiveClient::new(channel);
    let novel = |title: &str| Document {
        title: title.to_owned(),
        text: "It was the best of lines, it was the worst of lines. ".repeat(2_000),
        secret: false,
    };

    println!("a long document, and a short one that is not worth it:");
    archive.store(novel("long")).await?;
    let note = Document {
        title: "note".to_owned(),
        ..Document::default()
    };
    archive.store(note).await?;

    println!("a call that wants none of it:");
    archive
        .store(novel("plain"))
        .compression("identity")
        .await?;

    println!("a stream, with one message left alone:");
    let (mut documents, receipt) = archive.store_all().await?;
    documents.send(&novel("first")).await?;
    let diary = Document {
        secret: true,
        ..novel("diary")
    };
    documents.send_uncompressed(&diary).await?;
    documents.finish();
    let kept = receipt.await?.documents;

    println!("all {kept} of them back:");
    let mut documents = archive.fetch(FetchRequest {}).await?;
    let mut characters = 0;
    while let Some(document) = documents.recv().await? {
        characters += document.text.len();
    }
    println!("{characters} characters read");

    let unknown = archive.store(novel("x")).compression("lzma").await;
    if let Err(status) = unknown {
        println!("{status}");
    }
    drop((archive, documents));
    handle
        .graceful_stop(std::time::Duration::from_secs(1))
        .await;
    serving.await??;
    Ok(())
}
