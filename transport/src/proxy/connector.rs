//! The connector that reaches servers through a proxy.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Proxy, tunnel};
use crate::{Address, BoxIo, Connector, SocketConnector, TcpConnector};

/// How long one address of a proxy may take until the next is tried beside it: as between the
/// addresses of a server (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

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
        let found = found.map_err(|error| unreachable(error.to_string(), &error))?;
        let open = |address| {
            let tcp = self.tcp.clone();
            async move { tcp.open(address).await }
        };
        first_of(found, open).await.map_err(|failures| {
            let each = failures.iter();
            let each = each.map(|(address, error)| format!("{address}: {error}"));
            match failures.last() {
                Some((_, last)) => unreachable(each.collect::<Vec<_>>().join("; "), last),
                None => {
                    let none = io::Error::from(io::ErrorKind::NotFound);
                    unreachable("its name has no address".to_owned(), &none)
                }
            }
        })
    }
}

/// What `open` makes of the first address that answers. The next one is tried as soon as one has
/// failed, and beside those that take long: one that leads nowhere must not use up the time of all.
///
/// Errors: that of each address.
async fn first_of<T, Opening>(
    addresses: impl IntoIterator<Item = SocketAddr>,
    open: impl Fn(SocketAddr) -> Opening,
) -> Result<T, Vec<(SocketAddr, io::Error)>>
where
    T: Send + 'static,
    Opening: Future<Output = io::Result<T>> + Send + 'static,
{
    let mut rest = addresses.into_iter().peekable();
    // Dropped, it drops the attempts.
    let mut attempts = JoinSet::new();
    let mut failures = Vec::new();
    loop {
        if let Some(address) = rest.next() {
            let opening = open(address);
            attempts.spawn(async move { (address, opening.await) });
        }
        let ended = match rest.peek() {
            Some(_) => timeout(HEAD_START, attempts.join_next()).await,
            None => Ok(attempts.join_next().await),
        };
        match ended {
            Err(_slow) => {}
            Ok(None) => return Err(failures),
            Ok(Some(Ok((_, Ok(opened))))) => return Ok(opened),
            Ok(Some(Ok((address, Err(error))))) => failures.push((address, error)),
            // The runtime is shutting down.
            Ok(Some(Err(_cut))) => {}
        }
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::now;

    fn addresses<const N: u16>() -> impl Iterator<Item = SocketAddr> {
        (1..=N).map(|port| SocketAddr::from(([192, 0, 2, 1], port)))
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_leads_nowhere_costs_its_head_start_alone() {
        let began = now();
        let opened = first_of(addresses::<3>(), |address| async move {
            match address.port() {
                1 => pending().await,
                2 => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
                port => Ok(port),
            }
        });
        assert_eq!(opened.await.unwrap(), 3);
        assert_eq!(now() - began, HEAD_START);
    }

    #[tokio::test(start_paused = true)]
    async fn the_slow_one_still_wins_where_the_others_fail() {
        let opened = first_of(addresses::<2>(), |address| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            match address.port() {
                1 => Ok("slow"),
                _ => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
            }
        });
        assert_eq!(opened.await.unwrap(), "slow");
    }

    #[tokio::test(start_paused = true)]
    async fn where_none_answers_each_tells_why() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let opened = first_of::<(), _>(addresses::<2>(), |_| async move { Err(refused()) });
        let failures = opened.await.unwrap_err();
        let ports: Vec<_> = failures.iter().map(|(address, _)| address.port()).collect();
        assert_eq!(ports, [1, 2]);
        let none = first_of::<(), _>([], |_| async move { Err(refused()) });
        assert!(none.await.unwrap_err().is_empty());
    }
}
