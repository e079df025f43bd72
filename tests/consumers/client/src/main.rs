//! Calls the server at the address given, both ways.

use trunkline_client::Channel;

mod generated {
    trunkline_client::include_protos!();
}
use generated::consumers::{GreeterClient, HelloRequest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .ok_or("usage: consumer-client ADDRESS")?;
    let greeter = GreeterClient::new(Channel::insecure(address)?);
    let hello = |name: &str| HelloRequest { name: name.into() };

    let reply = greeter.say_hello(hello("ann")).await?;
    assert_eq!(reply.message, "Hello, ann!");

    let (mut names, mut greetings) = greeter.greet_all().await?;
    for name in ["bob", "cleo"] {
        names.send(&hello(name)).await?;
        let greeting = greetings.recv().await?.ok_or("too few greetings")?;
        assert_eq!(greeting.message, format!("Hello, {name}!"));
    }
    names.finish();
    assert_eq!(greetings.recv().await?, None);
    println!("client: 3 greetings");
    Ok(())
}
