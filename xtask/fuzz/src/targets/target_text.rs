//! What a channel is told to call, in text.
//!
//! Input: a byte for the scheme, then the target, an authority and a user agent.

use std::net::SocketAddr;

use trunkline::Channel;

use crate::Source;

const SCHEMES: &[&str] = &[
    "",
    "dns:",
    "dns:///",
    "ipv4:",
    "ipv6:",
    "unix:",
    "unix://",
    "unix-abstract:",
    "memory:",
    "http://",
    "DNS:",
    "xds:///",
    "passthrough:///",
    "[",
    "ipv6:[",
];

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let scheme = source.pick(SCHEMES);
    let rest = source.text();
    let target = format!("{scheme}{rest}");
    let (authority, agent) = (source.text(), source.text());
    let alone = Channel::builder(&target).insecure().no_proxy().build();
    match alone {
        Ok(channel) => {
            let _ = format!("{channel:?}");
            assert!(!target.is_empty());
        }
        Err(error) => {
            let text = error.to_string();
            // That one wants a connector, whatever its name is.
            let scheme = target.split_once(':').map(|(scheme, _)| scheme);
            let is_memory = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("memory"));
            assert!(
                text.contains(&format!("{target:?}")) || target.is_empty() || is_memory,
                "{text}"
            );
            assert!(!is_address(&target), "{text}");
        }
    }
    let mut builder = Channel::builder(&target).insecure().no_proxy();
    if !authority.is_empty() {
        builder = builder.authority(authority);
    }
    if !agent.is_empty() {
        builder = builder.user_agent(agent);
    }
    if let Err(error) = builder.build() {
        assert!(!error.to_string().is_empty());
    }
}

/// What is an address with a port needs no other rule.
fn is_address(target: &str) -> bool {
    // A zone has no place in an authority.
    let address = target.parse::<SocketAddr>();
    address.is_ok_and(|address| address.port() > 0) && !target.contains('%')
}
