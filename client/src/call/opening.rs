//! Opening one stream for a call: pick a connection, write the head, start; again where the start
//! found that nothing can be sent there.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use trunkline_core::{Attempt, Deadline, MethodDescriptor, Origin, Stage, Status};
use trunkline_transport::http2::{ClientConnection, Permit, RequestHead};
use trunkline_transport::stream::{Compress, MessageHooks};
use trunkline_transport::{Address, Peer};

use super::auth::Auth;
use super::expiry::Expiry;
use super::options::Options;
use super::ready::wait;
use super::watch::Watch;
use crate::channel::{ChannelRef, Picked};
use crate::interceptor::Ends;

/// How often a call is started on connections that turn out to be closing before anything was
/// sent. Each such connection leaves the snapshot, so more than a few mean that the peer accepts
/// connections only to close them.
const MAX_UNSENT: u32 = 5;

type Waiting = Pin<Box<dyn Future<Output = Result<Picked, Status>> + Send + Sync>>;

pub(crate) struct Opening<'a> {
    channel: ChannelRef<'a>,
    pub(crate) method: &'static MethodDescriptor,
    subtype: &'static str,
    options: Options,
    pub(crate) expiry: Expiry,
    /// The credentials of the call; most have none.
    auth: Option<Box<Auth>>,
    /// Who watches the call; nobody watches most.
    watch: Option<Box<Watch>>,
    begun: bool,
    waiting: Option<Waiting>,
    unsent: u32,
    /// What was tried so far and failed.
    tried: Vec<Attempt>,
}

/// What starting a stream needs.
pub(crate) struct Start<'s> {
    pub(crate) connection: &'s ClientConnection,
    pub(crate) permit: Permit,
    pub(crate) head: RequestHead<'s>,
    /// When the call is given up.
    pub(crate) deadline: Option<Deadline>,
    pub(crate) max_receive_bytes: usize,
    pub(crate) max_send_bytes: usize,
    /// How requests that follow the head are compressed.
    pub(crate) compress: Option<Compress>,
    pub(crate) hooks: Option<&'s MessageHooks>,
}

/// What became of a start.
enum Started<R> {
    /// There, if somebody wants to know.
    Yes(R, Option<Peer>),
    No(Status, Peer),
    /// The credentials of the call have to be asked for this peer first.
    Ask(Peer),
}

/// Whether the peer took the call that has failed like this, or may have taken it.
pub(crate) fn was_taken(why: &Status, has_head: bool) -> bool {
    has_head || (why.origin() != Origin::Local && !why.is_unprocessed())
}

impl<'a> Opening<'a> {
    #[inline]
    pub(crate) fn new(
        channel: ChannelRef<'a>,
        method: &'static MethodDescriptor,
        subtype: &'static str,
        options: Options,
    ) -> Self {
        let auth = Auth::new(channel.shared(), &options);
        Self {
            channel,
            method,
            subtype,
            options,
            expiry: Expiry::never(),
            auth,
            watch: None,
            begun: false,
            waiting: None,
            unsent: 0,
            tried: Vec::new(),
        }
    }

    /// The same for a call that has begun already, in front of the interceptors.
    pub(crate) fn begun(
        channel: ChannelRef<'a>,
        method: &'static MethodDescriptor,
        subtype: &'static str,
        options: Options,
        expiry: Expiry,
        watch: Option<Box<Watch>>,
    ) -> Self {
        Self {
            begun: true,
            expiry,
            watch,
            ..Self::new(channel, method, subtype, options)
        }
    }

