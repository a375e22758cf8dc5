//! Words about grants, policy, and wiring a program. Must not know what they do.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Named, NamedForGood};
use crate::secret_input::Source;

#[derive(Debug, Subcommand)]
pub(crate) enum GrantCommand {
    /// Let an agent use a credential, and print the base URL for its SDK
    Add {
        /// The agent's name or id
        agent: String,
        /// The credential's name or id
        credential: String,
        #[command(flatten)]
        rules: GrantRules,
    },
    /// List the grants
    List,
    /// Show one grant
    Show(Named),
    /// Change a grant's rules; an empty value clears a rule
    Set {
        /// The grant's id
        grant: String,
        #[command(flatten)]
        rules: GrantRulesSet,
    },
    /// Remove a grant; open streams are cut
    Remove(NamedForGood),
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct GrantRules {
    /// Allowed methods, as in GET,POST; by default all
    #[arg(long = "method", value_name = "M,…", value_delimiter = ',')]
    pub(crate) methods: Vec<String>,
    /// Allowed paths: * within a segment, ** across segments; by default all
    #[arg(long = "path", value_name = "GLOB,…", value_delimiter = ',')]
    pub(crate) paths: Vec<String>,
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

#[derive(Clone, Debug, Default, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct GrantRulesSet {
    /// Allowed methods, as in GET,POST
    #[arg(long = "method", value_name = "M,…", value_delimiter = ',')]
    pub(crate) methods: Option<Vec<String>>,
    /// Allowed paths: * within a segment, ** across segments
    #[arg(long = "path", value_name = "GLOB,…", value_delimiter = ',')]
    pub(crate) paths: Option<Vec<String>>,
    /// At most so many requests, as in 5/s, 60/min, 100/h, 1000/day
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) rate: Option<String>,
    /// Only in these hours of the day (UTC), as in 09-18
    #[arg(long, value_name = "FROM-TO")]
    pub(crate) hours: Option<String>,
    /// Life of the grant from now on, as in 30d, or its end as RFC 3339 or a date
    #[arg(long)]
    pub(crate) expires: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Name the rule that would decide a request
    Explain {
        /// The agent's name or id
        agent: String,
        /// Request method
        method: String,
        /// The URL at the service, as in https://api.openai.com/v1/models
        url: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    /// The agent's name or id
    pub(crate) agent: String,
    /// In which form
    #[arg(long, value_enum, default_value_t = Shell::Sh)]
    pub(crate) shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Sh,
    Fish,
    Powershell,
    Dotenv,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The agent's token comes from CLAVIGER_TOKEN, stdin or a file; without one, a token of 24 hours is \
    made for this run."
)]
pub(crate) struct RunArgs {
    /// The agent's name or id
    pub(crate) agent: String,
    /// Read the agent's token from one line of stdin
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) token_stdin: bool,
    /// Read the agent's token from the first line of a file
    #[arg(long, value_name = "PATH")]
    pub(crate) token_file: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

// === impl RunArgs ===

impl RunArgs {
    pub(crate) fn token(&self) -> Source {
        Source { stdin: self.token_stdin, file: self.token_file.clone() }
    }
}
