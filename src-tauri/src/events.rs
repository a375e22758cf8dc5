//! From the engine's bus to the page, the tray and the notifications: tags, never what changed.
//!
//! Must not know any value of the contract beyond the tag.

use crate::{notify, tray, windows};
use claviger_api::Host;
use claviger_api::schema::Tag;
use serde::Serialize;
use std::time::Duration;
use tauri::{AppHandle, Emitter, Manager};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

/// Tags are gathered for this long and sent together, so that traffic does not make the page ask at every request.
const GATHER: Duration = Duration::from_millis(100);

/// What the page hears: `claviger://changed`.
#[derive(Clone, Debug, Serialize)]
struct Changed {
    tags: Vec<Tag>,
}

/// What the page hears: `claviger://navigate`.
#[derive(Clone, Debug, Serialize)]
struct Navigate<'a> {
    view: &'a str,
}

/// Forwards this engine's tags until it stops.
pub(crate) fn forward(app: AppHandle, host: &Host) {
    let mut bus = host.subscribe();
    tauri::async_runtime::spawn(async move {
        // What was so before the first event counts as well.
        react(&app, &[Tag::Vault, Tag::Settings]).await;
        while let Some(tags) = gather(&mut bus).await {
            send(&app, "claviger://changed", &Changed { tags: tags.clone() });
            react(&app, &tags).await;
        }
    });
}

/// Asks the page to show a view.
pub(crate) fn navigate(app: &AppHandle, view: &str) {
    send(app, "claviger://navigate", &Navigate { view });
}

/// The next tags, each once; `None` when the engine is gone.
async fn gather(bus: &mut Receiver<Tag>) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut until: Option<Instant> = None;
    loop {
        let next = match until {
            None => bus.recv().await,
            Some(until) => match tokio::time::timeout_at(until, bus.recv()).await {
                Ok(next) => next,
                Err(_elapsed) => return Some(tags),
            },
        };
        match next {
            Ok(tag) if !tags.contains(&tag) => tags.push(tag),
            Ok(_) => {}
            // Some were missed, and nobody knows which: everything may have changed.
            Err(RecvError::Lagged(_)) => tags = ALL.to_vec(),
            Err(RecvError::Closed) => return if tags.is_empty() { None } else { Some(tags) },
        }
        until = until.or_else(|| Some(Instant::now() + GATHER));
    }
}

const ALL: [Tag; 10] = [
    Tag::Vault,
    Tag::Services,
    Tag::Credentials,
    Tag::Agents,
    Tag::Grants,
    Tag::Proposals,
    Tag::Oauth,
    Tag::Activity,
    Tag::Settings,
    Tag::Attention,
];

/// Brings tray and notifications up to date. Traffic alone changes neither.
async fn react(app: &AppHandle, tags: &[Tag]) {
    let is_traffic = |tag: &Tag| {
        matches!(tag, Tag::Activity | Tag::Services | Tag::Credentials | Tag::Grants | Tag::Oauth)
    };
    if tags.iter().all(is_traffic) {
        return;
    }
    let now = tray::refresh(app, tags).await;
    app.state::<notify::Notifier>().consider(app, &now, tags).await;
}

fn send<T: Serialize + Clone>(app: &AppHandle, event: &str, payload: &T) {
    #[cfg(feature = "e2e")]
    crate::ipc::tap::record("event", event, &serde_json::to_value(payload).unwrap_or_default());
    // Without a window nobody listens, and that is fine.
    if let Err(error) = app.emit_to(windows::MAIN, event, payload) {
        tracing::warn!("an event did not reach the page: {error}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use tokio::sync::broadcast;

    #[tokio::test]
    async fn a_burst_is_one_event_with_each_tag_once() {
        let (send, mut bus) = broadcast::channel(64);
        for tag in [Tag::Activity, Tag::Activity, Tag::Agents, Tag::Activity] {
            send.send(tag).expect("the receiver listens");
        }
        let tags = gather(&mut bus).await;
        assert_eq!(tags, Some(vec![Tag::Activity, Tag::Agents]), "the burst was not gathered");
        drop(send);
        assert_eq!(gather(&mut bus).await, None, "an engine that is gone must end the forwarding");
    }

    #[tokio::test]
    async fn steady_traffic_does_not_hold_an_event_back_for_ever() {
        let (send, mut bus) = broadcast::channel(64);
        let traffic = tokio::spawn(async move {
            loop {
                if send.send(Tag::Activity).is_err() {
                    return;
                }
                tokio::time::sleep(GATHER / 4).await;
            }
        });
        let began = Instant::now();
        assert_eq!(gather(&mut bus).await, Some(vec![Tag::Activity]), "one tag is one tag");
        assert!(began.elapsed() < GATHER * 50, "the event came after {:?}", began.elapsed());
        traffic.abort();
    }

    #[tokio::test]
    async fn after_missed_tags_everything_may_have_changed() {
        let (send, mut bus) = broadcast::channel(2);
        for _ in 0..5 {
            send.send(Tag::Activity).expect("the receiver listens");
        }
        let tags = gather(&mut bus).await.expect("the engine is alive");
        assert_eq!(tags.len(), ALL.len(), "after missed tags the page must ask for everything: {tags:?}");
    }
}
