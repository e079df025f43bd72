//! HTTP proxies: which one a connection goes through, and the tunnel that it opens.

mod bypass;
mod connector;
mod environment;
mod error;
mod tunnel;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Address;
use bypass::Bypass;
pub use connector::ProxyConnector;
pub use error::ProxyError;

/// Where a proxy URL names no port: that of its scheme.
const DEFAULT_PORT: u16 = 80;

/// An HTTP proxy that opens tunnels by the CONNECT method.
///
/// The proxy is told the name of the server and looks it up itself; all that follows, TLS too,
/// goes end to end through the tunnel. The way to the proxy itself is not encrypted.
///
/// Neither `Debug` nor `Display`, nor any error, shows the credentials.
///
/// ```
/// use trunkline_transport::Proxy;
///
/// let proxy = Proxy::new("http://proxy.corp.example:3128")?
///     .basic_auth("me", "secret")
///     .bypass("localhost, .corp.example, 10.0.0.0/8");
/// assert_eq!(proxy.to_string(), "http://proxy.corp.example:3128");
/// assert!(proxy.carries("api.example.com", 443));
/// assert!(!proxy.carries("build.corp.example", 443));
/// # Ok::<(), trunkline_transport::ProxyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    /// What `Proxy-Authorization` says.
    authorization: Option<String>,
    bypass: Bypass,
}

impl Proxy {
    /// A proxy for every address, but those that [`bypass`](Self::bypass) names.
    ///
    /// Shape of `url`: `http://user:password@host:port`, where all but the host may be left out;
    /// user and password are percent-encoded. Without a port it is 80.
    ///
    /// # Errors
    /// The scheme is not `http`: TLS to the proxy itself, and SOCKS, are not supported. The host or
    /// the port is none. The text never shows user and password.
    pub fn new(url: &str) -> Result<Self, ProxyError> {
        let url = url.trim();
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) if is_scheme(scheme) => {
                let scheme = scheme.to_owned();
                return Err(ProxyError::Scheme { scheme });
            }
            Some(_) | None => url,
        };
        // Before anything else: an unencoded slash in a password must not bring it into an error.
        let (userinfo, place) = match rest.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, rest),
        };
        let place = place.split(['/', '?', '#']).next().unwrap_or(place);
        let (host, port) = host_and_port(place).ok_or_else(|| ProxyError::Place {
            place: place.to_owned(),
        })?;
        let proxy = Self {
            host: host.to_owned(),
            port: port.unwrap_or(DEFAULT_PORT),
            authorization: None,
            bypass: Bypass::default(),
        };
        Ok(match userinfo {
            Some(userinfo) => {
                let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
                proxy.authorized(&percent_decoded(user), &percent_decoded(password))
            }
            None => proxy,
        })
    }

    /// Shows the proxy who connects (RFC 7617), instead of what the URL said. A user name cannot
    /// hold a colon: what follows it would be taken for the password.
    #[must_use]
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        self.authorized(user.as_bytes(), password.as_bytes())
    }

    /// Names what is reached without the proxy, in addition to what was named before.
    ///
    /// Shape: entries with commas between them. `example.com` and `.example.com` both mean that
    /// name and all names under it; `10.1.2.3`, `::1` and `10.0.0.0/8` mean addresses that are
    /// given as such (a name is not looked up for this); each but the last may be followed by
    /// `:port`. `*` is everything. What is none of these is taken for a name that nothing has.
    #[must_use]
    pub fn bypass(mut self, list: &str) -> Self {
        self.bypass.add(list);
        self
    }

    /// The proxy that the environment has for this server; `None` where there is none, or where
    /// the server is to be reached without it.
    ///
    /// 1. The first of the variables `grpc_proxy`, `https_proxy`, `HTTPS_PROXY` and `http_proxy`
    ///    that is set and not empty. `HTTP_PROXY` is not read: a web server sets it from a
    ///    request's header.
    /// 2. The first of `no_grpc_proxy`, `no_proxy` and `NO_PROXY` that is set says what is reached
    ///    without it, in the form of [`bypass`](Self::bypass).
    /// 3. `localhost`, names under it and loopback addresses never go through it.
    ///
    /// # Errors
    /// The server is to be reached through the proxy, and the variable, which the text names, does
    /// not hold one.
    pub fn from_environment(host: &str, port: u16) -> Result<Option<Self>, ProxyError> {
        environment::proxy_for(host, port, |name| std::env::var_os(name))
    }

    /// Whether connections to this server go through the proxy.
    #[must_use]
    pub fn carries(&self, host: &str, port: u16) -> bool {
        !self.bypass.names(host, port)
    }

    /// The same for an address: only names and TCP addresses ever do.
    #[must_use]
    pub fn carries_address(&self, address: &Address) -> bool {
        match address {
            Address::Tcp(address) => self.carries(&address.ip().to_string(), address.port()),
            Address::Name { host, port } => self.carries(host, *port),
            _ => false,
        }
    }

    fn authorized(mut self, user: &[u8], password: &[u8]) -> Self {
        let pair = [user, b":", password].concat();
        self.authorization = Some(format!("Basic {}", STANDARD.encode(pair)));
        self
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => write!(f, "http://[{address}]:{}", self.port),
            Err(_) => write!(f, "http://{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &format_args!("{self}"))
            .field("authorized", &self.authorization.is_some())
            .field("bypass", &self.bypass)
            .finish()
    }
}

fn is_scheme(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// `host`, `host:port`, `[v6]`, `[v6]:port` or `v6`.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text, None));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, Some(port_number(port)?))),
            None => after.is_empty().then_some((host, None)),
        };
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port_number(port)?)),
        None => (text, None),
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name = !host.is_empty() && host.bytes().all(allowed);
    (is_name || host.parse::<Ipv4Addr>().is_ok()).then_some((host, port))
}

fn port_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// What is not percent-encoded well is taken as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let hex = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = (*first == b'%').then(|| (hex(after.first()), hex(after.get(1))));
        if let Some((Some(high), Some(low))) = pair {
            decoded.extend(u8::try_from(high * 16 + low));
            rest = after.get(2..).unwrap_or_default();
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    decoded
}

#[cfg(test)]
mod tests;
