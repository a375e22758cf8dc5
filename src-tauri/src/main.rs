//! The desktop: harden, be the only one, start the engine, show the window, stay in the tray.
//!
//! This folder is a skin. It must not know what a call means, how anything is stored, or any rule; all of that is
//! behind the contract in `claviger-api`.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

#[cfg(all(feature = "e2e", not(debug_assertions)))]
compile_error!("feature `e2e` lets WebDriver drive the window; it must never be in a release build");

mod clipboard;
mod events;
mod ipc;
mod link;
mod notify;
mod tray;
mod windows;

use crate::link::Link;
use claviger_api::schema::Tag;
use claviger_platform::Dirs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use tauri::{AppHandle, Manager, RunEvent, WindowEvent};
use tracing_subscriber::EnvFilter;

/// Freed heap memory is wiped, whoever allocated it.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    // Only a build for tests may be driven from outside, and even that one can be told to behave like a real one.
    claviger_platform::start_clean(
        cfg!(feature = "e2e") && std::env::var_os("CLAVIGER_E2E_UNDRIVEN").is_none(),
    );
    claviger_platform::harden();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    if claviger_platform::display_is_missing() {
        return fail(
            "there is no display to open a window on",
            "`claviger serve` runs without one, `claviger demo` shows how",
        );
    }
    run().unwrap_or_else(|error| fail(&format!("the window could not be opened: {error}"), ""))
}

/// Says what happened where there is no window to say it in.
#[expect(clippy::print_stderr, reason = "the last resort")]
fn fail(message: &str, hint: &str) -> ExitCode {
    eprintln!("error: {message}");
    if !hint.is_empty() {
        eprintln!("hint: {hint}");
    }
    ExitCode::from(claviger_api::schema::Code::Unavailable.exit())
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let dirs = Dirs::from_env()?;
    let app = tauri::Builder::default()
        // The first plugin, so that a second start ends before it touches anything.
        .plugin(
            tauri_plugin_single_instance::Builder::new()
                .dbus_id(instance(&dirs))
                .callback(|app, _arguments, _directory| windows::open(app))
                .build(),
        )
        .manage(notify::Notifier::start())
        .invoke_handler(tauri::generate_handler![ipc::query, ipc::mutate, ipc::decide, clipboard::copy])
        .setup(move |app| {
            let handle = app.handle().clone();
            let link = Link::new(dirs, {
                let handle = handle.clone();
                move |host| events::forward(handle.clone(), host)
            });
            app.manage(Arc::clone(&link));
            tray::build(&handle);
            windows::open(&handle);
            tauri::async_runtime::spawn(async move {
                if let Err(error) = link.start().await {
                    tracing::error!("the engine did not start: {error}; {}", error.hint);
                    tray::refresh(&handle, &[Tag::Vault]).await;
                }
            });
            Ok(())
        })
        .build(tauri::generate_context!())?;
    Ok(ExitCode::from(u8::try_from(app.run_return(on_event)).unwrap_or(1)))
}

/// The name by which a second start finds the first: one for each installation, so that a start with another
/// `CLAVIGER_HOME` does not end up in this one's window.
fn instance(dirs: &Dirs) -> String {
    let mut hasher = DefaultHasher::new();
    dirs.data_dir().hash(&mut hasher);
    format!("dev.claviger.desktop.i{:016x}", hasher.finish())
}

fn on_event(app: &AppHandle, event: RunEvent) {
    match event {
        // The last window is gone: tray and proxy go on. A code is there only when the user chose to quit.
        RunEvent::ExitRequested { code: None, api, .. } => {
            api.prevent_exit();
            app.state::<notify::Notifier>().window_closed(app);
        }
        RunEvent::WindowEvent { event: WindowEvent::Focused(true), .. } => tray::seen(app),
        _ => {}
    }
}
