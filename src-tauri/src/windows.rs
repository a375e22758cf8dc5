//! The main window: made when it is asked for, destroyed when it is closed, held inside the app.
//!
//! Must not know what the page shows.

use crate::events;
use crate::link::Link;
use std::sync::Arc;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

/// The label of the only window.
pub(crate) const MAIN: &str = "main";

/// Shows the window, making it if there is none. Closing destroys it, since a hidden page costs more memory than
/// everything else together.
pub(crate) fn open(app: &AppHandle) {
    open_at(app, None);
}

/// [`open`], and goes to this view of the page.
pub(crate) fn open_at(app: &AppHandle, view: Option<&str>) {
    let shown = match app.get_webview_window(MAIN) {
        Some(window) => show(&window).map(|()| {
            if let Some(view) = view {
                events::navigate(app, view);
            }
        }),
        // A new page does not listen yet, so it starts there.
        None => make(app, view),
    };
    if let Err(error) = shown {
        tracing::error!("the window could not be opened: {error}");
    }
}

/// Whether the user has the window before them.
pub(crate) fn is_looked_at(app: &AppHandle) -> bool {
    app.get_webview_window(MAIN).is_some_and(|window| window.is_focused().unwrap_or(false))
}

fn show(window: &WebviewWindow) -> tauri::Result<()> {
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}

fn make(app: &AppHandle, view: Option<&str>) -> tauri::Result<()> {
    let Some(config) = app.config().app.windows.iter().find(|window| window.label == MAIN) else {
        return Err(tauri::Error::WindowNotFound);
    };
    let mut config = config.clone();
    if let Some(view) = view {
        config.url = WebviewUrl::App(format!("index.html#/{view}").into());
    }
    WebviewWindowBuilder::from_config(app, &config)?
        // What the page keeps (its look, how far first run came) lies with everything else of this installation.
        .data_directory(app.state::<Arc<Link>>().dirs().data_dir().join("window"))
        .on_navigation(is_ours)
        .on_new_window(|_url, _features| NewWindowResponse::Deny)
        .on_download(|_webview, _event| false)
        .devtools(cfg!(debug_assertions))
        .build()?;
    Ok(())
}

/// The page lives inside the app and goes nowhere else, whatever it is made to ask for.
fn is_ours(url: &Url) -> bool {
    matches!(
        (url.scheme(), url.host_str()),
        ("tauri", Some("localhost")) | ("http" | "https", Some("tauri.localhost"))
    ) && url.port().is_none()
        && url.username().is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn only_the_app_itself_is_shown() {
        for ours in ["tauri://localhost/", "tauri://localhost/index.html#/agents", "http://tauri.localhost/"]
        {
            assert!(is_ours(&Url::parse(ours).unwrap()), "{ours} is the app");
        }
        for foreign in [
            "https://example.com/",
            "http://localhost/",
            "http://127.0.0.1:8080/",
            "tauri://evil/",
            "http://tauri.localhost:8080/",
            "http://user@tauri.localhost/",
            "http://tauri.localhost.evil.example/",
            "file:///etc/passwd",
            "data:text/html,hello",
            "javascript:alert(1)",
            "about:blank",
            "blob:tauri://localhost/1",
        ] {
            assert!(!is_ours(&Url::parse(foreign).unwrap()), "{foreign} must be refused");
        }
    }
}