    /// Ready once `start` has opened a stream. After that it may be polled again to open another.
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut start: impl FnMut(Start<'_>) -> Result<R, Status>,
    ) -> Poll<Result<R, Status>> {
        // A call that begins and finds a connection at once reads the clock once.
        let mut is_first = !self.begun && self.auth.is_none();
        self.begin_once()?;
        loop {
            ready!(self.poll_auth(cx))?;
            let is_first = std::mem::take(&mut is_first);
            let opened = if let Some(waiting) = &mut self.waiting {
                let picked = ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
                let picked = picked?;
                Some(self.start(&picked.connection, picked.permit, false, &mut start))
            } else {
                let shared = self.channel.shared();
                shared.try_pick(|connection, permit| {
                    self.start(connection, permit, is_first, &mut start)
                })
            };
            match opened {
                None => {
                    let shared = self.channel.shared();
                    let wait_for_ready = self.options.waits_for_ready(shared);
                    let wait = wait(shared.clone(), wait_for_ready, self.expiry.again());
                    self.waiting = Some(Box::pin(wait));
                }
                Some(Started::Yes(opened, peer)) => {
                    self.started(peer.as_ref());
                    return Poll::Ready(Ok(opened));
                }
                Some(Started::Ask(peer)) => self.ask(&peer)?,
                Some(Started::No(why, peer))
                    if why.is_unprocessed() && self.unsent < MAX_UNSENT =>
                {
                    self.unsent += 1;
                    self.tried(&why, Some(peer.address()));
                    self.started(None);
                    tracing::debug!(
                        method = self.method.path,
                        reason = why.message(),
                        "not sent, picking again"
                    );
                }
                Some(Started::No(why, _)) if why.is_unprocessed() => {
                    let times = self.unsent + 1;
                    return Poll::Ready(Err(why.context(format_args!(
                        "given up after {times} connections took no call"
                    ))));
                }
                Some(Started::No(why, _)) => return Poll::Ready(Err(why)),
            }
        }
    }

    /// Ready when no credentials are being asked.
    fn poll_auth(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let Some(auth) = &mut self.auth else {
            return Poll::Ready(Ok(()));
        };
        if let Poll::Ready(asked) = auth.poll(cx) {
            return Poll::Ready(asked);
        }
        ready!(self.expiry.poll(cx));
        let doing = "waiting for the call credentials";
        let why = self.expiry.status(Stage::Request, doing);
        Poll::Ready(Err(why.with_unprocessed(true)))
    }

    /// Asks the credentials for a connection to this peer. The permit is back by now: whoever is
    /// asked may take long.
    fn ask(&mut self, peer: &Peer) -> Result<(), Status> {
        let Some(auth) = &mut self.auth else {
            return Ok(());
        };
        let authority = &self.channel.shared().config.authority;
        auth.ask(peer, self.method, authority, &self.options.metadata)
    }

    /// A stream was started at this peer, or could not be. The next one asks the credentials anew.
    fn started(&mut self, peer: Option<&Peer>) {
        if let (Some(watch), Some(peer)) = (&mut self.watch, peer) {
            let given = self.auth.as_ref().and_then(|auth| auth.given_for(peer));
            watch.started(peer, given.unwrap_or(&self.options.metadata));
        }
        if let Some(auth) = &mut self.auth {
            auth.used();
        }
    }

    /// What there is to check and compute once, when the call is first polled.
    pub(crate) fn begin_once(&mut self) -> Result<(), Status> {
        if self.begun {
            return Ok(());
        }
        self.begin()
    }

    fn begin(&mut self) -> Result<(), Status> {
        self.begun = true;
        let shared = self.channel.shared();
        let begun = self.options.begin(shared);
        let deadline = begun.as_ref().ok().and_then(Expiry::deadline);
        self.watch = Watch::begin(shared, self.method, deadline);
        self.expiry = begun?;
        Ok(())
    }

