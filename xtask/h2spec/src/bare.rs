//! h2 alone, with the settings of its own.

use crate::program::{ANSWER, PATIENCE};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, client, server};
use http::{Request, Response};
use std::error::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// h2's own default is to allow any number; h2spec skips a case then.
const STREAMS: u32 = 256;

pub(crate) async fn serve(stream: TcpStream) {
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(STREAMS);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let mut body = request.into_body();
    while let Some(chunk) = body.data().await {
        let length = chunk?.len();
        body.flow_control().release_capacity(length)?;
    }
    let mut send = respond.send_response(Response::new(()), false)?;
    send.send_data(Bytes::from_static(ANSWER.as_bytes()), true)
}

pub(crate) async fn ask(stream: TcpStream, authority: &str) -> Result<(), Box<dyn Error>> {
    let (mut send, connection) = client::handshake(stream).await?;
    let mut driver = tokio::spawn(connection);
    let request = Request::get(format!("http://{authority}/")).body(())?;
    // The request stays open: what comes about its window is of no consequence else.
    let (response, body) = send.send_request(request, false)?;
    let answered = async {
        let mut body = response.await?.into_body();
        while let Some(chunk) = body.data().await {
            let length = chunk?.len();
            body.flow_control().release_capacity(length)?;
        }
        Ok::<_, h2::Error>(body)
    };
    let answer = answered.await;
    if let Ok(ended) = timeout(PATIENCE, &mut driver).await {
        return Ok(ended??);
    }
    drop((body, answer, send));
    driver.await??;
    Ok(())
}
