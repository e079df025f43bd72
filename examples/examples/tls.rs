//! TLS on both sides: the server proves who it is, and so do its clients. And what those are told
//! who cannot. The certificates are made here; a program reads them with `Identity::from_files` and
//! `Roots::from_file`, which follow the files when they are renewed.
#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use trunkline::tls::{ClientCertificates, ClientTls, Identity, Roots, ServerTls};
use trunkline::{Channel, RequestContext, Response, Server, Status};
use trunkline_examples::helloworld::{
    Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
};

/// Knows its members by their certificates.
struct Doorman {
    members: Vec<(&'static str, Vec<u8>)>,
}

impl Greeter for Doorman {
    async fn say_hello(
        &self,
        cx: &RequestContext,
        _: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        // Who signed it was checked in the handshake; whose it is, is for the handler to know.
        let tls = cx.peer().security().tls();
        let shown = tls.and_then(|tls| tls.peer_certificates.first());
        let member = self.members.iter().find(|(_, der)| Some(der) == shown);
        let Some((name, _)) = member else {
            return Err(Status::permission_denied("this certificate is no member's"));
        };
        let version = tls.and_then(|tls| tls.version);
        let over = version.map_or_else(String::new, |version| version.to_string());
        let message = format!("Hello, {name}, over {over}!");
        Ok(HelloReply { message }.into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let club = Authority::new("The Club")?;
    let (server, ann) = (club.sign("localhost")?, club.sign("ann")?);
    let (guest, stranger) = (
        club.sign("guest")?,
        Authority::new("Elsewhere")?.sign("bob")?,
    );

    let tls = ServerTls::builder(server.identity()?)
        .client_certificates(ClientCertificates::Required(club.roots()?))
        .build()?;
    let doorman = Doorman {
        members: vec![("ann", ann.der.clone())],
    };
    let server = Server::builder()
        .credentials(tls)
        .add_service(GreeterServer::new(doorman))
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_address().to_string();
    tokio::spawn(server.serve());

    // The server is reached by its address, and has to prove the name.
    let ask = async |who: &str, tls: ClientTls| -> Result<(), Box<dyn Error>> {
        let channel = Channel::builder(&address)
            .authority("localhost")
            .credentials(tls)
            .build()?;
        let greeter = GreeterClient::new(channel);
        match greeter.say_hello(HelloRequest::default()).await {
            Ok(reply) => println!("{who}: {}", reply.message),
            Err(status) => println!("{who}: {status}"),
        }
        Ok(())
    };
    let trusting = || Ok::<_, Box<dyn Error>>(ClientTls::builder().roots(club.roots()?));

    ask("ann", trusting()?.identity(ann.identity()?).build()?).await?;
    ask("guest", trusting()?.identity(guest.identity()?).build()?).await?;
    ask(
        "stranger",
        trusting()?.identity(stranger.identity()?).build()?,
    )
    .await?;
    ask("nobody", trusting()?.build()?).await?;
    // Mozilla's roots do not know the club, and its server has one name only.
    ask("sceptic", ClientTls::new()?).await?;
    let elsewhere = trusting()?.server_name("example.com");
    ask("lost", elsewhere.build()?).await?;

    // Plaintext has to be said, and does not get far.
    let greeter = GreeterClient::new(Channel::insecure(&address)?);
    if let Err(status) = greeter.say_hello(HelloRequest::default()).await {
        println!("plain: {status}");
    }
    Ok(())
}

/// Who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key.
struct Signed {
    chain: String,
    key: String,
    der: Vec<u8>,
}

impl Authority {
    fn new(name: &str) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self { issuer, pem })
    }

    fn sign(&self, name: &str) -> Result<Signed, rcgen::Error> {
        let params = CertificateParams::new(vec![name.to_owned()])?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Signed {
            chain: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
        })
    }

    fn roots(&self) -> Result<Roots, trunkline::tls::TlsError> {
        Roots::from_pem(&self.pem)
    }
}

impl Signed {
    fn identity(&self) -> Result<Identity, trunkline::tls::TlsError> {
        Identity::from_pem(&self.chain, &self.key)
    }
}
