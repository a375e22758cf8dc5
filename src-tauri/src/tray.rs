//! The tray: how Claviger stands, at a glance, and the few things one wants without a window.
//!
//! What is shown is computed as data from a [`Standing`]; only the last step touches the desktop. Must not know how any
//! action is carried out beyond its call's name. A desktop without a tray host, or without the library for it, loses
//! the tray and nothing else.

use crate::link::Link;
use crate::windows;
use claviger_api::schema::vault::{StatusView, VaultState};
use claviger_api::schema::{Tag, Verb};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use tauri::image::Image;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Manager, include_image};

const ID: &str = "claviger";

/// How Claviger stands, as far as tray and notifications care.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// `None`: there is no engine, for the reason in `problem`.
    pub(crate) vault: Option<VaultState>,
    pub(crate) problem: Option<String>,
    pub(crate) is_paused: bool,
    pub(crate) agents: usize,
    /// Something happened that the user has not looked at.
    pub(crate) wants_attention: bool,
}

/// What a menu entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Open,
    Lock,
    PauseAll,
    ResumeAll,
    Quit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Icon {
    Unlocked,
    Locked,
    Paused,
    Attention,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Status(String),
    Act { action: Action, label: &'static str, is_enabled: bool },
    Ruler,
}

/// What the tray shows now.
#[derive(Default)]
pub(crate) struct Shown(Mutex<Standing>);

// === impl Action ===

impl Action {
    const ALL: [Self; 5] = [Self::Open, Self::Lock, Self::PauseAll, Self::ResumeAll, Self::Quit];

    const fn id(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Lock => "lock",
            Self::PauseAll => "pause-all",
            Self::ResumeAll => "resume-all",
            Self::Quit => "quit",
        }
    }
}

// === impl Icon ===

impl Icon {
    fn of(standing: &Standing) -> Self {
        match standing.vault {
            _ if standing.wants_attention => Self::Attention,
            None => Self::Attention,
            Some(VaultState::Absent | VaultState::Locked) => Self::Locked,
            Some(VaultState::Unlocked) if standing.is_paused => Self::Paused,
            Some(VaultState::Unlocked) => Self::Unlocked,
        }
    }

    const fn image(self) -> Image<'static> {
        match self {
            Self::Unlocked => include_image!("icons/tray-unlocked@2x.png"),
            Self::Locked => include_image!("icons/tray-locked@2x.png"),
            Self::Paused => include_image!("icons/tray-paused@2x.png"),
            Self::Attention => include_image!("icons/tray-attention@2x.png"),
        }
    }
}

// === impl Entry ===

impl Entry {
    /// The whole menu.
    fn all(standing: &Standing) -> Vec<Self> {
        let is_unlocked = standing.vault == Some(VaultState::Unlocked);
        let act = |action, label, is_enabled| Self::Act { action, label, is_enabled };
        vec![
            Self::Status(status_line(standing)),
            Self::Ruler,
            act(Action::Open, "Open Claviger", true),
            act(Action::Lock, "Lock now", is_unlocked),
            if standing.is_paused {
                act(Action::ResumeAll, "Resume all agents", is_unlocked)
            } else {
                act(Action::PauseAll, "Pause all agents", is_unlocked)
            },
            Self::Ruler,
            act(Action::Quit, "Quit and stop the proxy", true),
        ]
    }
}

/// The first line of the menu.
fn status_line(standing: &Standing) -> String {
    let agents = match standing.agents {
        0 => "no agents yet".to_owned(),
        1 => "1 agent".to_owned(),
        n => format!("{n} agents"),
    };
    let line = match standing.vault {
        None => standing.problem.clone().unwrap_or_else(|| "Starting".to_owned()),
        Some(VaultState::Absent) => "No vault yet".to_owned(),
        Some(VaultState::Locked) => "Locked".to_owned(),
        Some(VaultState::Unlocked) if standing.is_paused => format!("Paused · {agents}"),
        Some(VaultState::Unlocked) => format!("Unlocked · {agents}"),
    };
    if standing.wants_attention { format!("{line} · needs a look") } else { line }
}

