//! One renewal at a time, stored before it is used; what passes is tried again later, what does not is said once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use claviger_model::{Duration, Timestamp};
use claviger_oauth::{
    Client, Connection, KeeperError, Renewal, Standing, StoreError, TokenKeeper, client_credentials,
};
use claviger_secret::ClientSecret;
use futures_util::future::join_all;
use tokio::sync::Notify;

use crate::support::script::{Reply, Script, Seen, error, tokens};
use crate::support::store::{Ears, Memory};
use crate::support::{NOW, ask, real_http, server_at};

pub(crate) fn after(seconds: i64) -> Timestamp {
    NOW.after(Duration(seconds * 1000))
}

/// A keeper over a connection that a scripted server made, and everything around it.
pub(crate) struct Kept {
    pub(crate) keeper: Arc<TokenKeeper>,
    pub(crate) store: Memory,
    pub(crate) ears: Arc<Ears>,
    pub(crate) script: Script,
}

impl Kept {
    /// Requests for tokens after the first one, which made the connection.
    pub(crate) fn asked(&self) -> Vec<Seen> {
        self.script.seen_at("/token").split_off(1)
    }
}

/// A connection with a refresh token `r1`, for an hour. The device grant is the shortest way to one.
pub(crate) async fn connection_at(script: &Script) -> Connection {
    let server = server_at(&script.base);
    let client = Client::public(server.issuer.clone(), "c").unwrap();
    let mut flow = claviger_oauth::DeviceFlow::begin(real_http(), server, client, ask(&["a"]), after(-10))
        .await
        .unwrap();
    match flow.poll(NOW).await.unwrap() {
        claviger_oauth::Polled::Connected(connection) => *connection,
        claviger_oauth::Polled::Wait(_) => panic!("no connection"),
    }
}

