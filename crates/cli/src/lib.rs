//! The command line: arguments → calls of the contract → text or JSON.
//!
//! Must not know the engine's insides, the vault or the proxy: everything goes through [`claviger_api`], as in the
//! window. The words, JSON fields and exit codes are an interface for scripts: add to them, never change one.

mod args;
mod commands;
mod context;
mod demo;
mod link;
mod logs;
mod output;
mod secret_input;
mod text;

use std::process::ExitCode;

use clap::Parser as _;
use claviger_api::schema::{ApiError, Code};

use args::Cli;
use context::Context;

/// Runs one command of the contract and returns its exit code.
pub fn main() -> ExitCode {
    let wants_json = std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(why) => return not_understood(&why, wants_json),
    };
    logs::start();
    // No more threads than processors: two that share one wake each other for nothing. No more than two: the proxy is
    // bound by the kernel's sockets, and every thread costs memory.
    let threads = std::thread::available_parallelism().map_or(1, |processors| processors.get().min(2));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let json = cli.json;
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(cli));
            // A prompt or a pipe that is still being read must not hold up the end.
            runtime.shutdown_background();
            result
        }
        Err(why) => Err(ApiError::new(Code::Unexpected, format!("cannot start: {why}"), "")),
    };
    match result {
        Ok(code) => code,
        Err(why) => {
            output::error(&why, json);
            ExitCode::from(why.code.exit())
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, ApiError> {
    let mut context = Context::new(cli.home, cli.json, cli.password)?;
    commands::run(&mut context, cli.command).await
}

/// Help and version go to stdout; everything else is a usage error.
fn not_understood(why: &clap::Error, json: bool) -> ExitCode {
    use clap::error::ErrorKind;
    if matches!(why.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) || !json {
        let _ = why.print();
        return ExitCode::from(u8::try_from(why.exit_code()).unwrap_or(2));
    }
    let text = why.render().to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    output::error(&ApiError::new(Code::Usage, message, "`claviger help` lists the commands"), true);
    ExitCode::from(Code::Usage.exit())
}
