//! The certified server (`tests/oauth/as.mjs`), started for one test and ended with it.

use claviger_oauth::{Issuer, Reach, Server};

use super::process::Process;
use super::{issuer, real_http};

pub(crate) const SECRET: &str = "svc-secret-0123456789abcdef0123456789";

/// A running server.
pub(crate) struct Provider {
    pub(crate) issuer: Issuer,
    _process: Process,
}

impl Provider {
    /// Starts one with these variables.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let process = Process::start("as.mjs", variables);
        Self { issuer: issuer(process.said["issuer"].as_str().unwrap()), _process: process }
    }

    /// What it says about itself.
    pub(crate) async fn discover(&self) -> Server {
        Server::discover(&real_http(), &self.issuer, Reach::Private).await.expect("it describes itself")
    }
}
