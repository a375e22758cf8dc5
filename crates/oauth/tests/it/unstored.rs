//! A renewed token that cannot be stored: not used, not asked for again, and the old one serves as long as it is good.

use std::sync::atomic::Ordering;

use claviger_oauth::{KeeperError, StoreError};

use crate::keeper::{after, kept, rotating};

#[tokio::test]
async fn o44_a_token_that_cannot_be_stored_is_not_used_and_not_asked_for_twice() {
    let kept = kept(rotating).await;
    *kept.store.refuses.lock() = Some(StoreError::Unavailable);
    for seconds in [3_600, 3_601, 3_700, 4_000] {
        let refused = kept.keeper.lease(after(seconds)).await;
        assert!(refused.is_err(), "a token that is stored nowhere was used: {refused:?}");
    }
    assert_eq!(kept.asked().len(), 1, "the server gave it already");
    assert_eq!(kept.store.stored().facts.generation, 1, "nothing is stored");
    *kept.store.refuses.lock() = None;
    let lease = kept.keeper.lease(after(4_100)).await.expect("now it is stored");
    assert_eq!(
        (lease.generation, lease.token().expose()),
        (2, &b"t2"[..]),
        "the very token that the server gave"
    );
    assert_eq!((kept.asked().len(), kept.store.stored().facts.generation), (1, 2), "without another request");
}

#[tokio::test]
async fn o44_while_a_new_token_cannot_be_stored_the_old_one_serves_until_it_ends() {
    let kept = kept(rotating).await;
    *kept.store.refuses.lock() = Some(StoreError::Unavailable);
    assert_eq!(kept.keeper.lease(after(2_900)).await.expect("still good").generation, 1, "due, so renewed");
    crate::support::eventually("the renewal beside", || kept.asked().len() == 1).await;
    for seconds in [2_902, 3_000, 3_500, 3_599] {
        let lease = kept.keeper.lease(after(seconds)).await.expect("the old token is still good");
        assert_eq!(
            (lease.generation, lease.token().expose()),
            (1, &b"t1"[..]),
            "at {seconds} s nothing but the old token is stored"
        );
    }
    let refused =
        kept.keeper.lease(after(3_600)).await.expect_err("the old one ended, the new one is not stored");
    assert!(matches!(refused, KeeperError::Store(_) | KeeperError::Unavailable { .. }), "{refused:?}");
    *kept.store.refuses.lock() = None;
    let lease = kept.keeper.lease(after(3_700)).await.expect("now it is stored");
    assert_eq!((lease.generation, lease.token().expose()), (2, &b"t2"[..]), "the one that the server gave");
    assert_eq!(kept.asked().len(), 1, "the server was asked once");
}

#[tokio::test]
async fn o44_a_refused_token_brings_no_unstored_one_into_use() {
    let kept = kept(rotating).await;
    *kept.store.refuses.lock() = Some(StoreError::Unavailable);
    let lease = kept.keeper.lease(after(2_900)).await.expect("still good");
    crate::support::eventually("the renewal beside", || kept.asked().len() == 1).await;
    // Some servers end the old access token when they give a new one.
    let refused = kept.keeper.refused(&lease, after(2_910)).await;
    assert!(refused.is_err(), "a token that is stored nowhere was used: {refused:?}");
    *kept.store.refuses.lock() = None;
    let lease = kept.keeper.refused(&lease, after(2_920)).await.expect("stored, and then used");
    assert_eq!((lease.generation, kept.asked().len()), (2, 1), "without another request");
}

#[tokio::test]
async fn o44_a_token_that_ended_before_it_could_be_stored_is_stored_and_renewed_not_used() {
    let kept = kept(rotating).await;
    *kept.store.refuses.lock() = Some(StoreError::Unavailable);
    assert!(kept.keeper.lease(after(3_600)).await.is_err(), "not stored, not used");
    *kept.store.refuses.lock() = None;
    let lease = kept.keeper.lease(after(9_000)).await.expect("renewed by the refresh token that was kept");
    assert_eq!((lease.generation, lease.token().expose()), (3, &b"t3"[..]), "not the one that ended");
    let sent: Vec<String> = kept.asked().iter().map(|s| s.field("refresh_token")).collect();
    assert_eq!(sent, ["r1", "r2"], "each refresh token once");
    assert_eq!(kept.store.commits.load(Ordering::SeqCst), 2, "each token was stored");
}
