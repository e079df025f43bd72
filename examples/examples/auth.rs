//! Call credentials: tokens that go with calls over TLS, and over nothing less. One for a whole
//! channel, renewed before it expires; one for a single call; and one of a kind of its own.
#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use trunkline::client::{BearerToken, CallCredentials, CredentialsRequest, Token};
use trunkline::tls::{ClientTls, Identity, Roots, ServerTls};
use trunkline::{Channel, Metadata, RequestContext, Response, Server, Status};
use trunkline_examples::helloworld::{
    Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
};

/// Tells what it was shown.
struct Doorman;

impl Greeter for Doorman {
    async fn say_hello(
        &self,
        cx: &RequestContext,
        _: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        let shown: Vec<&str> = cx.metadata().get_all("authorization").collect();
        if shown.is_empty() {
            return Err(Status::unauthenticated("no token"));
        }
        let message = shown.join(" and ");
        Ok(HelloReply { message }.into())
    }
}

/// A token that is good for one service only, made for each call.
struct Signed;

impl CallCredentials for Signed {
    async fn metadata(&self, request: &CredentialsRequest) -> Result<Metadata, Status> {
        let mut metadata = Metadata::new();
        let audience = request.service_url();
        metadata.insert("authorization", &format!("Signed for {audience}"))?;
        Ok(metadata)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (roots, identity) = certificates()?;
    let server = Server::builder()
        .credentials(ServerTls::new(identity)?)
        .add_service(GreeterServer::new(Doorman))
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_address().to_string();
    tokio::spawn(server.serve());
    let channel = || Channel::builder(&address).authority("localhost");
    let tls = || ClientTls::builder().roots(roots.clone()).build();

    // Fetched by the first call that needs it, once for all who wait, and again before it expires.
    let fetched = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&fetched);
    let token = BearerToken::fetched(move || {
        let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok(Token::new(format!("t{number}")).valid_for(Duration::from_millis(200))) }
    });
    let signed = channel().credentials(tls()?).call_credentials(token);
    let greeter = GreeterClient::new(signed.build()?);
    show("channel", greeter.say_hello(HelloRequest::default()).await);
    let pause = Duration::from_millis(300);
    tokio::time::sleep(pause).await;
    show("renewed", greeter.say_hello(HelloRequest::default()).await);

    // A single call's own come behind those of the channel.
    let call = greeter.say_hello(HelloRequest::default());
    show("both", call.credentials(BearerToken::new("mine")?).await);

    let plain = GreeterClient::new(channel().credentials(tls()?).build()?);
    show("nobody", plain.say_hello(HelloRequest::default()).await);
    let call = plain.say_hello(HelloRequest::default());
    show("signed", call.credentials(Signed).await);

    // Where others can read, nothing is sent. A server that speaks plaintext, to prove it:
    let server = Server::insecure()
        .add_service(GreeterServer::new(Doorman))
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_address().to_string();
    let handle = server.handle();
    tokio::spawn(server.serve());
    let greeter = GreeterClient::new(Channel::insecure(address)?);
    let call = greeter.say_hello(HelloRequest::default());
    show(
        "plaintext",
        call.credentials(BearerToken::new("secret")?).await,
    );
    println!("{} calls reached it", handle.stats().rpcs_started);
    Ok(())
}

fn show(who: &str, answer: Result<Response<HelloReply>, Status>) {
    match answer {
        Ok(reply) => println!("{who}: {}", reply.message),
        Err(status) => println!("{who}: {status}"),
    }
}

/// A certificate for `localhost`, and the root that it hangs on.
fn certificates() -> Result<(Roots, Identity), Box<dyn Error>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let root = params.self_signed(&key)?.pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate()?;
    let params = CertificateParams::new(vec!["localhost".to_owned()])?;
    let chain = params.signed_by(&key, &issuer)?.pem();
    let identity = Identity::from_pem(&chain, key.serialize_pem())?;
    Ok((Roots::from_pem(&root)?, identity))
}
