//! What one call asks for, and what becomes of it together with the channel's defaults.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use trunkline_core::{Deadline, Encoding, Inherited, Metadata, MetadataError, Status};
use trunkline_transport::now;

use super::expiry::{Bound, Expiry};
use crate::channel::Shared;
use crate::credentials::BoxCallCredentials;

/// What was set on a call before it was awaited.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) inherited_deadline: Option<Deadline>,
    pub(crate) metadata: Metadata,
    pub(crate) wait_for_ready: Option<bool>,
    pub(crate) max_receive_message_bytes: Option<usize>,
    pub(crate) max_send_message_bytes: Option<usize>,
    /// What few calls have: the others neither hold nor move room for it.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default)]
struct Rare {
    /// The first metadata entry that cannot be sent: fails the call when it is awaited.
    fault: Option<MetadataError>,
    credentials: Vec<BoxCallCredentials>,
    encoding: RequestEncoding,
}

/// What a call's requests are compressed with.
#[derive(Clone, Debug, Default)]
enum RequestEncoding {
    /// What the channel says.
    #[default]
    Channel,
    /// Nothing.
    Identity,
    Chosen(Encoding),
    /// Not among the channel's: fails the call when it is awaited.
    Unknown(Box<str>),
}

impl Options {
    pub(crate) fn append(&mut self, key: &str, value: &str) {
        let result = self.metadata.append(key, value);
        self.note(result);
    }

    pub(crate) fn append_bin(&mut self, key: &str, value: &[u8]) {
        let result = self.metadata.append_bin(key, value);
        self.note(result);
    }

    pub(crate) fn add_credentials(&mut self, credentials: BoxCallCredentials) {
        self.rare_mut().credentials.push(credentials);
    }

    /// The call's own, beside the channel's.
    pub(crate) fn credentials(&self) -> &[BoxCallCredentials] {
        self.rare.as_ref().map_or(&[], |rare| &rare.credentials)
    }

    pub(crate) fn compress(&mut self, name: &str, shared: &Shared) {
        let known = shared.config.compression.compression.registry();
        self.rare_mut().encoding = match known.find(name) {
            Some(encoding) => RequestEncoding::Chosen(encoding.clone()),
            None if name == "identity" => RequestEncoding::Identity,
            None => RequestEncoding::Unknown(name.into()),
        };
    }

    /// Errors: requests are to be compressed with what the channel does not have.
    pub(crate) fn known_encoding(&self) -> Result<(), Status> {
        let Some(RequestEncoding::Unknown(name)) = self.rare.as_ref().map(|rare| &rare.encoding)
        else {
            return Ok(());
        };
        let text = format!("{name:?} is not among the channel's compressors");
        Err(Status::internal(text).with_unprocessed(true))
    }

    /// What the requests are compressed with, if they are.
    pub(crate) fn encoding<'s>(&'s self, shared: &'s Shared) -> Option<&'s Encoding> {
        match self.rare.as_ref().map(|rare| &rare.encoding) {
            None | Some(RequestEncoding::Channel) => shared.config.compression.requests.as_ref(),
            Some(RequestEncoding::Chosen(encoding)) => Some(encoding),
            Some(RequestEncoding::Identity | RequestEncoding::Unknown(_)) => None,
        }
    }

    pub(crate) fn inherit(&mut self, inherited: Inherited) {
        self.inherited_deadline = Deadline::earliest(self.inherited_deadline, inherited.deadline);
        self.metadata.extend(inherited.metadata);
    }

