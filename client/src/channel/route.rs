//! By which way a channel's connections reach its addresses: sockets, a proxy, or a connector.

use trunkline_transport::http2::Keepalive;
use trunkline_transport::{
    Address, BoxConnector, Proxy, ProxyConnector, SocketConnector, TcpConfig, TcpConnector,
};

use super::ChannelError;
use crate::resolver::Endpoint;

/// What was said about a proxy.
#[derive(Clone, Debug, Default)]
pub(super) enum ProxyChoice {
    /// Nothing: the environment decides.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Never,
    Explicit(Proxy),
}

/// What a builder knows of the way.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    pub(super) connector: Option<BoxConnector>,
    pub(super) tcp: TcpConfig,
    pub(super) proxy: ProxyChoice,
}

impl Route {
    /// The connector to use, and the proxy that it goes through. A name that the proxy is to look
    /// up is replaced in `endpoint` by an address that is that name.
    pub(super) fn settle(
        self,
        endpoint: &mut Endpoint,
        keepalive: &Keepalive,
    ) -> Result<(BoxConnector, Option<Proxy>), ChannelError> {
        if let Some(connector) = self.connector {
            return match self.proxy {
                ProxyChoice::Explicit(_) => Err(ChannelError::ProxyAndConnector),
                ProxyChoice::Environment | ProxyChoice::Never => Ok((connector, None)),
            };
        }
        if needs_connector(endpoint) {
            return Err(ChannelError::NoConnector);
        }
        let tcp = TcpConnector::new(with_user_timeout(self.tcp, keepalive));
        let Some(proxy) = proxy_for(self.proxy, endpoint)? else {
            return Ok((BoxConnector::new(SocketConnector::new(tcp)), None));
        };
        if let Endpoint::Name { host, port } = endpoint {
            let (host, port) = (host.as_str().into(), *port);
            *endpoint = Endpoint::Addresses(vec![Address::Name { host, port }]);
        }
        let connector = BoxConnector::new(ProxyConnector::new(proxy.clone(), tcp));
        Ok((connector, Some(proxy)))
    }
}

/// The proxy that at least one of the endpoint's addresses goes through.
fn proxy_for(choice: ProxyChoice, endpoint: &Endpoint) -> Result<Option<Proxy>, ChannelError> {
    Ok(match (choice, endpoint) {
        (ProxyChoice::Never, _) => None,
        (ProxyChoice::Explicit(proxy), Endpoint::Name { host, port }) => {
            Some(proxy).filter(|proxy| proxy.carries(host, *port))
        }
        (ProxyChoice::Explicit(proxy), Endpoint::Addresses(list)) => {
            let carried = list.iter().any(|each| proxy.carries_address(each));
            carried.then_some(proxy)
        }
        (ProxyChoice::Environment, Endpoint::Name { host, port }) => {
            Proxy::from_environment(host, *port)?
        }
        (ProxyChoice::Environment, Endpoint::Addresses(list)) => {
            for each in list {
                if let Address::Tcp(address) = each
                    && let Some(proxy) =
                        Proxy::from_environment(&address.ip().to_string(), address.port())?
                {
                    return Ok(Some(proxy));
                }
            }
            None
        }
    })
}

/// Data that the peer does not acknowledge is the same sign as a PING that it does not answer, and
/// the kernel sees it also while a full socket keeps PINGs back. Source: gRFC A18.
fn with_user_timeout(mut tcp: TcpConfig, keepalive: &Keepalive) -> TcpConfig {
    if tcp.user_timeout.is_none() && keepalive.time.is_some() {
        tcp.user_timeout = Some(keepalive.timeout);
    }
    tcp
}

fn needs_connector(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Name { .. } => false,
        Endpoint::Addresses(list) => list
            .iter()
            .any(|each| matches!(each, Address::Memory(_) | Address::Other(_))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn keepalive_bounds_what_stays_unacknowledged_unless_the_socket_option_is_set() {
        let second = Duration::from_secs(1);
        let off = Keepalive::default();
        let on = Keepalive::every(30 * second);
        let plain = TcpConfig::default();
        assert_eq!(with_user_timeout(plain.clone(), &off).user_timeout, None);
        let derived = with_user_timeout(plain.clone(), &on).user_timeout;
        assert_eq!(derived, Some(20 * second));
        let mut chosen = plain;
        chosen.user_timeout = Some(second);
        assert_eq!(with_user_timeout(chosen, &on).user_timeout, Some(second));
    }

    #[test]
    fn a_proxy_takes_names_over_and_leaves_what_it_does_not_carry() {
        let proxy = Proxy::new("proxy:1").unwrap().bypass("inside, 10.0.0.0/8");
        let name = |host: &str| Endpoint::Name {
            host: host.to_owned(),
            port: 5,
        };
        let tcp = |text: &str| Address::Tcp(text.parse().unwrap());
        let list = Endpoint::Addresses;
        let table = [
            (name("inside"), None),
            (
                name("outside"),
                Some(list(vec![Address::Name {
                    host: "outside".into(),
                    port: 5,
                }])),
            ),
            (list(vec![tcp("10.0.0.1:1")]), None),
            (
                list(vec![tcp("10.0.0.1:1"), tcp("11.0.0.1:1")]),
                Some(list(vec![tcp("10.0.0.1:1"), tcp("11.0.0.1:1")])),
            ),
        ];
        for (given, carried) in table {
            let route = Route {
                proxy: ProxyChoice::Explicit(proxy.clone()),
                ..Route::default()
            };
            let mut endpoint = given.clone();
            let (_, through) = route.settle(&mut endpoint, &Keepalive::default()).unwrap();
            assert_eq!(through.is_some(), carried.is_some(), "{given:?}");
            assert_eq!(endpoint, carried.unwrap_or(given));
        }
    }
}