/// Puts the icon into the tray, if the desktop has one.
pub(crate) fn build(app: &AppHandle) {
    app.manage(Shown::default());
    // The library behind the tray is loaded when it is first used, and panics where it is not installed.
    let built = catch_unwind(AssertUnwindSafe(|| {
        let standing = Standing::default();
        TrayIconBuilder::with_id(ID)
            .icon(Icon::of(&standing).image())
            .menu(&menu(app, &standing)?)
            .on_menu_event(|app, event| {
                if let Some(action) =
                    Action::ALL.into_iter().find(|action| event.id().as_ref() == action.id())
                {
                    act(app, action);
                }
            })
            .build(app)
    }));
    match built {
        Ok(Ok(_tray)) => {}
        Ok(Err(error)) => tracing::warn!("no tray icon: {error}"),
        Err(_panic) => tracing::warn!("no tray icon: the desktop's tray library is not installed"),
    }
}

/// Asks the engine how it stands after these changes, and shows it.
pub(crate) async fn refresh(app: &AppHandle, tags: &[Tag]) -> Standing {
    let before = shown(app, |shown| shown.clone());
    let mut now = ask(&app.state::<Arc<Link>>(), tags, &before).await;
    let is_news = shown(app, |shown| {
        now.wants_attention =
            shown.wants_attention || (tags.contains(&Tag::Attention) && !windows::is_looked_at(app));
        std::mem::replace(shown, now.clone()) != now
    });
    if is_news {
        show(app, &now);
    }
    now
}

/// The user looks at the window: what wanted attention has it.
pub(crate) fn seen(app: &AppHandle) {
    let news = shown(app, |shown| std::mem::take(&mut shown.wants_attention).then(|| shown.clone()));
    if let Some(standing) = news {
        show(app, &standing);
    }
}

fn shown<R>(app: &AppHandle, work: impl FnOnce(&mut Standing) -> R) -> R {
    work(&mut app.state::<Shown>().0.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Asks no more than these changes call for: a call counts as use of the vault, and traffic must not keep it open.
async fn ask(link: &Link, tags: &[Tag], before: &Standing) -> Standing {
    let call = |name: &'static str| link.call(Verb::Query, name, json!({}));
    let status = match call("vault.status").await {
        Ok(status) => status,
        Err(error) => return Standing { problem: Some(error.message), ..Standing::default() },
    };
    let status: StatusView = match serde_json::from_value(status) {
        Ok(status) => status,
        Err(error) => return Standing { problem: Some(error.to_string()), ..Standing::default() },
    };
    let agents = match status.vault {
        VaultState::Unlocked if tags.contains(&Tag::Vault) || tags.contains(&Tag::Agents) => {
            call("agent.list").await.ok().as_ref().and_then(Value::as_array).map_or(0, Vec::len)
        }
        VaultState::Unlocked => before.agents,
        VaultState::Absent | VaultState::Locked => 0,
    };
    Standing {
        vault: Some(status.vault),
        problem: None,
        is_paused: status.paused,
        agents,
        wants_attention: false,
    }
}

fn show(app: &AppHandle, standing: &Standing) {
    let Some(tray) = app.tray_by_id(ID) else { return };
    let shown = menu(app, standing)
        .and_then(|menu| tray.set_menu(Some(menu)))
        .and_then(|()| tray.set_icon(Some(Icon::of(standing).image())));
    if let Err(error) = shown {
        tracing::warn!("the tray could not be brought up to date: {error}");
    }
}

fn menu(app: &AppHandle, standing: &Standing) -> tauri::Result<Menu<tauri::Wry>> {
    let menu = Menu::new(app)?;
    for entry in Entry::all(standing) {
        match entry {
            Entry::Status(line) => {
                menu.append(&MenuItem::with_id(app, "status", line, false, None::<&str>)?)?;
            }
            Entry::Act { action, label, is_enabled } => {
                menu.append(&MenuItem::with_id(app, action.id(), label, is_enabled, None::<&str>)?)?;
            }
            Entry::Ruler => menu.append(&PredefinedMenuItem::separator(app)?)?,
        }
    }
    Ok(menu)
}

fn act(app: &AppHandle, action: Action) {
    match action {
        Action::Open => windows::open(app),
        Action::Lock => mutate(app, "vault.lock"),
        Action::PauseAll => mutate(app, "agent.pause_all"),
        Action::ResumeAll => mutate(app, "agent.resume_all"),
        Action::Quit => quit(app),
    }
}

fn mutate(app: &AppHandle, name: &'static str) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let link = Arc::clone(&app.state::<Arc<Link>>());
        if let Err(error) = link.call(Verb::Mutate, name, json!({})).await {
            tracing::error!("{name} from the tray: {error}; {}", error.hint);
            // What went wrong shows in the window.
            windows::open(&app);
        }
    });
}

