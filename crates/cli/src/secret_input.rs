//! Where secrets come from: stdin, a file, or a terminal with echo off; never an argument or the environment.
//! Must not know what a secret is for.
//!
//! When several are asked from stdin on one command, each stands on a line of its own, in this order: the password,
//! the recovery key, the new password, the agent's token; the credential's secret comes last and takes all the rest.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use claviger_api::schema::{ApiError, Code};
use claviger_secret::{Passphrase, Secret};
use serde_json::Value;

use crate::args::PasswordArgs;

/// No password, token or key is longer.
const LINE_LIMIT: u64 = 64 * 1024;
const SECRET_LIMIT: u64 = 1024 * 1024;

/// Reads secrets in their order.
pub(crate) struct SecretReader {
    password: Option<Secret>,
}

/// Where one secret was asked from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) stdin: bool,
    pub(crate) file: Option<PathBuf>,
}

// === impl SecretReader ===

impl SecretReader {
    /// Reads the password at once when it is asked from stdin, since it stands first there.
    pub(crate) fn new(args: PasswordArgs) -> Result<Self, ApiError> {
        let source = Source { stdin: args.password_stdin, file: args.password_file };
        Ok(Self { password: line_from(&source, "the password")? })
    }

    /// The password, if it was given by stdin or file.
    pub(crate) fn given_password(&mut self) -> Option<Secret> {
        self.password.take()
    }

    /// The password that opens the vault, asked for on the terminal if it was not given.
    pub(crate) fn vault_password(&mut self) -> Result<Secret, ApiError> {
        match self.password.take() {
            Some(password) => Ok(password),
            None => prompt("Password: ").ok_or_else(|| {
                let hint = "give it with --password-stdin or --password-file, or start an engine with `claviger serve`";
                ApiError::new(Code::VaultLocked, "the vault is locked, and no password was given", hint)
            }),
        }
    }

    /// A password to be set, asked for twice on the terminal if it was not given.
    pub(crate) fn new_password(&mut self, source: &Source) -> Result<Secret, ApiError> {
        if let Some(given) = line_from(source, "the new password")? {
            return Ok(given);
        }
        let (Some(first), Some(second)) = (prompt("New password: "), prompt("The same again: ")) else {
            return Err(missing("a new password", "--new-password-stdin or --new-password-file"));
        };
        if first == second {
            Ok(first)
        } else {
            Err(ApiError::new(Code::Usage, "the two passwords differ", "nothing was changed; try again"))
        }
    }

    /// The password for a new vault, asked for twice on the terminal if it was not given.
    pub(crate) fn first_password(&mut self) -> Result<Secret, ApiError> {
        match self.password.take() {
            Some(password) => Ok(password),
            None => self.new_password(&Source::default()).map_err(|why| {
                match why.message.starts_with("a new password") {
                    true => missing("a password for the new vault", "--password-stdin or --password-file"),
                    false => why,
                }
            }),
        }
    }

    /// One line: a recovery key or an agent's token. `None` when it was not asked for.
    pub(crate) fn line(&mut self, source: &Source, what: &str) -> Result<Option<Secret>, ApiError> {
        line_from(source, what)
    }

    /// A credential's secret: all of it, without the line end at its end.
    pub(crate) fn material(&mut self, source: &Source) -> Result<Secret, ApiError> {
        let text = match (source.stdin, &source.file) {
            (true, _) => {
                let mut bytes = Vec::new();
                let read = claviger_platform::raw_stdin()
                    .and_then(|stdin| stdin.take(SECRET_LIMIT + 1).read_to_end(&mut bytes));
                read.map_err(|why| unreadable("the secret", "stdin", &why))?;
                bytes
            }
            (false, Some(path)) => read_file(path, SECRET_LIMIT, "the secret")?,
            (false, None) => match prompt("Secret: ") {
                Some(secret) => return Ok(secret),
                None => return Err(missing("the secret", "--secret-stdin or --secret-file")),
            },
        };
        checked(text, SECRET_LIMIT, "the secret")
    }
}

/// A secret in the place of a call's parameters where the contract wants one.
pub(crate) fn as_json(secret: &Secret) -> Result<Value, ApiError> {
    // EXPOSE: it crosses the contract as a JSON string; the global allocator wipes that string when it is freed.
    let text = std::str::from_utf8(secret.expose());
    text.map(Value::from).map_err(|_| {
        ApiError::new(
            Code::Usage,
            "the secret is not text (UTF-8)",
            "encode binary material first, for example as base64",
        )
    })
}

/// A password in its role.
pub(crate) fn passphrase(secret: Secret) -> Passphrase {
    Passphrase::from(secret)
}

fn line_from(source: &Source, what: &str) -> Result<Option<Secret>, ApiError> {
    let bytes = match (source.stdin, &source.file) {
        (false, None) => return Ok(None),
        (true, _) => line_from_stdin().map_err(|why| unreadable(what, "stdin", &why))?,
        (false, Some(path)) => {
            let mut bytes = read_file(path, LINE_LIMIT, what)?;
            if let Some(end) = bytes.iter().position(|b| *b == b'\n') {
                bytes.truncate(end);
            }
            bytes
        }
    };
    checked(bytes, LINE_LIMIT, what).map(Some)
}

/// One line, byte by byte: what follows stays in the pipe, and nothing stays in a buffer.
fn line_from_stdin() -> std::io::Result<Vec<u8>> {
    let mut stdin = claviger_platform::raw_stdin()?;
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.len() as u64 <= LINE_LIMIT && stdin.read(&mut byte)? == 1 {
        line.push(byte[0]);
        if byte[0] == b'\n' {
            break;
        }
    }
    Ok(line)
}

fn read_file(path: &Path, limit: u64, what: &str) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let shown = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|why| unreadable(what, &shown, &why))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|why| unreadable(what, &shown, &why))?;
    Ok(bytes)
}

/// Without the line end at its end; neither empty nor endless.
fn checked(mut bytes: Vec<u8>, limit: u64, what: &str) -> Result<Secret, ApiError> {
    if bytes.len() as u64 > limit {
        return Err(ApiError::new(Code::Usage, format!("{what} is longer than {limit} bytes"), ""));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err(ApiError::new(Code::Usage, format!("{what} is empty"), "stdin had nothing for it"));
    }
    Ok(Secret::from(bytes))
}

/// Asks on the terminal with echo off; `None` when there is none, or nothing was typed.
fn prompt(question: &str) -> Option<Secret> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    rpassword::prompt_password(question).ok().filter(|text| !text.is_empty()).map(Secret::from)
}

fn missing(what: &str, options: &str) -> ApiError {
    ApiError::new(
        Code::Usage,
        format!("{what} is needed, and stdin is no terminal to ask on"),
        format!("give it with {options}"),
    )
}

fn unreadable(what: &str, place: &str, why: &std::io::Error) -> ApiError {
    ApiError::new(Code::Usage, format!("{what} cannot be read from {place}: {why}"), "")
}
