//! Native notifications: what became worth a word, said seldom, and never with a secret in it.
//!
//! What to say is computed as data; one thread of its own talks to the desktop, since that may block. A click opens the
//! window and can do nothing else, because any program of the session can fake one.

use crate::link::Link;
use crate::tray::Standing;
use crate::windows;
use claviger_api::schema::activity::AuditPage;
use claviger_api::schema::proposal::ProposalView;
use claviger_api::schema::settings::SettingsView;
use claviger_api::schema::vault::VaultState;
use claviger_api::schema::{Tag, Verb};
use notify_rust::{Notification, Timeout, Urgency};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tauri::{AppHandle, Manager};

/// The same kind of thing is said once in this time.
const SELDOM: Duration = Duration::from_secs(60);
/// So many notifications wait for a click at once; any further one is shown without waiting.
const MOST_WAITING: usize = 4;

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Locked,
    Attention,
    Asked,
    StillRunning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Notice {
    about: About,
    title: String,
    body: String,
}

/// What was said, and when.
#[derive(Default)]
struct Memory {
    is_silent: bool,
    vault: Option<VaultState>,
    asked: Option<String>,
    said: Vec<(About, Instant)>,
}

/// Says things to the user through the desktop.
pub(crate) struct Notifier {
    memory: Mutex<Memory>,
    out: SyncSender<(AppHandle, Notice)>,
}

// === impl Memory ===

impl Memory {
    /// Takes over how the vault stands; true when it went from unlocked to locked.
    fn was_locked(&mut self, now: Option<VaultState>) -> bool {
        let before = std::mem::replace(&mut self.vault, now);
        before == Some(VaultState::Unlocked) && now == Some(VaultState::Locked)
    }

    /// Takes over which question of an agent is the newest; true when it is one that was not there before.
    fn is_news(&mut self, newest: &str) -> bool {
        self.asked.replace(newest.to_owned()).as_deref() != Some(newest)
    }

    /// Whether this may be said now; if so it counts as said. That the window is not needed is said once.
    fn may_say(&mut self, about: About, now: Instant) -> bool {
        if self.is_silent {
            return false;
        }
        let is_once = about == About::StillRunning;
        if self.said.iter().any(|(said, at)| *said == about && (is_once || now.duration_since(*at) < SELDOM))
        {
            return false;
        }
        self.said.retain(|(said, _)| *said != about);
        self.said.push((about, now));
        true
    }
}

// === impl Notifier ===

impl Notifier {
    pub(crate) fn start() -> Self {
        // A desktop that hangs holds back a few notices; the rest is dropped, since each would come too late.
        let (out, notices) = sync_channel(8);
        std::thread::spawn(move || speak(&notices));
        Self { memory: Mutex::default(), out }
    }

    /// Says what changed, if it is worth it and the user has not the window before them.
    pub(crate) async fn consider(&self, app: &AppHandle, now: &Standing, tags: &[Tag]) {
        let link = Arc::clone(&app.state::<Arc<Link>>());
        if tags.contains(&Tag::Settings) {
            let is_wanted = is_wanted(&link).await;
            self.remember(|memory| memory.is_silent = !is_wanted);
        }
        let was_locked = self.remember(|memory| memory.was_locked(now.vault));
        let asked = if tags.contains(&Tag::Proposals) { newest_asked(&link).await } else { None };
        let asked = asked.filter(|asked| self.remember(|memory| memory.is_news(&asked.proposal)));
        if windows::is_looked_at(app) {
            return;
        }
        if let Some(asked) = asked {
            self.say(app, asks(&asked));
        }
        if was_locked {
            self.say(app, locked());
        }
        if tags.contains(&Tag::Attention) {
            self.say(app, needs_attention(last_refused(&link).await.as_deref()));
        }
    }

    /// The window was closed for the first time: without it nobody can tell that Claviger goes on.
    pub(crate) fn window_closed(&self, app: &AppHandle) {
        self.say(app, still_running());
    }

    fn say(&self, app: &AppHandle, notice: Notice) {
        if !self.remember(|memory| memory.may_say(notice.about, Instant::now())) {
            return;
        }
        if self.out.try_send((app.clone(), notice)).is_err() {
            tracing::warn!("a notification was dropped: the desktop does not answer");
        }
    }

