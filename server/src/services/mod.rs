//! The standard services, a feature each. None is served unless the code says so.

#[cfg(feature = "health")]
mod health;
#[cfg(feature = "reflection")]
mod reflection;
#[cfg(not(feature = "reflection"))]
mod unreflected;

#[cfg(feature = "health")]
pub use self::health::{HealthReporter, ServingStatus};
#[cfg(feature = "reflection")]
pub use self::reflection::Reflection;
#[cfg(feature = "reflection")]
pub(crate) use self::reflection::{Described, with_reflection};
#[cfg(not(feature = "reflection"))]
pub(crate) use self::unreflected::{Described, with_reflection};
