//! The proxy that the process's environment asks for.

use std::ffi::OsString;

use super::{Proxy, ProxyError};

/// Lower case first, as in curl; grpc-go reads the second, C-core all of lower case.
const PROXIES: [&str; 4] = ["grpc_proxy", "https_proxy", "HTTPS_PROXY", "http_proxy"];

const EXCEPTIONS: [&str; 3] = ["no_grpc_proxy", "no_proxy", "NO_PROXY"];

pub(super) fn proxy_for(
    host: &str,
    port: u16,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Proxy>, ProxyError> {
    let first = |names: &'static [&'static str]| {
        names.iter().find_map(|name| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some((*name, value.to_string_lossy().into_owned()))
        })
    };
    let Some((name, url)) = first(&PROXIES) else {
        return Ok(None);
    };
    let mut bypass = super::Bypass::default();
    bypass.local = true;
    if let Some((_, list)) = first(&EXCEPTIONS) {
        bypass.add(&list);
    }
    // A variable that is no proxy hurts only those who would need one.
    if bypass.names(host, port) {
        return Ok(None);
    }
    match Proxy::new(&url) {
        Ok(proxy) => Ok(Some(Proxy { bypass, ..proxy })),
        Err(fault) => Err(ProxyError::Variable {
            name,
            fault: Box::new(fault),
        }),
    }
}
