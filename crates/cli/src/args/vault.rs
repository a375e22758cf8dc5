//! Words about the vault and the engine as a whole. Must not know what they do.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::secret_input::Source;

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Do without the operating system's keychain: the password alone opens the vault
    #[arg(long)]
    pub(crate) no_keychain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UnlockArgs {
    /// Use the recovery key, from one line of stdin, and set a new password
    #[arg(long, conflicts_with_all = ["recovery_key_file", "password_stdin", "password_file"])]
    pub(crate) recovery_key_stdin: bool,
    /// Use the recovery key, from the first line of a file, and set a new password
    #[arg(long, value_name = "PATH", conflicts_with_all = ["password_stdin", "password_file"])]
    pub(crate) recovery_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) new_password: NewPassword,
    /// Accept a vault file older than the last one seen here (a restored backup)
    #[arg(long)]
    pub(crate) accept_older: bool,
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct NewPassword {
    /// Read the new password from the next line of stdin
    #[arg(long, conflicts_with = "new_password_file")]
    pub(crate) new_password_stdin: bool,
    /// Read the new password from the first line of a file
    #[arg(long, value_name = "PATH")]
    pub(crate) new_password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Port of the proxy on 127.0.0.1; 0 takes a free one; by default the one kept in the settings
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// End when this process ends
    #[arg(long, value_name = "N")]
    pub(crate) parent_pid: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PasswordCommand {
    /// Replace the password; with both from stdin, the present one stands on the first line
    Change {
        #[command(flatten)]
        new_password: NewPassword,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecoveryCommand {
    /// Make a new recovery key; the old one stops working
    Renew,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show the settings
    Show,
    /// Change settings
    Set(SettingsSet),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct SettingsSet {
    /// Port of the proxy, from the next start on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// How firmly a request is recorded before its credential is released
    #[arg(long)]
    pub(crate) record: Option<RecordSetting>,
    /// Minutes without use after which the vault locks itself; 0 never
    #[arg(long, value_name = "N")]
    pub(crate) lock_after_minutes: Option<u32>,
    /// Show notifications
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    pub(crate) notifications: Option<bool>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RecordSetting {
    /// With the operating system: survives a crash, not the last 50 ms before a power cut
    Relaxed,
    /// On the disk: survives a power cut too, and costs a disk write per group of requests
    Strict,
}

// === impl NewPassword ===

impl NewPassword {
    pub(crate) fn source(&self) -> Source {
        Source { stdin: self.new_password_stdin, file: self.new_password_file.clone() }
    }
}

// === impl RecordSetting ===

impl RecordSetting {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Strict => "strict",
        }
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "on" | "true" => Ok(true),
        "no" | "off" | "false" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}
