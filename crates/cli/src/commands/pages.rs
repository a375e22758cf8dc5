//! Completions and manual pages, from the definitions of the arguments. Must not know anything else.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use claviger_api::schema::{ApiError, Code};

use crate::args::Cli;

pub(super) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, ApiError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "claviger", &mut text);
    crate::output::line(String::from_utf8_lossy(&text).trim_end());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(out: Option<&Path>) -> Result<ExitCode, ApiError> {
    let unwritable = |why: std::io::Error| {
        ApiError::new(Code::Unavailable, format!("the pages cannot be written: {why}"), "")
    };
    match out {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(unwritable)?;
            clap_mangen::generate_to(Cli::command(), dir).map_err(unwritable)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(unwritable)?;
            crate::output::line(String::from_utf8_lossy(&page).trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}
