//! Reflection: a server tells what it serves, so that tools call it without its `.proto` files.
//!
//! Give it an address, and it serves there until it is ended:
//! ```sh
//! cargo run --package trunkline-examples --example reflection 127.0.0.1:50051
//! grpcurl -plaintext 127.0.0.1:50051 describe
//! grpcurl -plaintext -d '{"name": "you"}' 127.0.0.1:50051 helloworld.Greeter/SayHello
//! ```

use std::error::Error;
use std::time::Duration;

use trunkline::client::{Receiver, Sender};
use trunkline::{Channel, RequestContext, Response, Server, Status};
use trunkline_examples::grpc::reflection::v1::server_reflection_request::MessageRequest as Ask;
use trunkline_examples::grpc::reflection::v1::server_reflection_response::MessageResponse as Answer;
use trunkline_examples::grpc::reflection::v1::{
    ServerReflectionClient, ServerReflectionRequest, ServerReflectionResponse,
};
use trunkline_examples::helloworld::{
    Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
};
use trunkline_examples::say;

struct Polite;

impl Greeter for Polite {
    async fn say_hello(
        &self,
        _: &RequestContext,
        request: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        let message = format!("Hello, {}!", request.name);
        Ok(HelloReply { message }.into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let server = Server::insecure()
        .add_service(GreeterServer::new(Polite))
        // This is all. Without it nobody is told anything.
        .reflection()
        .bind(address.as_deref().unwrap_or("127.0.0.1:0"))
        .await?;
    say!("server  listens on {}", server.local_address());
    if address.is_some() {
        return Ok(server.serve().await?);
    }
    let channel = Channel::insecure(server.local_address().to_string())?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    // What a tool does: one stream, on which each question gets one answer.
    let client = ServerReflectionClient::new(channel.clone());
    let (mut questions, mut answers) = client.server_reflection_info().await?;
    for question in [
        Ask::ListServices(String::new()),
        Ask::FileContainingSymbol("helloworld.Greeter.SayHello".to_owned()),
        Ask::FileContainingSymbol("helloworld.Farewell".to_owned()),
    ] {
        ask(&mut questions, &mut answers, question).await?;
    }
    questions.finish();
    while answers.recv().await?.is_some() {}

    let greeter = GreeterClient::new(channel);
    let name = "reflection".to_owned();
    let reply = greeter.say_hello(HelloRequest { name }).await?;
    say!("client  {}", reply.message);
    handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await??;
    Ok(())
}

async fn ask(
    questions: &mut Sender<ServerReflectionRequest>,
    answers: &mut Receiver<ServerReflectionResponse>,
    question: Ask,
) -> Result<(), Status> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question.clone()),
    };
    questions.send(&request).await?;
    let response = answers.recv().await?.unwrap_or_default();
    match (question, response.message_response) {
        (_, Some(Answer::ListServicesResponse(list))) => {
            for service in list.service {
                say!("client  the server serves {}", service.name);
            }
        }
        (Ask::FileContainingSymbol(symbol), Some(Answer::FileDescriptorResponse(files))) => {
            // Each is an encoded `google.protobuf.FileDescriptorProto`, which begins with its name.
            for file in files.file_descriptor_proto {
                let name = file.iter().skip(2).take_while(|&&byte| byte >= b' ');
                let name: Vec<u8> = name.copied().collect();
                say!(
                    "client  {symbol} is in {}, of {} bytes",
                    String::from_utf8_lossy(&name),
                    file.len()
                );
            }
        }
        (Ask::FileContainingSymbol(symbol), Some(Answer::ErrorResponse(error))) => {
            let code = trunkline::Code::from_number(error.error_code.unsigned_abs());
            say!("client  {symbol}: {code}, {}", error.error_message);
        }
        (question, answer) => say!("client  unexpected: {question:?} got {answer:?}"),
    }
    Ok(())
}
