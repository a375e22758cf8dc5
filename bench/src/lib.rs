//! What the measuring programs share: arguments, a clock, certificates, a plain HTTP client, process accounting.
//!
//! Must not know Claviger: it is measured from outside, like everything it stands beside.

pub mod args;
pub mod client;
pub mod process;
pub mod sample;
pub mod tls;

/// The key that only the upstream and the proxies know. A request that arrives without it was not injected into.
pub const REAL_KEY: &str = "sk-bench-REAL-UPSTREAM-KEY-0123456789";

/// The upstream says with this header, `1` or `0`, whether the real key arrived.
pub const CONFIRMATION: &str = "x-auth-ok";

/// Anything that may go wrong in a measuring program ends it with a sentence.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The wall clock in nanoseconds, the same for all processes of one machine.
pub fn clock_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
