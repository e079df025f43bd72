//! What a channel is told to call, parsed once.
//!
//! ```text
//! host:port  host  dns:host  dns:///host:port      looked up; port 443 where none is given
//! 1.2.3.4:5  [::1]:5  ::1                          an address already
//! ipv4:1.2.3.4:5,6.7.8.9:10   ipv6:[::1]:5,...     several, tried in order
//! unix:/path  unix:path  unix:///path              a Unix socket; the path is taken as it is written
//! unix-abstract:name                               the same in Linux's abstract namespace
//! memory:name                                      handed to the connector as it is
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::uri::Authority;
use trunkline_transport::{Address, UnixAddressError};

/// Used where a target names no port: the one of HTTPS, as in every other gRPC library.
const DEFAULT_PORT: u16 = 443;

/// A parsed target.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As the user wrote it: for errors.
    pub(crate) text: String,
    pub(crate) endpoint: Endpoint,
    /// What `:authority` says unless the builder overrides it.
    pub(crate) authority: Authority,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Name { host: String, port: u16 },
    Addresses(Vec<Address>),
}

/// Why a target string is not one; every variant names the fault and the text it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetError {
    /// The text is empty.
    Empty,
    /// The scheme is not one that trunkline resolves.
    UnknownScheme {
        /// The target as given.
        target: String,
        /// The scheme that was found in it.
        scheme: String,
    },
    /// `dns://server/host`: asking a particular DNS server is not supported.
    DnsServer {
        /// The target as given.
        target: String,
        /// The server named in it.
        server: String,
    },
    /// No host, or one with characters that no host name has.
    BadHost {
        /// The target as given.
        target: String,
        /// The part that should be a host.
        host: String,
    },
    /// The port is not a number from 1 to 65535.
    BadPort {
        /// The target as given.
        target: String,
        /// The part that should be a port.
        port: String,
    },
    /// An IPv6 address in brackets is malformed or not closed.
    BadBrackets {
        /// The target as given.
        target: String,
    },
    /// `ipv4:` and `ipv6:` take addresses of their own family only.
    BadAddress {
        /// The target as given.
        target: String,
        /// The part that should be an address.
        address: String,
    },
    /// What follows `unix:` or `unix-abstract:` is no name of a Unix socket here.
    BadUnix {
        /// The target as given.
        target: String,
        /// What is wrong with it.
        fault: UnixAddressError,
    },
    /// `unix://host/path`: a Unix socket is on no other host.
    UnixHost {
        /// The target as given.
        target: String,
        /// What stands where a host would.
        host: String,
    },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the target is empty; write host:port"),
            Self::UnknownScheme { target, scheme } => {
                write!(f, "target {target:?}: the scheme {scheme:?} is not known")?;
                match scheme.as_str() {
                    "http" | "https" | "grpc" | "grpcs" => {
                        f.write_str("; write host:port, and choose plaintext on the builder")
                    }
                    _ => f.write_str("; known are dns, ipv4, ipv6, unix, unix-abstract and memory"),
                }
            }
            Self::DnsServer { target, server } => write!(
                f,
                "target {target:?}: asking the DNS server {server:?} is not supported; write dns:///host:port"
            ),
            Self::BadHost { target, host } if host.is_empty() => {
                write!(f, "target {target:?}: the host is empty")
            }
            Self::BadHost { target, host } => {
                write!(f, "target {target:?}: {host:?} is not a host name")
            }
            Self::BadPort { target, port } => write!(
                f,
                "target {target:?}: the port {port:?} is not a number from 1 to 65535"
            ),
            Self::BadBrackets { target } => write!(
                f,
                "target {target:?}: an IPv6 address in brackets is malformed or not closed"
            ),
            Self::BadAddress { target, address } => {
                write!(
                    f,
                    "target {target:?}: {address:?} is not an address of that family"
                )
            }
            Self::BadUnix { target, fault } => write!(f, "target {target:?}: {fault}"),
            Self::UnixHost { target, host } => write!(
                f,
                "target {target:?}: a Unix socket is on no host {host:?}; write unix:///absolute/path or unix:relative/path"
            ),
        }
    }
}

impl std::error::Error for TargetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BadUnix { fault, .. } => Some(fault),
            _ => None,
        }
    }
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        if text.is_empty() {
            return Err(TargetError::Empty);
        }
        let Some((scheme, rest)) = split_scheme(text) else {
            return host_target(text, text);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "dns" => host_target(text, endpoint_of(text, rest)?),
            "ipv4" => addresses_target(text, endpoint_of(text, rest)?, IpAddr::is_ipv4),
            "ipv6" => addresses_target(text, endpoint_of(text, rest)?, IpAddr::is_ipv6),
            "memory" => memory_target(text, endpoint_of(text, rest)?),
            "unix" => unix_target(text, unix_name(text, rest)?, |path| Address::unix(path)),
            "unix-abstract" => unix_target(text, unix_name(text, rest)?, |name| {
                Address::unix_abstract(name)
            }),
            unknown => Err(TargetError::UnknownScheme {
                target: text.to_owned(),
                scheme: unknown.to_owned(),
            }),
        }
    }
}

/// Schemes that are recognised without `//`; anything else before a `:` is a host name.
const SCHEMES: [&str; 9] = [
    "dns",
    "ipv4",
    "ipv6",
    "memory",
    "unix",
    "unix-abstract",
    "passthrough",
    "xds",
    "vsock",
];

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let known = SCHEMES.iter().any(|each| each.eq_ignore_ascii_case(scheme));
    (known || rest.starts_with("//")).then_some((scheme, rest))
}

