//! Unix sockets: by path, and in Linux's abstract namespace, beside a TCP port of the same server.
#![expect(clippy::print_stdout, reason = "an example")]

#[cfg(not(unix))]
fn main() {
    println!("this platform has no Unix sockets");
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    sockets::run().await
}

#[cfg(unix)]
mod sockets {
    use std::error::Error;
    use std::time::Duration;

    use trunkline::transport::TcpListener;
    use trunkline::{Channel, RequestContext, Response, Server, Status};
    use trunkline_examples::helloworld::{
        Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
    };

    struct Doorman;

    impl Greeter for Doorman {
        async fn say_hello(
            &self,
            cx: &RequestContext,
            request: HelloRequest,
        ) -> Result<Response<HelloReply>, Status> {
            // The kernel says who is at the other end of a Unix socket: nothing to forge.
            let who = match cx.peer().unix_credentials() {
                Some(credentials) => credentials.to_string(),
                None => cx.peer().address().to_string(),
            };
            let message = format!("Hello, {}! ({who})", request.name);
            Ok(HelloReply { message }.into())
        }
    }

    async fn call(target: &str, name: &str) -> Result<(), Box<dyn Error>> {
        let greeter = GreeterClient::new(Channel::insecure(target)?);
        let name = name.to_owned();
        let reply = greeter.say_hello(HelloRequest { name }).await?;
        println!("client  {target}: {}", reply.message);
        Ok(())
    }

    pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
        // Who may enter the folder may connect.
        let folder = std::env::temp_dir().join(format!("trunkline-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let path = folder.join("greeter.sock");

        let server = || Server::insecure().add_service(GreeterServer::new(Doorman));
        let both = server()
            .listener(TcpListener::bind("127.0.0.1:0").await?)
            .bind_unix(&path)
            .await?;
        for address in both.local_addresses() {
            println!("server  listens on {address}");
        }
        let port = both.local_addresses().first().map(ToString::to_string);
        let handle = both.handle();
        let serving = tokio::spawn(both.serve());

        call(&format!("unix:{}", path.display()), "path").await?;
        call(&port.unwrap_or_default(), "port").await?;

        // A socket in use is not taken away; one that a killed server left behind would be.
        match server().bind_unix(&path).await {
            Ok(_) => println!("server  unexpected: two servers on one socket"),
            Err(status) => println!("server  {status}"),
        }

        // No file, no permissions, gone with the process.
        if cfg!(target_os = "linux") {
            let name = format!("trunkline-{}", std::process::id());
            let nameless = server().bind_unix_abstract(&name)?;
            let stop = nameless.handle();
            let serving = tokio::spawn(nameless.serve());
            call(&format!("unix-abstract:{name}"), "namespace").await?;
            stop.graceful_stop(Duration::from_secs(1)).await;
            serving.await??;
        }

        handle.graceful_stop(Duration::from_secs(1)).await;
        serving.await??;
        println!("server  the socket file is gone: {}", !path.exists());
        std::fs::remove_dir(&folder)?;
        Ok(())
    }
}
