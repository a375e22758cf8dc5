//! Words about what agents ask for. Must not know what is done about it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Named;
use crate::secret_input::Source;

#[derive(Debug, Subcommand)]
pub(crate) enum ProposalCommand {
    /// List what agents ask for, open ones first
    List,
    /// Show one proposal
    Show(Named),
    /// Allow it as asked, or less: gives the grant, or widens the one that there is
    Allow {
        /// The proposal's id
        proposal: String,
        /// With which credential; needed when several fit
        #[arg(long, value_name = "NAME")]
        credential: Option<String>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Deny it; the same may not be asked again for a day
    Deny {
        /// The proposal's id
        proposal: String,
    },
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Terms {
    /// Only these of the methods that were asked for
    #[arg(long = "method", value_name = "M,…", value_delimiter = ',')]
    pub(crate) methods: Option<Vec<String>>,
    /// Only these paths, within those that were asked for
    #[arg(long = "path", value_name = "GLOB,…", value_delimiter = ',')]
    pub(crate) paths: Option<Vec<String>>,
    /// At most so many requests, as in 5/s, 60/min, 100/h, 1000/day
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) rate: Option<String>,
    /// Only in these hours of the day (UTC), as in 09-18
    #[arg(long, value_name = "FROM-TO")]
    pub(crate) hours: Option<String>,
    /// Life of the grant, as in 30d, or its end as RFC 3339 or a date
    #[arg(long)]
    pub(crate) expires: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The agent's token, which says who asks, comes from CLAVIGER_TOKEN, a file, or the first line of stdin \
    before the first message. Over HTTP the same is at http://127.0.0.1:PORT/mcp."
)]
pub(crate) struct McpArgs {
    /// Read the agent's token from the first line of stdin; MCP follows
    #[arg(long, conflicts_with = "agent_token_file")]
    pub(crate) agent_token_stdin: bool,
    /// Read the agent's token from the first line of a file
    #[arg(long, value_name = "PATH")]
    pub(crate) agent_token_file: Option<PathBuf>,
}

// === impl McpArgs ===

impl McpArgs {
    pub(crate) fn token(&self) -> Source {
        Source { stdin: self.agent_token_stdin, file: self.agent_token_file.clone() }
    }
}
