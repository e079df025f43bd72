//! Which engine speaks HTTP/2, and the one branch by which the boundary's types dispatch.

use std::fmt;
use std::sync::OnceLock;

/// The environment variable that names the engine of configurations that do not.
const VARIABLE: &str = "TRUNKLINE_HTTP2_ENGINE";

/// What speaks HTTP/2 on a connection.
///
/// There are two, held to the same suites. Messages, statuses, limits and deadlines are the same
/// on both, and so are the settings of [`ClientConfig`](super::ClientConfig) and
/// [`ServerConfig`](super::ServerConfig), but for those that say which of them they are for. Peers
/// need not know which one they talk to, and the two ends of a connection need not agree.
///
/// [`Native`](Self::Native) is written for gRPC: a call costs it a part of the instructions and
/// wake-ups, streams that nobody reads do not hold up others, and what it closes a connection for
/// it says in the GOAWAY. [`H2`](Self::H2) is built on the h2 crate, which most of Rust's HTTP/2
/// runs on: the choice where what is proven by the widest use counts most, or when in doubt whether
/// a fault is the engine's.
///
/// The default is what the environment variable `TRUNKLINE_HTTP2_ENGINE` says, `h2` or `native`:
/// so an operator can change it without a build. It is read once, when it is first needed. Without
/// the variable it is [`Native`](Self::Native); for any other word too, with a warning in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// The one on the h2 crate.
    H2,
    /// The one written for gRPC.
    Native,
}

impl Engine {
    /// Without a word of the operator's.
    const USUAL: Self = Self::Native;

    /// What the variable says; `None` if it names no engine.
    fn named(word: &str) -> Option<Self> {
        match word {
            "" => Some(Self::USUAL),
            "h2" => Some(Self::H2),
            "native" => Some(Self::Native),
            _ => None,
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        static CHOSEN: OnceLock<Engine> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let word = std::env::var_os(VARIABLE).unwrap_or_default();
            word.to_str().and_then(Self::named).unwrap_or_else(|| {
                let engine = Self::USUAL;
                tracing::warn!(
                    "{VARIABLE} is {word:?}, which names no HTTP/2 engine (h2, native): {engine} is used"
                );
                engine
            })
        })
    }
}

impl fmt::Display for Engine {
    /// As the environment variable names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H2 => "h2",
            Self::Native => "native",
        })
    }
}

/// A thing of one engine or of the other. It is the whole cost of there being two: no box and no
/// table of functions, but a branch that always goes the same way.
#[derive(Clone, Debug)]
pub(super) enum ByEngine<H, N> {
    H2(H),
    Native(N),
}

impl<T, H: Iterator<Item = T>, N: Iterator<Item = T>> Iterator for ByEngine<H, N> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        by_engine!(self, of => of.next())
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        by_engine!(self, of => of.size_hint())
    }
}

/// The same words for whichever engine it is.
macro_rules! by_engine {
    ($value:expr, $of:pat => $do:expr) => {
        match $value {
            $crate::http2::engine::ByEngine::H2($of) => $do,
            $crate::http2::engine::ByEngine::Native($of) => $do,
        }
    };
}
pub(super) use by_engine;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_is_named_by_what_it_prints() {
        for engine in [Engine::H2, Engine::Native] {
            assert_eq!(Engine::named(&engine.to_string()), Some(engine));
        }
        assert_eq!(Engine::named(""), Some(Engine::Native), "set to nothing");
        for wrong in ["H2", "hyper", " native", "native,h2", "1"] {
            assert_eq!(Engine::named(wrong), None, "{wrong:?}");
        }
    }
}
