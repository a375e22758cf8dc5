//! Words about usage and the record. Must not know what they do.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// Only this far back, as in 24h
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// One row for each
    #[arg(long, value_enum)]
    pub(crate) by: Option<UsageBy>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum UsageBy {
    Agent,
    Credential,
    Service,
    Model,
    Hour,
    Day,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List entries, newest first
    List {
        #[command(flatten)]
        filter: AuditFilter,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// Only entries older than this sequence number: the next page
        #[arg(long, value_name = "SEQ")]
        before: Option<u64>,
        /// Go on with new entries as they come; needs a running engine
        #[arg(long, conflicts_with_all = ["limit", "before"])]
        follow: bool,
    },
    /// Check that the whole record is there, in order and unchanged
    Verify,
    /// Write every entry to stdout
    Export {
        /// In which form
        #[arg(long, value_enum)]
        format: ExportFormat,
        #[command(flatten)]
        filter: AuditFilter,
    },
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AuditFilter {
    /// Only this far back, as in 24h
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Only this agent's
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// Only this credential's
    #[arg(long)]
    pub(crate) credential: Option<String>,
    /// Only entries with this result
    #[arg(long, value_parser = ["done", "error", "refused", "act", "open"])]
    pub(crate) result: Option<String>,
    /// Only the entry with this tracking id
    #[arg(long, value_name = "EVT-…")]
    pub(crate) event: Option<String>,
    /// Only entries in which this text occurs
    #[arg(long)]
    pub(crate) text: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ExportFormat {
    /// RFC 4180; no cell is a formula
    Csv,
    /// One JSON object a line
    Jsonl,
}

// === impl UsageBy ===

impl UsageBy {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Credential => "credential",
            Self::Service => "service",
            Self::Model => "model",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}
