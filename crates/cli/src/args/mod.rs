//! The words of the command line: what can be said, not what it does. Every option is listed in `claviger help`.
//! Must not know the engine. Options of the contract whose rule is not enforced yet are not accepted at all.

mod credential;
mod grant;
mod oauth;
mod proposal;
mod vault;
mod view;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use credential::{AgentCommand, CredentialCommand, SecretArgs, ServiceAdd, ServiceCommand};
pub(crate) use grant::{EnvArgs, GrantCommand, PolicyCommand, RunArgs, Shell};
pub(crate) use oauth::{ConnectArgs, DiscoverArgs, OauthCommand, TokenCommand};
pub(crate) use proposal::{McpArgs, ProposalCommand};
pub(crate) use vault::{InitArgs, PasswordCommand, RecoveryCommand, ServeArgs, SettingsCommand, UnlockArgs};
pub(crate) use view::{AuditCommand, AuditFilter, ExportFormat, UsageArgs};

/// Keeper of the keys: AI agents use your API credentials and never hold them.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Secrets come by --…-stdin, --…-file or a terminal prompt, never as an argument. With several from \
    stdin: the password's line first, then other one-line secrets, a credential's secret last.\n\
    Exit codes: 0 done, 1 unexpected, 2 usage, 3 vault locked or absent, 4 not found, 5 conflict, 6 refused, \
    7 unavailable, 8 integrity, 9 wrong password or recovery key."
)]
pub(crate) struct Cli {
    /// Directory that holds everything: vault, settings, record, socket
    #[arg(long, global = true, env = "CLAVIGER_HOME", hide_env_values = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Write one JSON document, or one object a line for streams
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the vault's password comes from when this command has to open the vault itself.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PasswordArgs {
    /// Read the vault's password from the first line of stdin
    #[arg(long, global = true, conflicts_with = "password_file", help_heading = "Opening the vault")]
    pub(crate) password_stdin: bool,
    /// Read the vault's password from the first line of a file
    #[arg(long, global = true, value_name = "PATH", help_heading = "Opening the vault")]
    pub(crate) password_file: Option<PathBuf>,
}

/// Skipping or trying out a destructive command.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Confirm {
    /// Do not ask for confirmation
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Show what would happen and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// One thing by its name or id.
#[derive(Clone, Debug, Args)]
pub(crate) struct Named {
    /// Its name or id
    pub(crate) name: String,
}

/// One thing to be done away with.
#[derive(Clone, Debug, Args)]
pub(crate) struct NamedForGood {
    /// Its name or id
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a vault
    Init(InitArgs),
    /// Show where the vault and the engine stand
    Status,
    /// Open the running engine's vault, or set a new password by recovery key
    Unlock(UnlockArgs),
    /// Close the running engine's vault: its keys leave memory, open streams are cut
    Lock,
    /// Run the engine without a window, in the foreground
    Serve(ServeArgs),
    /// The vault's password
    #[command(subcommand)]
    Password(PasswordCommand),
    /// The recovery key
    #[command(subcommand)]
    Recovery(RecoveryCommand),
    /// Services: the external APIs that credentials are for
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Credentials: what Claviger keeps and puts on requests
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// OAuth: sign in to a service; the tokens are kept here and renew themselves
    #[command(subcommand)]
    Oauth(OauthCommand),
    /// Tokens of others: what stands in them
    #[command(subcommand)]
    Token(TokenCommand),
    /// Agents: the programs that may call through the proxy
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Grants: which agent may use which credential, and how
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Proposals: what agents ask for, and your answer
    #[command(subcommand)]
    Proposal(ProposalCommand),
    /// Speak MCP on stdin and stdout, so that an agent can ask what it may use and ask for more
    Mcp(McpArgs),
    /// Why a request would be let through or refused
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Print the variables that wire an agent's granted services
    Env(EnvArgs),
    /// Run a command wired to an agent's granted services
    Run(RunArgs),
    /// Requests and tokens used, by agent, credential, service, model, hour or day
    Usage(UsageArgs),
    /// The record of every request and every act
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Settings
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// Show the whole job in a temporary home: agent, proxy, upstream, record
    Demo,
    /// Print completions for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page per command into a directory
    Man {
        /// Directory to write all pages to
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// The agent's side of the demo
    #[command(hide = true, name = "demo-agent")]
    DemoAgent,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_not_enforced_is_not_accepted() {
        for not_yet in [
            &["grant", "add", "a", "c", "--ask", "always"][..],
            &["grant", "add", "a", "c", "--budget-usd", "5/day"],
            &["run", "a", "--forward", "--", "true"],
        ] {
            let parsed = Cli::try_parse_from([&["claviger"], not_yet].concat());
            assert!(parsed.is_err(), "{not_yet:?} was accepted and would not be enforced");
        }
    }

    #[test]
    fn no_option_takes_a_secret_as_its_value() {
        fn visit(command: &clap::Command, path: &str) {
            for arg in command.get_arguments() {
                let id = arg.get_id().as_str();
                let secret =
                    ["password", "secret", "token", "recovery_key"].iter().any(|word| id.contains(word));
                let by_reference = id.ends_with("_stdin") || id.ends_with("_file");
                assert!(!secret || by_reference, "{path} --{id} would put a secret into argv");
            }
            for sub in command.get_subcommands() {
                visit(sub, &format!("{path} {}", sub.get_name()));
            }
        }
        visit(&Cli::command(), "claviger");
    }
}