    fn start<R>(
        &self,
        connection: &ClientConnection,
        permit: Permit,
        is_first: bool,
        start: &mut impl FnMut(Start<'_>) -> Result<R, Status>,
    ) -> Started<R> {
        let shared = self.channel.shared();
        let config = &shared.config;
        let metadata = match &self.auth {
            None => &self.options.metadata,
            Some(auth) => match auth.given_for(connection.peer()) {
                Some(metadata) => metadata,
                None => return Started::Ask(connection.peer().clone()),
            },
        };
        // As late as possible: what the call waited so far is no longer the server's.
        let timeout = if is_first {
            self.expiry.at_first()
        } else {
            self.expiry.remaining()
        };
        if timeout.is_some_and(|left| left.is_zero()) {
            let stage = Stage::Request;
            let doing = "the request was not sent any more";
            let why = self.expiry.status(stage, doing);
            return Started::No(why, connection.peer().clone());
        }
        let started = start(Start {
            connection,
            permit,
            head: RequestHead {
                path: self.method.path,
                authority: &config.authority,
                subtype: self.subtype,
                encoding: self.options.encoding(shared),
                accept_encoding: config.compression.compression.registry().accept_encoding(),
                timeout,
                user_agent: &config.user_agent,
                metadata,
            },
            deadline: self.expiry.deadline(),
            max_receive_bytes: self.options.max_receive(shared),
            max_send_bytes: self.max_send(),
            compress: self.compress(),
            hooks: self.watch.as_ref().map(|watch| watch.hooks()),
        });
        match started {
            Ok(started) => {
                let peer = self.watch.as_ref().map(|_| connection.peer().clone());
                Started::Yes(started, peer)
            }
            Err(why) => Started::No(why, connection.peer().clone()),
        }
    }

    pub(crate) fn max_send(&self) -> usize {
        self.options.max_send(self.channel.shared())
    }

    /// How the requests are compressed, if they are.
    pub(crate) fn compress(&self) -> Option<Compress> {
        let shared = self.channel.shared();
        let encoding = self.options.encoding(shared)?;
        Some(shared.config.compression.with(encoding))
    }

    pub(crate) fn compresses(&self) -> bool {
        self.options.encoding(self.channel.shared()).is_some()
    }

    /// To open another stream for the same call, from wherever its halves are by then.
    pub(crate) fn again(&self) -> Opening<'static> {
        Opening {
            channel: self.channel.clone().into_owned(),
            method: self.method,
            subtype: self.subtype,
            options: self.options.clone(),
            expiry: self.expiry.again(),
            auth: self.auth.as_ref().map(|auth| auth.again()),
            watch: self.watch.as_ref().map(|watch| watch.again()),
            begun: true,
            waiting: None,
            unsent: 0,
            tried: Vec::new(),
        }
    }

    pub(crate) fn into_owned(self) -> Opening<'static> {
        Opening {
            channel: self.channel.into_owned(),
            method: self.method,
            subtype: self.subtype,
            options: self.options,
            expiry: self.expiry,
            auth: self.auth,
            watch: self.watch,
            begun: self.begun,
            waiting: self.waiting,
            unsent: self.unsent,
            tried: self.tried,
        }
    }

    /// Whether what was sent and surely not processed may be sent again.
    pub(crate) fn may_repeat(&self) -> bool {
        self.channel.shared().config.transparent_retry
    }

    /// The peer took what was sent on the stream.
    pub(crate) fn taken(&self) {
        self.channel.shared().taken();
    }

    /// Who watches the call, if anybody does.
    pub(crate) const fn watch(&mut self) -> Option<&mut Box<Watch>> {
        self.watch.as_mut()
    }

    /// Those who see the end of the call, for whoever reads its answer.
    pub(crate) fn hand_over(&mut self) -> Option<Box<Ends>> {
        let watch = self.watch.as_mut()?;
        Some(watch.hand_over(self.method.path))
    }

    /// The call has failed before its stream was open: the status as the caller gets it.
    pub(crate) fn fail(&mut self, why: Status) -> Status {
        let why = self.edge(why);
        if let Some(watch) = &mut self.watch {
            watch.ended(Err(&why));
        }
        why
    }

    /// One try has failed, and there will be another.
    pub(crate) fn tried(&mut self, why: &Status, at: Option<&Address>) {
        let attempt = Attempt::new(why.clone());
        self.tried.push(match at {
            Some(address) => attempt.at(address),
            None => attempt,
        });
    }

    /// A status on its way to the caller, with what was tried where that was more than once.
    pub(crate) fn edge(&self, status: Status) -> Status {
        let status = self.expiry.edge(status, self.method.path);
        if self.tried.is_empty() || !status.attempts().is_empty() {
            return status;
        }
        let last = Attempt::new(status.clone());
        let all = self.tried.iter().cloned().chain([last]);
        status.with_attempts(all)
    }
}
