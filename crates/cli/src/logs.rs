//! Diagnostics on stderr, when `RUST_LOG` asks for them. Must not know what is logged.

use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. Libraries that carry requests log whole heads at fine levels, and an agent's token stands in them:
/// whatever `RUST_LOG` says, only Claviger's own modules are heard below a warning.
pub(crate) fn start() {
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let ours =
        filter_fn(|meta| meta.target().starts_with("claviger") || *meta.level() <= tracing::Level::WARN);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    // A second start, in tests, is no failure.
    let _ = tracing_subscriber::registry().with(layer.with_filter(asked.and(ours))).try_init();
}
