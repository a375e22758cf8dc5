//! A secret on the clipboard, for a minute: the page may write there when it is clicked, and can never take it off again.
//!
//! Claviger stays the owner of what was copied and answers each paste itself, so after a minute it answers nothing, on
//! X11 and Wayland alike. What somebody else copies in the meantime is never read and never touched. Clipboard managers
//! are asked not to keep it, in the way that KDE's and others understand.

use claviger_api::schema::{ApiError, Code};
use gtk::{Clipboard, TargetEntry, TargetFlags, gdk, glib};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tauri::AppHandle;

/// How long a secret stays. The page says the same figure.
const STAYS: Duration = Duration::from_secs(60);
/// What a paste may ask for. The last is no text but a word to clipboard managers.
const TARGETS: [&str; 6] =
    ["UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "STRING", "TEXT", SENSITIVE];
const SENSITIVE: &str = "x-kde-passwordManagerHint";

/// What was copied, until it is taken off.
type Copied = Rc<RefCell<Option<String>>>;

/// Puts a text on the clipboard and takes it off after a minute, if it is still there. A command of the bridge.
#[tauri::command]
pub(crate) async fn copy(app: AppHandle, text: String) -> Result<(), ApiError> {
    let (said, done) = tokio::sync::oneshot::channel();
    let asked = app.run_on_main_thread(move || {
        let is_there = put(&Clipboard::get(&gdk::SELECTION_CLIPBOARD), text, STAYS);
        // Nobody waits any more: the window is gone.
        let _ = said.send(is_there);
    });
    match (asked, done.await) {
        (Ok(()), Ok(true)) => Ok(()),
        _ => Err(ApiError::new(
            Code::Unavailable,
            "the desktop did not take the text for its clipboard",
            "select the text and copy it by hand",
        )),
    }
}

/// On the toolkit's own thread: gives the text to whoever pastes, for so long.
fn put(clipboard: &Clipboard, text: String, stays: Duration) -> bool {
    let copied: Copied = Rc::new(RefCell::new(Some(text)));
    // The closure is dropped when somebody else copies something; then there is nothing left to take off.
    let still_ours = Rc::downgrade(&copied);
    let targets: Vec<_> = (0..)
        .zip(TARGETS)
        .map(|(info, target)| TargetEntry::new(target, TargetFlags::empty(), info))
        .collect();
    let is_there = clipboard.set_with_data(&targets, move |_, asked, info| {
        if TARGETS.get(info as usize) == Some(&SENSITIVE) {
            asked.set(&asked.target(), 8, b"secret");
        } else {
            asked.set_text(copied.borrow().as_deref().unwrap_or_default());
        }
    });
    if is_there {
        let clipboard = clipboard.clone();
        glib::timeout_add_local_once(stays, move || {
            if let Some(copied) = still_ours.upgrade() {
                copied.take();
                clipboard.clear();
            }
        });
    }
    is_there
}