/// `rest` is `endpoint`, `/endpoint` or `//authority/endpoint`; only an empty authority is taken.
fn endpoint_of<'a>(target: &str, rest: &'a str) -> Result<&'a str, TargetError> {
    let Some(rest) = rest.strip_prefix("//") else {
        return Ok(rest.strip_prefix('/').unwrap_or(rest));
    };
    match rest.split_once('/') {
        Some(("", endpoint)) => Ok(endpoint),
        Some((server, _)) => Err(TargetError::DnsServer {
            target: target.to_owned(),
            server: server.to_owned(),
        }),
        None => Err(TargetError::DnsServer {
            target: target.to_owned(),
            server: rest.to_owned(),
        }),
    }
}

fn host_target(target: &str, endpoint: &str) -> Result<Target, TargetError> {
    let endpoint_parsed = match parse_host_port(target, endpoint)? {
        (Host::Ip(ip), port) => Endpoint::Addresses(vec![Address::Tcp(SocketAddr::new(ip, port))]),
        (Host::Name(host), port) => Endpoint::Name { host, port },
    };
    let bare_v6 = endpoint.parse::<Ipv6Addr>().is_ok();
    let authority = if bare_v6 {
        format!("[{endpoint}]")
    } else {
        endpoint.to_owned()
    };
    Ok(Target {
        text: target.to_owned(),
        endpoint: endpoint_parsed,
        authority: authority.parse().map_err(|_| bad_host(target, endpoint))?,
    })
}

fn addresses_target(
    target: &str,
    list: &str,
    family: fn(&IpAddr) -> bool,
) -> Result<Target, TargetError> {
    let mut addresses = Vec::new();
    for each in list.split(',') {
        match parse_host_port(target, each)? {
            (Host::Ip(ip), port) if family(&ip) => {
                addresses.push(Address::Tcp(SocketAddr::new(ip, port)));
            }
            (Host::Ip(_) | Host::Name(_), _) => {
                return Err(TargetError::BadAddress {
                    target: target.to_owned(),
                    address: each.to_owned(),
                });
            }
        }
    }
    let first = addresses
        .first()
        .map(Address::to_string)
        .unwrap_or_default();
    Ok(Target {
        text: target.to_owned(),
        endpoint: Endpoint::Addresses(addresses),
        authority: first.parse().map_err(|_| bad_host(target, list))?,
    })
}

/// `rest` is `/path`, `path` or `///path`. Nothing in it is decoded: any path may be written.
fn unix_name<'a>(target: &str, rest: &'a str) -> Result<&'a str, TargetError> {
    let Some(after) = rest.strip_prefix("//") else {
        return Ok(rest);
    };
    if after.is_empty() || after.starts_with('/') {
        return Ok(after);
    }
    Err(TargetError::UnixHost {
        target: target.to_owned(),
        host: after.split('/').next().unwrap_or(after).to_owned(),
    })
}

fn unix_target(
    target: &str,
    name: &str,
    address: fn(&str) -> Result<Address, UnixAddressError>,
) -> Result<Target, TargetError> {
    let address = address(name).map_err(|fault| TargetError::BadUnix {
        target: target.to_owned(),
        fault,
    })?;
    Ok(Target {
        text: target.to_owned(),
        endpoint: Endpoint::Addresses(vec![address]),
        // A path is no authority, and servers refuse what is none.
        authority: Authority::from_static("localhost"),
    })
}

fn memory_target(target: &str, name: &str) -> Result<Target, TargetError> {
    if name.is_empty() {
        return Err(bad_host(target, name));
    }
    Ok(Target {
        text: target.to_owned(),
        endpoint: Endpoint::Addresses(vec![Address::Memory(name.into())]),
        authority: name
            .parse()
            .unwrap_or_else(|_| Authority::from_static("localhost")),
    })
}

enum Host {
    Ip(IpAddr),
    Name(String),
}

fn parse_host_port(target: &str, text: &str) -> Result<(Host, u16), TargetError> {
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Ok((Host::Ip(ip.into()), DEFAULT_PORT));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let broken = || TargetError::BadBrackets {
            target: target.to_owned(),
        };
        let (inside, after) = rest.split_once(']').ok_or_else(broken)?;
        let ip: Ipv6Addr = inside.parse().map_err(|_| broken())?;
        let port = match after.strip_prefix(':') {
            Some(port) => parse_port(target, port)?,
            None if after.is_empty() => DEFAULT_PORT,
            None => return Err(broken()),
        };
        return Ok((Host::Ip(ip.into()), port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, parse_port(target, port)?),
        None => (text, DEFAULT_PORT),
    };
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok((Host::Ip(ip.into()), port));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err(bad_host(target, host));
    }
    Ok((Host::Name(host.to_owned()), port))
}

fn parse_port(target: &str, port: &str) -> Result<u16, TargetError> {
    let bad = || TargetError::BadPort {
        target: target.to_owned(),
        port: port.to_owned(),
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(bad()),
        Ok(port) => Ok(port),
    }
}

fn bad_host(target: &str, host: &str) -> TargetError {
    TargetError::BadHost {
        target: target.to_owned(),
        host: host.to_owned(),
    }
}

#[cfg(test)]
mod tests;
