//! Bearer tokens as call credentials.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use trunkline_core::{Metadata, MetadataError, Status};
use trunkline_transport::now;

use super::{CallCredentials, CredentialsRequest};
use crate::exclusive::BoxFuture;

const KEY: &str = "authorization";

/// How long before its end a token is no longer used: a call that takes it has to arrive and be
/// checked by a server whose clock may be ahead.
const MARGIN: Duration = Duration::from_secs(30);

/// `authorization: Bearer <token>` on every call, with a token that is fixed or fetched. Clones
/// share it.
///
/// ```
/// use std::time::Duration;
/// use trunkline_client::{BearerToken, Channel, Token};
///
/// let fixed = BearerToken::new("sesame")?;
/// let fetched = BearerToken::fetched(|| async {
///     // Ask a token server here.
///     Ok(Token::new("sesame").valid_for(Duration::from_secs(3600)))
/// });
/// let channel = Channel::builder("localhost:50051").call_credentials(fetched);
/// # Ok::<(), trunkline_core::MetadataError>(())
/// ```
///
/// A server may refuse a token before its time. An interceptor around the credentials fetches
/// another and makes the call again:
/// ```
/// use trunkline_client::{BearerToken, CallContext, Channel, ClientStream, Interceptor, Next, Token};
/// use trunkline_core::{Code, Status};
///
/// struct Renew(BearerToken);
///
/// impl Interceptor for Renew {
///     async fn intercept(&self, call: CallContext, next: Next) -> Result<ClientStream, Status> {
///         let mut stream = next.clone().start(call.clone()).await?;
///         match stream.outcome().await {
///             Some(outcome) if outcome.code() == Code::Unauthenticated => {}
///             _ => return Ok(stream),
///         }
///         self.0.invalidate();
///         next.start(call).await
///     }
/// }
///
/// let token = BearerToken::fetched(|| async { Ok(Token::new("sesame")) });
/// let channel = Channel::builder("localhost:50051")
///     .call_credentials(token.clone())
///     .intercept(Renew(token));
/// ```
#[derive(Clone)]
pub struct BearerToken(Arc<Source>);

enum Source {
    Fixed(Metadata),
    Fetched {
        fetch: Fetch,
        /// Held while a token is fetched: one fetch serves all calls that wait for it.
        kept: Mutex<Option<Kept>>,
        /// The one that is kept is used no more.
        stale: AtomicBool,
    },
}

type Fetch = Box<dyn Fn() -> BoxFuture<Result<Token, Status>> + Send + Sync>;

struct Kept {
    metadata: Metadata,
    until: Option<Instant>,
}

/// A token, and how long it is good for.
#[derive(Clone)]
pub struct Token {
    value: String,
    valid_for: Option<Duration>,
}

impl Token {
    /// A token that does not expire.
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            valid_for: None,
        }
    }

    /// The same token, good for this long from now on.
    ///
    /// It is used until 30 s before that, or until half of it where that is later.
    #[must_use]
    pub const fn valid_for(mut self, span: Duration) -> Self {
        self.valid_for = Some(span);
        self
    }

    /// The end of its use, if it was fetched at this time.
    fn until(&self, fetched: Instant) -> Option<Instant> {
        let span = self.valid_for?;
        fetched.checked_add(span.saturating_sub(MARGIN).max(span / 2))
    }
}

impl BearerToken {
    /// A token that stays the same.
    ///
    /// Errors: it cannot stand in a header; the text does not show it.
    pub fn new(token: impl AsRef<str>) -> Result<Self, MetadataError> {
        entry(token.as_ref()).map(|metadata| Self(Arc::new(Source::Fixed(metadata))))
    }

    /// A token that is fetched by the first call that needs it, and again shortly before it
    /// expires. Calls that come meanwhile wait for the one fetch. A failed fetch fails the call
    /// that made it; the next call tries anew.
    pub fn fetched<F, Fetching>(fetch: F) -> Self
    where
        F: Fn() -> Fetching + Send + Sync + 'static,
        Fetching: Future<Output = Result<Token, Status>> + Send + 'static,
    {
        Self(Arc::new(Source::Fetched {
            fetch: Box::new(move || Box::pin(fetch())),
            kept: Mutex::new(None),
            stale: AtomicBool::new(false),
        }))
    }

    /// Says that the token is good no more, such as after UNAUTHENTICATED: the next call that needs
    /// one fetches it. A fixed token stays what it is.
    pub fn invalidate(&self) {
        if let Source::Fetched { stale, .. } = &*self.0 {
            stale.store(true, Ordering::Relaxed);
        }
    }
}

impl CallCredentials for BearerToken {
    async fn metadata(&self, _: &CredentialsRequest) -> Result<Metadata, Status> {
        let (fetch, kept, stale) = match &*self.0 {
            Source::Fixed(metadata) => return Ok(metadata.clone()),
            Source::Fetched { fetch, kept, stale } => (fetch, kept, stale),
        };
        let mut kept = kept.lock().await;
        if stale.swap(false, Ordering::Relaxed) {
            *kept = None;
        }
        if let Some(kept) = &*kept
            && kept.until.is_none_or(|until| now() < until)
        {
            return Ok(kept.metadata.clone());
        }
        let token = fetch().await?;
        let metadata = entry(&token.value)?;
        *kept = Some(Kept {
            metadata: metadata.clone(),
            until: token.until(now()),
        });
        Ok(metadata)
    }
}

fn entry(token: &str) -> Result<Metadata, MetadataError> {
    let mut metadata = Metadata::new();
    metadata.insert(KEY, &format!("Bearer {token}"))?;
    Ok(metadata)
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken")
    }
}

/// Shows all but the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("valid_for", &self.valid_for)
            .finish_non_exhaustive()
    }
}
