//! Addresses of what is elsewhere: which of them begin alike, and what of one nobody may see.

mod credentials;
mod prefix;

pub(crate) use self::credentials::masked;
pub use self::credentials::{Login, login, redacted, without_login};
pub use self::prefix::{AddressPrefix, PrefixError};
