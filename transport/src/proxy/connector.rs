//! The connector that reaches servers through a proxy.

use std::io;

use super::{Proxy, tunnel};
use crate::{Address, BoxIo, Connector, SocketConnector, TcpConnector};

/// Connects through a [`Proxy`], and without it where the proxy does not carry the address.
///
/// [`Address::Name`] goes to the proxy as it is, to be looked up there. The channel's connect
/// timeout bounds all of it: reaching the proxy, and its answer.
///
/// Errors: the proxy cannot be reached, refuses, answers nonsense, or with a head of more than
/// 16 KiB. The text names the proxy and what it said.
#[derive(Clone, Debug)]
pub struct ProxyConnector {
    proxy: Proxy,
    tcp: TcpConnector,
    direct: SocketConnector,
}

impl ProxyConnector {
    /// One whose TCP connections, to the proxy and past it, are made by `tcp`.
    #[must_use]
    pub fn new(proxy: Proxy, tcp: TcpConnector) -> Self {
        Self {
            proxy,
            direct: SocketConnector::new(tcp.clone()),
            tcp,
        }
    }

    /// A connection to the proxy: the first of its addresses that answers.
    async fn reach(&self) -> io::Result<BoxIo> {
        let unreachable = |why: String, error: &io::Error| {
            let text = format!("the proxy {} cannot be reached: {why}", self.proxy);
            io::Error::new(error.kind(), text)
        };
        let place = (self.proxy.host.as_str(), self.proxy.port);
        let found = tokio::net::lookup_host(place).await;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        let mut failures = Vec::new();
        for address in found.map_err(|error| unreachable(error.to_string(), &error))? {
            match self.tcp.open(address).await {
                Ok(io) => return Ok(io),
                Err(error) => {
                    failures.push(format!("{address}: {error}"));
                    last = error;
                }
            }
        }
        if failures.is_empty() {
            failures.push("its name has no address".to_owned());
        }
        Err(unreachable(failures.join("; "), &last))
    }
}

impl Connector for ProxyConnector {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        if !self.proxy.carries_address(to) {
            return self.direct.connect(to).await;
        }
        let io = self.reach().await?;
        tunnel::open(io, &self.proxy, &to.to_string()).await
    }
}
