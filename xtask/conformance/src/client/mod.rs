//! The client under test: takes the judge's requests, makes the calls side by side, and tells what it saw.

mod call;
mod channels;
mod observed;
mod streams;
mod unary;

use crate::messages::client_compat_response::Result as Told;
use crate::messages::{ClientCompatRequest, ClientCompatResponse, ClientErrorResult};
use crate::stdio;
use channels::Channels;
use std::error::Error;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// Makes the calls until the input ends, at most `parallel` at a time, and tells of each as soon as it has ended.
///
/// Errors: the input or output fails, or a call's task does.
pub async fn run(
    mut input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    parallel: usize,
) -> Result<(), Box<dyn Error>> {
    let channels = Arc::new(Channels::default());
    let places = Arc::new(Semaphore::new(parallel));
    let (tell, told) = mpsc::channel(parallel);
    let writing = tokio::spawn(write_all(told, output));
    let mut calls = JoinSet::new();
    while let Some(request) = stdio::read::<ClientCompatRequest>(&mut input).await? {
        let place = Arc::clone(&places).acquire_owned().await?;
        let (channels, tell) = (Arc::clone(&channels), tell.clone());
        calls.spawn(async move {
            let response = answer(&channels, request).await;
            drop(place);
            // Whoever does not write any more has said why.
            let _ = tell.send(response).await;
        });
        while let Some(ended) = calls.try_join_next() {
            ended?;
        }
    }
    while let Some(ended) = calls.join_next().await {
        ended?;
    }
    drop(tell);
    Ok(writing.await??)
}

async fn write_all(
    mut told: mpsc::Receiver<ClientCompatResponse>,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    while let Some(response) = told.recv().await {
        stdio::write(&mut output, &response).await?;
    }
    Ok(())
}

async fn answer(channels: &Channels, request: ClientCompatRequest) -> ClientCompatResponse {
    let test_name = request.test_name.clone();
    let result = match call::make(channels, request).await {
        Ok(observed) => Told::Response(observed),
        Err(why) => Told::Error(ClientErrorResult { message: why.0 }),
    };
    ClientCompatResponse {
        test_name,
        result: Some(result),
    }
}
