//! The proxy's limits. Must not know where settings are kept.

use std::time::Duration;

/// Limits of the proxy. The defaults are meant for one person's machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Longest head of a request, request line included.
    pub max_head_bytes: usize,
    /// Most header fields of a request.
    pub max_headers: usize,
    /// Longest request target.
    pub max_target_bytes: usize,
    /// Longest body of a request.
    pub max_body_bytes: u64,
    /// Most connections from agents at a time. When full, the longest idle one makes room.
    pub max_connections: usize,
    /// A head must be complete this long after its first byte, the first one this long after the connection.
    pub head_timeout: Duration,
    /// An idle connection from an agent is closed after this.
    pub idle_timeout: Duration,
    /// A request in progress in which nothing moves for this long is cut.
    pub stall_timeout: Duration,
    /// How long open requests may go on after `stop`.
    pub drain_timeout: Duration,
    /// Name, TCP and TLS together.
    pub upstream_connect_timeout: Duration,
    /// From the request to the head of the upstream's answer. Long, because language models think long.
    pub upstream_head_timeout: Duration,
    /// An idle connection to an upstream is closed after this.
    pub upstream_idle_timeout: Duration,
    /// Most idle connections kept for one service.
    pub max_idle_per_service: usize,
}

/// The proxy cannot be made with this configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A limit is outside what the proxy can keep to.
    #[error("the limit {name} must be between {min} and {max}")]
    Limit {
        /// Which.
        name: &'static str,
        /// Smallest value.
        min: usize,
        /// Largest value.
        max: usize,
    },
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            max_head_bytes: 64 * 1024,
            max_headers: 100,
            max_target_bytes: 32 * 1024,
            max_body_bytes: 10 * 1024 * 1024 * 1024,
            max_connections: 1024,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            stall_timeout: Duration::from_secs(15 * 60),
            drain_timeout: Duration::from_secs(5),
            upstream_connect_timeout: Duration::from_secs(10),
            upstream_head_timeout: Duration::from_secs(15 * 60),
            upstream_idle_timeout: Duration::from_secs(50),
            max_idle_per_service: 64,
        }
    }
}

impl Config {
    /// The HTTP library's own limits lie above these, so that every refusal is ours and recorded.
    pub(crate) const fn check(&self) -> Result<(), StartError> {
        const fn within(name: &'static str, value: usize, min: usize, max: usize) -> Result<(), StartError> {
            if value < min || value > max { Err(StartError::Limit { name, min, max }) } else { Ok(()) }
        }
        let checks = [
            within("max_head_bytes", self.max_head_bytes, 1024, 256 * 1024),
            within("max_headers", self.max_headers, 8, 1000),
            within("max_target_bytes", self.max_target_bytes, 256, 60 * 1024),
            within("max_connections", self.max_connections, 1, 65_536),
        ];
        let mut i = 0;
        while i < checks.len() {
            if let Err(StartError::Limit { name, min, max }) = checks[i] {
                return Err(StartError::Limit { name, min, max });
            }
            i += 1;
        }
        Ok(())
    }
}