    fn note(&mut self, result: Result<(), MetadataError>) {
        if let Err(error) = result {
            self.rare_mut().fault.get_or_insert(error);
        }
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// What there is to check and compute once, when the call is first polled.
    ///
    /// Errors: metadata that cannot be sent; an encoding that the channel does not have; a deadline
    /// that has passed.
    pub(crate) fn begin(&mut self, shared: &Shared) -> Result<Expiry, Status> {
        if self.rare.is_some() {
            self.check_rare()?;
        }
        // One reading for both, so that the text says the span that was asked for.
        let began = OnceCell::new();
        let clock = || *began.get_or_init(now);
        let Some((deadline, bound)) = self.resolve_deadline(shared, clock) else {
            return Ok(Expiry::never());
        };
        let left = deadline.remaining(clock());
        if left.is_zero() {
            let text = format!("{bound} had already passed when the call was made");
            return Err(Status::deadline_exceeded(text).with_unprocessed(true));
        }
        Ok(Expiry::new(deadline, bound, left))
    }

    fn check_rare(&mut self) -> Result<(), Status> {
        if let Some(fault) = self.rare_mut().fault.take() {
            return Err(Status::internal(fault.to_string())
                .with_unprocessed(true)
                .with_source(fault));
        }
        self.known_encoding()
    }

    /// The earliest of all deadlines that apply, and whose it is; reads the clock only where it has
    /// to.
    ///
    /// The channel's timeout is for calls that set neither a timeout nor a deadline of their own;
    /// what is inherited only ever shortens.
    pub(crate) fn resolve_deadline(
        &self,
        shared: &Shared,
        now: impl FnOnce() -> Instant,
    ) -> Option<(Deadline, Bound)> {
        let timeout = match (self.timeout, self.deadline) {
            (None, None) => shared.config.timeout.map(|span| (span, Bound::Channel)),
            (timeout, _) => timeout.map(|span| (span, Bound::Timeout)),
        };
        let timeout = timeout.map(|(span, bound)| (Deadline::after(now(), span), bound));
        let deadline = self.deadline.map(|each| (each, Bound::Deadline));
        let inherited = self.inherited_deadline.map(|each| (each, Bound::Inherited));
        // The first of equal ones: what was said at the call itself.
        [timeout, deadline, inherited]
            .into_iter()
            .flatten()
            .min_by_key(|(each, _)| each.instant())
    }

    pub(crate) fn max_receive(&self, shared: &Shared) -> usize {
        let default = shared.config.max_receive_message_bytes;
        self.max_receive_message_bytes.unwrap_or(default)
    }

    pub(crate) fn max_send(&self, shared: &Shared) -> usize {
        let default = shared.config.max_send_message_bytes;
        self.max_send_message_bytes.unwrap_or(default)
    }

    pub(crate) fn waits_for_ready(&self, shared: &Shared) -> bool {
        self.wait_for_ready.unwrap_or(shared.config.wait_for_ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Channel;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_earliest_deadline_wins_and_the_default_is_only_a_default() {
        let now = Instant::now();
        let channel = Channel::builder("host:1").insecure().timeout(5 * SECOND);
        let channel = channel.build().expect("a channel");
        let resolve = |options: &Options| options.resolve_deadline(&channel.0, || now);

        let mut options = Options::default();
        let at = |seconds: u32| Deadline::after(now, seconds * SECOND);
        assert_eq!(resolve(&options), Some((at(5), Bound::Channel)));
        options.timeout = Some(60 * SECOND);
        assert_eq!(resolve(&options), Some((at(60), Bound::Timeout)));
        options.deadline = Some(at(20));
        assert_eq!(resolve(&options), Some((at(20), Bound::Deadline)));
        let mut inherited = Inherited::new();
        inherited.deadline = Some(at(1));
        options.inherit(inherited);
        assert_eq!(resolve(&options), Some((at(1), Bound::Inherited)));
        options.timeout = Some(SECOND);
        assert_eq!(resolve(&options), Some((at(1), Bound::Timeout)));
        options.timeout = None;
        options.deadline = None;
        assert_eq!(resolve(&options), Some((at(1), Bound::Inherited)));
    }

    #[test]
    fn without_a_deadline_the_clock_is_not_read() {
        let channel = Channel::insecure("host:1").expect("a channel");
        let options = Options::default();
        assert_eq!(
            options.resolve_deadline(&channel.0, || panic!("read")),
            None
        );
    }

    #[test]
    fn the_first_bad_entry_is_kept_and_the_good_ones_too() {
        let mut options = Options::default();
        options.append("ok", "1");
        options.append("Bad Key", "1");
        options.append("grpc-x", "1");
        options.append_bin("raw-bin", &[0, 255]);
        let fault = options
            .rare_mut()
            .fault
            .take()
            .expect("a fault")
            .to_string();
        assert!(fault.contains("Bad Key"), "{fault}");
        assert_eq!(options.metadata.len(), 2);
    }
}
