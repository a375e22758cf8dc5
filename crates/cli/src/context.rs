//! What every command needs: the home, how to write, where secrets come from, and the link to the engine.
//! Must not know single commands.

use std::path::PathBuf;

use claviger_api::schema::{ApiError, Verb};
use claviger_platform::Dirs;
use serde_json::Value;

use crate::args::PasswordArgs;
use crate::link::Link;
use crate::output::Output;
use crate::secret_input::SecretReader;

pub(crate) struct Context {
    pub(crate) dirs: Dirs,
    pub(crate) out: Output,
    pub(crate) secrets: SecretReader,
    link: Option<Link>,
}

// === impl Context ===

impl Context {
    pub(crate) fn new(home: Option<PathBuf>, json: bool, password: PasswordArgs) -> Result<Self, ApiError> {
        Ok(Self {
            dirs: crate::link::dirs(home)?,
            out: Output::new(json),
            secrets: SecretReader::new(password)?,
            link: None,
        })
    }

    /// The link to the engine; the first use makes it.
    pub(crate) async fn link(&mut self) -> Result<&mut Link, ApiError> {
        if self.link.is_none() {
            self.link = Some(Link::open(&self.dirs).await?);
        }
        self.link.as_mut().ok_or_else(|| {
            ApiError::new(claviger_api::schema::Code::Unexpected, "the link to the engine is gone", "")
        })
    }

    /// A call that reads.
    pub(crate) async fn query(&mut self, name: &str, params: Value) -> Result<Value, ApiError> {
        self.call(Verb::Query, name, params).await
    }

    /// A call that changes something.
    pub(crate) async fn mutate(&mut self, name: &str, params: Value) -> Result<Value, ApiError> {
        self.call(Verb::Mutate, name, params).await
    }

    /// A call that answers a question which an agent raised.
    pub(crate) async fn decide(&mut self, name: &str, params: Value) -> Result<Value, ApiError> {
        self.call(Verb::Decide, name, params).await
    }

    /// Makes the call. When it needs an open vault and no engine runs, the vault is opened here, by the password from
    /// `--password-stdin`, `--password-file` or the terminal. A running engine is never unlocked on the side.
    async fn call(&mut self, verb: Verb, name: &str, params: Value) -> Result<Value, ApiError> {
        use claviger_api::schema::Code;
        let first = self.link().await?.call(verb, name, params.clone()).await;
        let locked_here =
            matches!(&first, Err(why) if why.code == Code::VaultLocked) && !self.link().await?.is_remote();
        if !locked_here {
            return first;
        }
        let password = self.secrets.vault_password()?;
        let unlock = serde_json::json!({"password": crate::secret_input::as_json(&password)?});
        self.link().await?.call(Verb::Mutate, "vault.unlock", unlock).await?;
        self.link().await?.call(verb, name, params).await
    }

    /// The link itself, for a stream.
    pub(crate) async fn take_link(&mut self) -> Result<Link, ApiError> {
        match self.link.take() {
            Some(link) => Ok(link),
            None => Link::open(&self.dirs).await,
        }
    }

    /// Ends what this process opened itself, so that everything is on the disk before the result is told.
    pub(crate) async fn close(&mut self) -> Result<(), ApiError> {
        match self.link.take() {
            Some(link) => link.close().await,
            None => Ok(()),
        }
    }
}
