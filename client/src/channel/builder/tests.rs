use trunkline_core::Status;

use super::*;
use crate::resolver::TargetError;

fn fault(builder: ChannelBuilder) -> String {
    builder.build().expect_err("a fault").to_string()
}

#[test]
fn plaintext_has_to_be_asked_for() {
    let error = fault(Channel::builder("localhost:1"));
    assert!(error.contains(".insecure()"), "{error}");
    let (connector, _listener) = trunkline_transport::memory::pair("x");
    let error = fault(Channel::builder("memory:x").connector(connector));
    assert!(error.contains(".insecure()"), "not implied: {error}");
    assert!(Channel::insecure("localhost:1").is_ok());
}

#[test]
fn plaintext_and_credentials_exclude_each_other() {
    let both = Channel::builder("localhost:1")
        .insecure()
        .credentials(Insecure);
    let error = both.build().expect_err("a fault");
    assert_eq!(error, ChannelError::InsecureCredentials);
    assert!(error.to_string().contains("leave one of them out"));
}

#[test]
fn faults_are_named() {
    let plain = || Channel::builder("localhost:1").insecure();
    assert!(fault(plain().authority("a b")).contains("\"a b\" is no authority"));
    assert!(fault(plain().user_agent("a\nb")).contains("user-agent"));
    assert!(fault(Channel::builder("memory:x").insecure()).contains(".connector("));
    assert!(fault(Channel::builder("ftp://x").insecure()).contains("\"ftp\""));
    let status = Status::from(ChannelError::from(TargetError::Empty));
    assert!(status.message().contains("the target is empty"), "{status}");
    assert!(std::error::Error::source(&status).is_some());
}

#[test]
fn defaults_and_overrides_reach_the_config() {
    let plain = Channel::insecure("dns:///host:50051").expect("a channel");
    let config = &plain.0.config;
    assert_eq!(config.authority.as_str(), "host:50051");
    assert_eq!(config.user_agent, USER_AGENT);
    assert_eq!(config.max_receive_message_bytes, 4_194_304);
    assert_eq!(config.connect.timeout, Duration::from_secs(20));
    assert_eq!(config.max_connections, 4);

    let built = Channel::builder("10.0.0.1:5")
        .insecure()
        .authority("svc.example")
        .user_agent("mine/1")
        .max_connections(0)
        .build()
        .expect("a channel");
    let config = &built.0.config;
    assert_eq!(config.authority.as_str(), "svc.example");
    assert!(
        config
            .user_agent
            .as_bytes()
            .starts_with(b"mine/1 grpc-rust-trunkline/")
    );
    assert_eq!(config.max_connections, 1);
}
