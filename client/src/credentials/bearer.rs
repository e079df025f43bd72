//! Bearer tokens as call credentials.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use trunkline_core::{Metadata, MetadataError, Status};
use trunkline_transport::now;

use super::{CallCredentials, CredentialsRequest};
use crate::channel::no_runtime;
use crate::exclusive::BoxFuture;

const KEY: &str = "authorization";

/// How long before its end a token is no longer used: a call that takes it has to arrive and be
/// checked by a server whose clock may be ahead.
const MARGIN: Duration = Duration::from_secs(30);

/// How long a fetch may take. Calls have deadlines of their own; this is for a token server that
/// has gone silent, which nobody would ask again.
const FETCH_LIMIT: Duration = Duration::from_secs(30);

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
    Fetched(Fetch, Arc<Mutex<State>>),
}

type Fetch = Box<dyn Fn() -> BoxFuture<Result<Token, Status>> + Send + Sync>;

/// What all calls that need the token share.
#[derive(Default)]
struct State {
    kept: Option<Kept>,
    fetching: Option<Fetching>,
}

struct Kept {
    metadata: Metadata,
    until: Option<Instant>,
}

/// The one fetch under way. It has a task of its own: the call that began it may be dropped, or be
/// left unpolled for a while, and others wait for the same token.
struct Fetching {
    answer: Answer,
    task: AbortHandle,
}

/// What came of a fetch, once something did.
type Answer = watch::Receiver<Option<Result<Metadata, Status>>>;

impl Fetching {
    /// It has ended, well or not, or went away with its runtime.
    fn is_over(&self) -> bool {
        self.answer.borrow().is_some() || self.answer.has_changed().is_err()
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.task.abort();
    }
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

    /// A token that is fetched when the first call needs it, and again shortly before it expires.
    ///
    /// Calls that come meanwhile wait for the one fetch, each as long as its deadline allows. It
    /// runs in a task of its own and goes on without them. A failed fetch, or one that takes longer
    /// than 30 s, fails the calls that waited for it; the next call tries anew.
    pub fn fetched<F, Fetching>(fetch: F) -> Self
    where
        F: Fn() -> Fetching + Send + Sync + 'static,
        Fetching: Future<Output = Result<Token, Status>> + Send + 'static,
    {
        let fetch = Box::new(move || Box::pin(fetch()) as BoxFuture<_>);
        Self(Arc::new(Source::Fetched(fetch, Arc::default())))
    }

    /// Says that the token is good no more, such as after UNAUTHENTICATED: the next call that needs
    /// one fetches it. A fetch that is under way is waited for. A fixed token stays what it is.
    pub fn invalidate(&self) {
        if let Source::Fetched(_, state) = &*self.0 {
            lock(state).kept = None;
        }
    }
}

impl CallCredentials for BearerToken {
    async fn metadata(&self, _: &CredentialsRequest) -> Result<Metadata, Status> {
        let (fetch, state) = match &*self.0 {
            Source::Fixed(metadata) => return Ok(metadata.clone()),
            Source::Fetched(fetch, state) => (fetch, state),
        };
        loop {
            let (mut answer, is_ours) = {
                let mut state_now = lock(state);
                if let Some(metadata) = state_now.usable() {
                    return Ok(metadata.clone());
                }
                match &state_now.fetching {
                    Some(fetching) if !fetching.is_over() => (fetching.answer.clone(), false),
                    _ => (state_now.begin(fetch, state)?, true),
                }
            };
            match answer.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(answer)) => return answer.clone(),
                _ if is_ours => {
                    let text =
                        "fetching a token came to no end: it panicked, or its runtime is gone";
                    return Err(Status::internal(text));
                }
                // Somebody else's, whose runtime is gone, perhaps.
                _ => {}
            }
        }
    }
}

impl State {
    /// The token, as long as it is good.
    fn usable(&self) -> Option<&Metadata> {
        let kept = self.kept.as_ref()?;
        let good = kept.until.is_none_or(|until| now() < until);
        good.then_some(&kept.metadata)
    }

    /// Begins a fetch that ends with the credentials.
    fn begin(&mut self, fetch: &Fetch, shared: &Arc<Mutex<Self>>) -> Result<Answer, Status> {
        let runtime = Handle::try_current().map_err(|error| no_runtime().with_source(error))?;
        let (tell, answer) = watch::channel(None);
        let shared = Arc::downgrade(shared);
        let fetched = fetch();
        let task = runtime.spawn(async move {
            let result = match timeout(FETCH_LIMIT, fetched).await {
                Ok(token) => token.and_then(|token| Kept::new(&token)),
                Err(_elapsed) => {
                    let text = format!("no token within {FETCH_LIMIT:?}");
                    Err(Status::unavailable(text))
                }
            };
            let metadata = result.as_ref().map(|kept| kept.metadata.clone());
            let answer = metadata.map_err(Status::clone);
            if let (Some(shared), Ok(kept)) = (shared.upgrade(), result) {
                lock(&shared).kept = Some(kept);
            }
            tell.send_replace(Some(answer));
        });
        self.fetching = Some(Fetching {
            answer: answer.clone(),
            task: task.abort_handle(),
        });
        Ok(answer)
    }
}

impl Kept {
    fn new(token: &Token) -> Result<Self, Status> {
        Ok(Self {
            metadata: entry(&token.value)?,
            until: token.until(now()),
        })
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Consistent at each step, so a panic elsewhere leaves nothing broken behind.
    state.lock().unwrap_or_else(PoisonError::into_inner)
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
