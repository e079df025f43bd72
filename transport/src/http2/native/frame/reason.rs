//! Error codes (RFC 9113 §7).

use std::fmt;

/// Why a stream or a connection was ended. Codes that nobody knows are kept as numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Reason(pub(in super::super) u32);

macro_rules! reasons {
    ($($name:ident = $code:literal),* $(,)?) => {
        impl Reason {
            $(#[allow(dead_code, reason = "whether we send it or not")]
            pub(in super::super) const $name: Self = Self($code);)*

            /// The name that RFC 9113 gives it.
            pub(in super::super) const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    NO_ERROR = 0x0,
    PROTOCOL_ERROR = 0x1,
    INTERNAL_ERROR = 0x2,
    FLOW_CONTROL_ERROR = 0x3,
    SETTINGS_TIMEOUT = 0x4,
    STREAM_CLOSED = 0x5,
    FRAME_SIZE_ERROR = 0x6,
    REFUSED_STREAM = 0x7,
    CANCEL = 0x8,
    COMPRESSION_ERROR = 0x9,
    CONNECT_ERROR = 0xa,
    ENHANCE_YOUR_CALM = 0xb,
    INADEQUATE_SECURITY = 0xc,
    HTTP_1_1_REQUIRED = 0xd,
}

/// `CANCEL (0x8)`, the same text as the engine on the h2 crate gives.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:x})", self.0),
            None => write!(f, "unknown (0x{:x})", self.0),
        }
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
