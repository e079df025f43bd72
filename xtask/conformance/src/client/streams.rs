//! Calls with many requests, many responses, or both.

use super::call::{Cancel, Failure, request, requests, with_options};
use super::observed::{of_failure, of_many, of_one};
use super::unary::unless_cancelled;
use crate::messages::{
    BidiStreamRequest, BidiStreamResponse, ClientCompatRequest, ClientResponseResult,
    ClientStreamRequest, ConformancePayload, ConformanceServiceClient, ServerStreamRequest,
    ServerStreamResponse, StreamType,
};
use std::time::Duration;
use trunkline::Status;
use trunkline::client::{Receiver, Sender};

pub(super) async fn client_stream(
    client: &ConformanceServiceClient,
    wanted: &ClientCompatRequest,
) -> Result<ClientResponseResult, Failure> {
    let messages: Vec<ClientStreamRequest> = requests(wanted)?;
    let cancel = Cancel::of(wanted);
    let (mut sender, summary) = match with_options(client.client_stream(), wanted)?.await {
        Ok(opened) => opened,
        Err(why) => return Ok(of_failure(&why)),
    };
    let mut unsent = messages.len();
    for message in &messages {
        if !send(&mut sender, message, wanted).await {
            break;
        }
        unsent -= 1;
    }
    if cancel.before_close_send {
        sender.abort();
    } else {
        sender.finish();
    }
    let result = unless_cancelled(summary, cancel.after_close_send).await;
    let mut observed = of_one(result.map(|response| response.map(|message| message.payload)));
    observed.num_unsent_requests = i32::try_from(unsent)?;
    Ok(observed)
}

pub(super) async fn server_stream(
    client: &ConformanceServiceClient,
    wanted: &ClientCompatRequest,
) -> Result<ClientResponseResult, Failure> {
    let message: ServerStreamRequest = request(wanted)?;
    let receiver = match with_options(client.server_stream(message), wanted)?.await {
        Ok(receiver) => receiver,
        Err(why) => return Ok(of_failure(&why)),
    };
    let mut responses = Responses::new(receiver, Cancel::of(wanted));
    responses.cancel_when_all_is_sent().await;
    Ok(responses.rest().await)
}

pub(super) async fn bidi_stream(
    client: &ConformanceServiceClient,
    wanted: &ClientCompatRequest,
) -> Result<ClientResponseResult, Failure> {
    let messages: Vec<BidiStreamRequest> = requests(wanted)?;
    let full_duplex = wanted.stream_type() == StreamType::FullDuplexBidiStream;
    let cancel = Cancel::of(wanted);
    let (mut sender, receiver) = match with_options(client.bidi_stream(), wanted)?.await {
        Ok(opened) => opened,
        Err(why) => return Ok(of_failure(&why)),
    };
    let mut responses = Responses::new(receiver, cancel);
    let mut unsent = messages.len();
    for message in &messages {
        if !send(&mut sender, message, wanted).await {
            break;
        }
        unsent -= 1;
        if full_duplex && !responses.next().await {
            break;
        }
    }
    if cancel.before_close_send {
        responses.receiver.cancel();
    }
    sender.finish();
    responses.cancel_when_all_is_sent().await;
    let mut observed = responses.rest().await;
    observed.num_unsent_requests = i32::try_from(unsent)?;
    Ok(observed)
}

/// Sends one request after its delay. False once the call takes no more: its end says why.
async fn send<T>(sender: &mut Sender<T>, message: &T, wanted: &ClientCompatRequest) -> bool {
    if wanted.request_delay_ms > 0 {
        let delay = Duration::from_millis(wanted.request_delay_ms.into());
        tokio::time::sleep(delay).await;
    }
    sender.send(message).await.is_ok()
}

/// The responses of a call as they come.
struct Responses<T> {
    receiver: Receiver<T>,
    cancel: Cancel,
    payloads: Vec<ConformancePayload>,
    end: Option<Result<(), Status>>,
}

impl<T: Into<ConformancePayload>> Responses<T> {
    const fn new(receiver: Receiver<T>, cancel: Cancel) -> Self {
        Self {
            receiver,
            cancel,
            payloads: Vec::new(),
            end: None,
        }
    }

    /// Takes one more. False at the end.
    async fn next(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        match self.receiver.recv().await {
            Ok(Some(response)) => {
                self.payloads.push(response.into());
                if self.cancel.after_responses == Some(self.payloads.len()) {
                    self.receiver.cancel();
                }
                return true;
            }
            Ok(None) => self.end = Some(Ok(())),
            Err(why) => self.end = Some(Err(why)),
        }
        false
    }

    async fn cancel_when_all_is_sent(&mut self) {
        if let Some(after) = self.cancel.after_close_send {
            tokio::time::sleep(after).await;
            self.receiver.cancel();
        }
    }

    /// Takes all that still comes.
    async fn rest(mut self) -> ClientResponseResult {
        while self.next().await {}
        let end = self.end.unwrap_or(Ok(()));
        of_many(&mut self.receiver, self.payloads, end).await
    }
}

impl From<ServerStreamResponse> for ConformancePayload {
    fn from(response: ServerStreamResponse) -> Self {
        response.payload.unwrap_or_default()
    }
}

impl From<BidiStreamResponse> for ConformancePayload {
    fn from(response: BidiStreamResponse) -> Self {
        response.payload.unwrap_or_default()
    }
}