    fn remember<R>(&self, work: impl FnOnce(&mut Memory) -> R) -> R {
        work(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn locked() -> Notice {
    Notice {
        about: About::Locked,
        title: "The vault is locked".to_owned(),
        body: "Agents get no credential until you unlock it.".to_owned(),
    }
}

fn needs_attention(agent: Option<&str>) -> Notice {
    let body = match agent {
        Some(agent) => format!("Requests of {agent} are being refused. See Activity for the reason."),
        None => "Something happened that you should look at. See Activity.".to_owned(),
    };
    Notice { about: About::Attention, title: "Claviger needs a look".to_owned(), body }
}

/// The agent's own words stay in the window: a notification cannot tell whose words are whose.
fn asks(asked: &ProposalView) -> Notice {
    Notice {
        about: About::Asked,
        title: format!("{} asks for access", asked.agent),
        body: format!("It would like to use {}. Nothing is granted until you decide.", asked.title),
    }
}

fn still_running() -> Notice {
    Notice {
        about: About::StillRunning,
        title: "Claviger keeps running".to_owned(),
        body: "The proxy goes on without the window. Open it again from the tray, or by starting Claviger."
            .to_owned(),
    }
}

/// Whether the user wants notifications. Where nobody can tell, they are wanted.
async fn is_wanted(link: &Link) -> bool {
    let settings = link.call(Verb::Query, "settings.show", json!({})).await;
    match settings.map(serde_json::from_value::<SettingsView>) {
        Ok(Ok(settings)) => settings.notifications,
        _ => true,
    }
}

/// The name of the agent that was refused last.
async fn last_refused(link: &Link) -> Option<String> {
    let params = json!({ "result": "refused", "limit": 1 });
    let page = link.call(Verb::Query, "audit.list", params).await.ok()?;
    serde_json::from_value::<AuditPage>(page).ok()?.entries.into_iter().next()?.agent
}

/// The newest question that waits for an answer.
async fn newest_asked(link: &Link) -> Option<ProposalView> {
    let all = link.call(Verb::Query, "proposal.list", json!({})).await.ok()?;
    let all = serde_json::from_value::<Vec<ProposalView>>(all).ok()?;
    all.into_iter().next().filter(|first| first.state == "open")
}

/// The thread that talks to the desktop.
fn speak(notices: &Receiver<(AppHandle, Notice)>) {
    let waiting = Arc::new(AtomicUsize::new(0));
    while let Ok((app, notice)) = notices.recv() {
        let shown = Notification::new()
            .appname("Claviger")
            .icon("dev.claviger.desktop")
            .summary(&notice.title)
            .body(&notice.body)
            .action("default", "Open Claviger")
            .urgency(if notice.about == About::Attention { Urgency::Critical } else { Urgency::Normal })
            .timeout(Timeout::Default)
            .show();
        match shown {
            Ok(handle) if waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING => {
                let waiting = Arc::clone(&waiting);
                std::thread::spawn(move || {
                    handle.wait_for_action(|action| {
                        if action == "default" {
                            open_window(&app, notice.about);
                        }
                    });
                    waiting.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Ok(_unwatched) => {
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
            // No daemon, no bus: the tray and the window say the same.
            Err(error) => tracing::info!("a notification was not shown: {error}"),
        }
    }
}

fn open_window(app: &AppHandle, about: About) {
    let app = app.clone();
    let opened = app.clone().run_on_main_thread(move || {
        let view = match about {
            About::Attention => Some("activity"),
            About::Asked => Some("agents"),
            About::Locked | About::StillRunning => None,
        };
        windows::open_at(&app, view);
    });
    if let Err(error) = opened {
        tracing::warn!("the window could not be opened: {error}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn only_the_way_from_unlocked_to_locked_is_told() {
        let mut memory = Memory::default();
        assert!(!memory.was_locked(Some(VaultState::Locked)), "a start with a locked vault is no news");
        assert!(!memory.was_locked(Some(VaultState::Unlocked)), "unlocking is no news");
        assert!(memory.was_locked(Some(VaultState::Locked)), "locking is news");
        assert!(!memory.was_locked(Some(VaultState::Locked)), "it is news once");
    }

    #[test]
    fn nothing_is_said_to_a_user_who_wants_silence() {
        let mut memory = Memory { is_silent: true, ..Memory::default() };
        assert!(!memory.may_say(About::Attention, Instant::now()), "the setting was not heeded");
    }

    #[test]
    fn a_question_is_news_once() {
        let mut memory = Memory::default();
        assert!(memory.is_news("prp_a"), "the first question");
        assert!(!memory.is_news("prp_a"), "another change, the same question");
        assert!(memory.is_news("prp_b"), "the next question");
    }

    #[test]
    fn the_same_kind_is_said_seldom() {
        let mut memory = Memory::default();
        let now = Instant::now();
        assert!(memory.may_say(About::Attention, now), "the first time");
        assert!(!memory.may_say(About::Attention, now + SELDOM / 2), "again too soon");
        assert!(memory.may_say(About::Locked, now + SELDOM / 2), "another kind");
        assert!(memory.may_say(About::Attention, now + SELDOM), "after a while");
        assert!(memory.may_say(About::StillRunning, now), "the first window that is closed");
        assert!(!memory.may_say(About::StillRunning, now + SELDOM * 60), "any later one");
    }
}
