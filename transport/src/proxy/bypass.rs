//! What is reached without a proxy: the rules of `no_proxy`, which every tool reads in its own way.
//!
//! Ours are those of curl with the ports of Go: a name stands for itself and what is under it, with
//! or without a leading dot, and always up to a dot, so that `ample.com` does not mean
//! `example.com`.

use std::net::IpAddr;

use super::host_and_port;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bypass {
    rules: Vec<Rule>,
    /// Whether this machine is reached without the proxy.
    pub(super) local: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Everything,
    /// A lower-case name without dots around it, and all names under it.
    Name(String, Option<u16>),
    Ip(IpAddr, Option<u16>),
    /// All addresses that begin with these bits.
    Network(IpAddr, u32),
}

impl Bypass {
    pub(super) fn add(&mut self, list: &str) {
        let entries = list.split(',').map(str::trim);
        self.rules.extend(entries.filter_map(Rule::parse));
    }

    /// Whether this server is reached without the proxy.
    pub(super) fn names(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            Ok(ip) => {
                let ip = ip.to_canonical();
                self.local && ip.is_loopback()
                    || self.rules.iter().any(|rule| rule.has_ip(ip, port))
            }
            Err(_) => {
                self.local && is_under(&host, "localhost")
                    || self.rules.iter().any(|rule| rule.has_name(&host, port))
            }
        }
    }
}

impl Rule {
    fn parse(entry: &str) -> Option<Self> {
        if entry.is_empty() {
            return None;
        }
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Some((network, bits)) = entry.split_once('/')
            && let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse())
        {
            return Some(Self::Network(network.to_canonical(), bits));
        }
        let name = entry.strip_prefix('*').unwrap_or(entry);
        let name = name.strip_prefix('.').unwrap_or(name);
        let (host, port) = host_and_port(name).unwrap_or((name, None));
        Some(match host.parse::<IpAddr>() {
            Ok(ip) => Self::Ip(ip.to_canonical(), port),
            Err(_) => Self::Name(host.trim_end_matches('.').to_ascii_lowercase(), port),
        })
    }

    fn has_name(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Everything => true,
            Self::Name(name, only) => only.is_none_or(|only| only == port) && is_under(host, name),
            Self::Ip(..) | Self::Network(..) => false,
        }
    }

    fn has_ip(&self, ip: IpAddr, port: u16) -> bool {
        match self {
            Self::Everything => true,
            Self::Name(..) => false,
            Self::Ip(address, only) => only.is_none_or(|only| only == port) && *address == ip,
            Self::Network(network, bits) => match (network, ip) {
                (IpAddr::V4(network), IpAddr::V4(ip)) => {
                    let differing = network.to_bits() ^ ip.to_bits();
                    *bits <= 32 && differing.leading_zeros() >= *bits
                }
                (IpAddr::V6(network), IpAddr::V6(ip)) => {
                    let differing = network.to_bits() ^ ip.to_bits();
                    *bits <= 128 && differing.leading_zeros() >= *bits
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
            },
        }
    }
}

/// Whether `host` is `name` or ends with it after a dot.
fn is_under(host: &str, name: &str) -> bool {
    match host.strip_suffix(name) {
        Some("") => true,
        Some(before) => before.ends_with('.'),
        None => false,
    }
}