fn quit(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let link = Arc::clone(&app.state::<Arc<Link>>());
        link.stop().await;
        app.exit(0);
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn unlocked() -> Standing {
        Standing { vault: Some(VaultState::Unlocked), agents: 3, ..Standing::default() }
    }

    fn enabled(standing: &Standing) -> Vec<Action> {
        Entry::all(standing)
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::Act { action, is_enabled: true, .. } => Some(action),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_icon_says_how_the_vault_stands() {
        let paused = Standing { is_paused: true, ..unlocked() };
        let locked = Standing { vault: Some(VaultState::Locked), ..Standing::default() };
        let looked_for = Standing { wants_attention: true, ..locked.clone() };
        assert_eq!(Icon::of(&unlocked()), Icon::Unlocked, "unlocked");
        assert_eq!(Icon::of(&paused), Icon::Paused, "paused");
        assert_eq!(Icon::of(&locked), Icon::Locked, "locked");
        assert_eq!(
            Icon::of(&Standing { is_paused: true, ..locked }),
            Icon::Locked,
            "locked weighs more than paused"
        );
        assert_eq!(Icon::of(&looked_for), Icon::Attention, "attention weighs more than anything");
        assert_eq!(Icon::of(&Standing::default()), Icon::Attention, "no engine is no good state");
    }

    #[test]
    fn the_menu_offers_only_what_can_be_done() {
        let locked = Standing { vault: Some(VaultState::Locked), ..Standing::default() };
        assert_eq!(
            enabled(&locked),
            [Action::Open, Action::Quit],
            "a locked vault offers neither lock nor pause"
        );
        assert_eq!(
            enabled(&unlocked()),
            [Action::Open, Action::Lock, Action::PauseAll, Action::Quit],
            "an unlocked vault offers lock and pause"
        );
        assert_eq!(
            enabled(&Standing { is_paused: true, ..unlocked() }),
            [Action::Open, Action::Lock, Action::ResumeAll, Action::Quit],
            "paused agents can be resumed"
        );
    }

    #[test]
    fn the_first_line_speaks_in_words() {
        assert_eq!(status_line(&unlocked()), "Unlocked · 3 agents", "unlocked");
        assert_eq!(status_line(&Standing { agents: 1, ..unlocked() }), "Unlocked · 1 agent", "one agent");
        assert_eq!(
            status_line(&Standing { wants_attention: true, ..unlocked() }),
            "Unlocked · 3 agents · needs a look",
            "attention is said, not only drawn"
        );
        let failed = Standing { problem: Some("The vault is in use.".to_owned()), ..Standing::default() };
        assert_eq!(status_line(&failed), "The vault is in use.", "the reason is shown");
    }
}