/// Answers the device endpoint and the first request for tokens, and hands the others over with their number.
pub(crate) async fn script(renew: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Script {
    let turn = AtomicUsize::new(0);
    Script::start(move |seen| match seen.path.as_str() {
        "/device" => Reply::Json(
            200,
            serde_json::json!({"device_code": "d", "user_code": "u", "verification_uri": "https://as.example/", "expires_in": 600}),
        ),
        _ => match turn.fetch_add(1, Ordering::SeqCst) {
            0 => tokens("t1", Some("r1"), 3600),
            n => renew(n, seen),
        },
    })
    .await
}

pub(crate) async fn kept(renew: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Kept {
    let script = script(renew).await;
    let connection = connection_at(&script).await;
    let (store, ears) = (Memory::holding(&connection), Arc::new(Ears::default()));
    let keeper =
        TokenKeeper::new(connection, real_http(), Arc::new(store.clone()), Arc::<Ears>::clone(&ears));
    Kept { keeper: Arc::new(keeper), store, ears, script }
}

pub(crate) fn rotating(n: usize, _: &Seen) -> Reply {
    tokens(&format!("t{}", n + 1), Some(&format!("r{}", n + 1)), 3600)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o43_64_callers_one_expired_token_one_request() {
    let kept = kept(rotating).await;
    let callers = (0..64).map(|_| {
        let keeper = Arc::clone(&kept.keeper);
        tokio::spawn(async move { keeper.lease(after(3600)).await })
    });
    for lease in join_all(callers).await {
        let lease = lease.unwrap().expect("renewed");
        assert_eq!(
            (lease.generation, lease.token().expose()),
            (2, &b"t2"[..]),
            "everybody has the new token"
        );
    }
    assert_eq!(kept.asked().len(), 1, "one request");
}

#[tokio::test]
async fn o49_a_good_token_is_used_and_a_due_one_renewed_beside() {
    let gate = Arc::new(Notify::new());
    let kept = kept(rotating).await;
    for seconds in [0, 60, 2_600] {
        assert_eq!(
            kept.keeper.lease(after(seconds)).await.unwrap().generation,
            1,
            "good for {seconds} s already"
        );
    }
    assert!(kept.asked().is_empty(), "nothing is asked before it is due");
    let lease = kept.keeper.lease(after(2_900)).await.unwrap();
    assert_eq!(lease.generation, 1, "the request that finds it due does not wait");
    crate::support::eventually("the renewal beside", || kept.store.stored().facts.generation == 2).await;
    crate::support::eventually("its use", || kept.keeper.facts().generation == 2).await;
    assert_eq!(kept.asked().len(), 1, "one request");
    drop(gate);
}

#[tokio::test]
async fn o49_a_clock_that_jumps_costs_at_most_one_renewal() {
    for jump in [3_600, -3_600, 8 * 3_600] {
        let kept = kept(rotating).await;
        kept.keeper.lease(after(60)).await.unwrap();
        for step in 0..20 {
            kept.keeper.lease(after(60 + jump + step)).await.unwrap();
        }
        for step in 0..20 {
            kept.keeper.lease(after(100 + step)).await.unwrap();
        }
        assert!(kept.asked().len() <= 1, "{} renewals for a jump of {jump} s", kept.asked().len());
    }
}

#[tokio::test]
async fn o45_an_invalid_grant_is_said_once_stored_and_never_tried_again() {
    let kept = kept(|_, _| error(400, "invalid_grant")).await;
    let callers = (0..64).map(|_| kept.keeper.lease(after(3_600)));
    for refused in join_all(callers).await {
        assert!(matches!(refused, Err(KeeperError::Broken(_))), "{refused:?}");
    }
    for seconds in [3_700, 10_000, 1_000_000] {
        assert!(matches!(kept.keeper.lease(after(seconds)).await, Err(KeeperError::Broken(_))), "still");
    }
    assert_eq!((kept.asked().len(), kept.ears.broke.load(Ordering::SeqCst)), (1, 1), "asked once, said once");
    let stored = kept.store.stored();
    assert!(
        matches!(stored.facts.standing, Standing::Broken { since, .. } if since == after(3_600)),
        "and stored"
    );
    let again =
        TokenKeeper::new(stored, real_http(), Arc::new(kept.store.clone()), Arc::<Ears>::clone(&kept.ears));
    assert!(
        matches!(again.lease(after(5_000)).await, Err(KeeperError::Broken(_))),
        "after a restart as well"
    );
    assert_eq!(
        (kept.asked().len(), kept.ears.broke.load(Ordering::SeqCst)),
        (1, 1),
        "without asking or saying it again"
    );
}

#[tokio::test]
async fn o46_o47_the_old_refresh_token_stays_when_no_new_one_comes_and_no_scope_is_asked_for() {
    let kept = kept(|n, _| match n {
        1 => tokens("t2", None, 3600),
        2 => tokens("t3", Some("r3"), 3600),
        _ => tokens("t4", Some("r4"), 3600),
    })
    .await;
    for (at, expected) in [(3_600, "r1"), (7_200, "r1"), (10_800, "r3")] {
        kept.keeper.lease(after(at)).await.expect("renewed");
        let sent = kept.asked().pop().unwrap();
        assert_eq!(sent.field("refresh_token"), expected, "at {at} s");
        assert_eq!(sent.field("grant_type"), "refresh_token", "by the refresh grant");
        assert!(sent.fields("scope").is_empty(), "no scope: what was granted stays (RFC 6749 §6)");
        assert!(sent.query.is_empty() && sent.method == "POST", "nothing in the URL");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o48_two_processes_renew_once_between_them() {
    let kept = kept(rotating).await;
    let other = TokenKeeper::new(
        kept.store.stored(),
        real_http(),
        Arc::new(kept.store.clone()),
        Arc::<Ears>::clone(&kept.ears),
    );
    let (a, b) = tokio::join!(kept.keeper.lease(after(3_600)), other.lease(after(3_600)));
    assert_eq!((a.unwrap().generation, b.unwrap().generation), (2, 2), "both have the new token");
    assert_eq!(kept.asked().len(), 1, "the second read what the first had stored");
}

#[tokio::test]
async fn o50_a_401_renews_once_and_a_fresh_token_not_at_all() {
    let kept = kept(rotating).await;
    let lease = kept.keeper.lease(after(60)).await.unwrap();
    let renewed = kept.keeper.refused(&lease, after(60)).await.unwrap();
    assert_eq!(renewed.generation, 2, "renewed before its time");
    let same = kept.keeper.refused(&lease, after(61)).await.unwrap();
    assert_eq!(
        (same.generation, kept.asked().len()),
        (2, 1),
        "a second request with the old token gets the new one"
    );
    let again = kept.keeper.refused(&renewed, after(62)).await;
    assert_eq!(
        again.unwrap_err(),
        KeeperError::FreshRefused,
        "a fresh token that is refused is no reason to renew"
    );
    assert_eq!(kept.asked().len(), 1, "no loop");
    let later = kept.keeper.refused(&renewed, after(120)).await.unwrap();
    assert_eq!(later.generation, 3, "but a later refusal is");
}

#[tokio::test]
async fn o51_while_locked_nothing_is_renewed_and_afterwards_it_goes_on() {
    let kept = kept(rotating).await;
    *kept.store.refuses.lock() = Some(StoreError::Locked);
    // The vault is locked: its engine closes the keeper.
    kept.keeper.close().await;
    assert_eq!(kept.keeper.lease(after(3_600)).await.unwrap_err(), KeeperError::Closed, "refused");
    assert!(kept.asked().is_empty(), "nothing was asked");
    *kept.store.refuses.lock() = None;
    let unlocked = TokenKeeper::new(
        kept.store.stored(),
        real_http(),
        Arc::new(kept.store.clone()),
        Arc::<Ears>::clone(&kept.ears),
    );
    assert_eq!(unlocked.lease(after(3_600)).await.unwrap().generation, 2, "after unlocking it goes on");
}

#[tokio::test]
async fn o44_a_lock_waits_for_the_renewal_under_way() {
    let kept = kept(rotating).await;
    let keeper = Arc::clone(&kept.keeper);
    let caller = tokio::spawn(async move { keeper.lease(after(3_600)).await });
    crate::support::eventually("the request", || !kept.asked().is_empty()).await;
    kept.keeper.close().await;
    assert_eq!(kept.store.stored().facts.generation, 2, "what the server gave is stored before the lock");
    let _ = caller.await.unwrap();
}

#[tokio::test]
async fn o43_a_caller_that_goes_away_does_not_take_the_renewal_along() {
    let kept = kept(rotating).await;
    let impatient = tokio::time::timeout(std::time::Duration::ZERO, kept.keeper.lease(after(3_600))).await;
    assert!(impatient.is_err(), "it left at once");
    crate::support::eventually("the renewal", || kept.store.stored().facts.generation == 2).await;
    assert_eq!(kept.keeper.lease(after(3_601)).await.unwrap().generation, 2, "and the next caller has it");
    assert_eq!(kept.asked().len(), 1, "one request");
}

#[tokio::test]
async fn o40_o61_what_passes_is_tried_again_later_and_more_slowly() {
    let kept = kept(|n, _| match n {
        1 => Reply::HangUp,
        2 => Reply::With(503, vec![], vec![]),
        3 => Reply::With(429, vec!["retry-after: 120".into()], vec![]),
        4 => Reply::With(200, vec!["content-type: text/html".into()], b"<html>".to_vec()),
        _ => rotating(
            n,
            &Seen {
                method: String::new(),
                path: String::new(),
                query: String::new(),
                headers: vec![],
                body: String::new(),
            },
        ),
    })
    .await;
    let mut at = 3_600;
    for pause in [5, 10, 120, 40] {
        let Err(KeeperError::Unavailable { retry_at, .. }) = kept.keeper.lease(after(at)).await else {
            panic!("available at {at}")
        };
        assert_eq!(retry_at, after(at + pause), "after the failure at {at}");
        let before = kept.asked().len();
        for early in [at, at + pause - 1] {
            assert!(
                matches!(kept.keeper.lease(after(early)).await, Err(KeeperError::Unavailable { .. })),
                "at {early}"
            );
        }
        assert_eq!(kept.asked().len(), before, "nothing is asked before its time");
        at += pause;
    }
    assert_eq!(
        kept.keeper.lease(after(at)).await.expect("then it works").generation,
        2,
        "with the same refresh token"
    );
    assert_eq!(kept.ears.broke.load(Ordering::SeqCst), 0, "nothing was called broken");
}

#[tokio::test]
async fn o37_a_good_token_survives_a_server_that_fails() {
    let kept = kept(|_, _| Reply::With(500, vec![], vec![])).await;
    for seconds in [2_900, 3_000, 3_500, 3_599] {
        assert_eq!(
            kept.keeper.lease(after(seconds)).await.expect("still good").generation,
            1,
            "at {seconds} s"
        );
    }
    assert!(kept.keeper.lease(after(3_600)).await.is_err(), "until it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o59_client_credentials_are_asked_for_again_by_one() {
    let turn = AtomicUsize::new(0);
    let script = Script::start(move |_| {
        tokens(&format!("t{}", turn.fetch_add(1, Ordering::SeqCst)), Some("never"), 3600)
    })
    .await;
    let server = server_at(&script.base);
    let client = Client::with_secret(&server, "svc", ClientSecret::from("s".to_owned())).unwrap();
    let connection = client_credentials(&real_http(), &server, client, &ask(&["a", "b"]), NOW).await.unwrap();
    assert_eq!(connection.facts.renewal, Renewal::ClientCredentials, "no refresh token is kept");
    let store = Memory::holding(&connection);
    let keeper =
        Arc::new(TokenKeeper::new(connection, real_http(), Arc::new(store), Arc::new(Ears::default())));
    let callers = (0..64).map(|_| {
        let keeper = Arc::clone(&keeper);
        tokio::spawn(async move { keeper.lease(after(3_600)).await.unwrap().generation })
    });
    assert!(join_all(callers).await.into_iter().all(|g| g.unwrap() == 2), "everybody has the new token");
    let asked = script.seen_at("/token");
    assert_eq!(asked.len(), 2, "one request each time");
    assert_eq!(
        (asked[1].field("grant_type").as_str(), asked[1].field("scope").as_str()),
        ("client_credentials", "a b"),
        "the same again"
    );
}

#[tokio::test]
async fn o59_a_client_secret_is_replaced_without_a_gap() {
    let knows_new = Arc::new(AtomicUsize::new(0));
    let knows = Arc::clone(&knows_new);
    let script = Script::start(move |seen| {
        let old = seen.header("authorization") == Some("Basic c3ZjOm9sZA==");
        match (old, knows.load(Ordering::SeqCst)) {
            (true, 0) | (false, 1) => tokens("t", None, 3600),
            _ => error(401, "invalid_client"),
        }
    })
    .await;
    let server = server_at(&script.base);
    let client = Client::with_secret(&server, "svc", ClientSecret::from("old".to_owned())).unwrap();
    let connection = client_credentials(&real_http(), &server, client, &ask(&[]), NOW).await.unwrap();
    let changed = connection.with_client_secret(ClientSecret::from("new".to_owned()));
    let store = Memory::holding(&changed);
    let keeper = TokenKeeper::new(changed, real_http(), Arc::new(store), Arc::new(Ears::default()));
    keeper.lease(after(3_600)).await.expect("the server does not know the new one yet");
    knows_new.store(1, Ordering::SeqCst);
    keeper.lease(after(7_200)).await.expect("and now only the new one");
    assert_eq!(script.seen_at("/token").len(), 4, "one request more while they overlap");
}

#[tokio::test]
async fn o79_nothing_that_is_said_about_a_connection_holds_a_token() {
    let kept = kept(|n, _| match n {
        1 => tokens("access-canary", Some("refresh-canary"), 3600),
        _ => Reply::Json(
            400,
            serde_json::json!({"error": "invalid_grant", "error_description": "no such token"}),
        ),
    })
    .await;
    let lease = kept.keeper.lease(after(3_600)).await.unwrap();
    let broken = kept.keeper.lease(after(7_200)).await.unwrap_err();
    let said =
        format!("{lease:?} {broken:?} {broken} {:?} {:?}", kept.keeper.facts(), kept.ears.heard.lock());
    assert!(!said.contains("canary") && !said.contains("r1"), "{said}");
}
