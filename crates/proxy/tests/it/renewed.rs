//! Material that is renewed while it is in use: waited for, refused by its service, ended.

use std::sync::Arc;

use claviger_model::{AuthScheme, Outcome, RefusalCode};
use claviger_proxy::ports::{InForce, MaterialUnavailable, Term};
use claviger_secret::Material;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::support::*;

const AUTH: &str = "authorization: Bearer @T\r\n";
const OLD: &str = "at-old";
const NEW: &str = "at-newer";

/// An upstream that refuses so many requests with a 401 and then answers.
async fn refusing(times: usize) -> Upstream {
    let unauthorized = b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\"\r\n\
        content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let mut scenes = vec![Scene::json("{\"ok\":1}")];
    scenes.extend((0..times).map(|_| Scene::Say(unauthorized.to_vec())));
    Upstream::new(Scene::InTurn(Arc::new(Mutex::new(scenes)))).await
}

fn tokens_sent(upstream: &Upstream) -> Vec<String> {
    upstream.seen().iter().map(|seen| seen.headers("authorization").join(",")).collect()
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_request_sent_once_more() {
    for method in ["GET", "OPTIONS", "PUT", "DELETE"] {
        let upstream = refusing(1).await;
        let rig = Rig::new(&upstream, Wish::default()).await;
        rig.doors.tokens_are(&[OLD, NEW]);
        let reply = rig.request(method, "/v1/x", AUTH, "").await;
        assert_eq!(reply.status, 200, "{method}: the second answer is the agent's: {reply:?}");
        assert_eq!(
            tokens_sent(&upstream),
            [format!("Bearer {OLD}"), format!("Bearer {NEW}")],
            "{method}: each token once"
        );
        rig.doors.completions(1).await;
        let book = rig.doors.take();
        assert_eq!((book.releases.len(), book.refusals.len()), (1, 0), "{method}: one release");
        assert_eq!(book.outcomes(), [Outcome::Done], "{method}: one completion");
        assert_eq!(book.completions[0].1.status, 200, "{method}: with the second answer's status");
    }
}

#[tokio::test]
async fn a_service_that_refuses_every_token_is_asked_twice_and_no_more() {
    let upstream = refusing(5).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    rig.doors.tokens_are(&[OLD, NEW, "at-the-newest"]);
    let reply = rig.request("GET", "/v1/x", AUTH, "").await;
    assert_eq!(reply.status, 401, "the service's own answer: {reply:?}");
    assert_eq!(upstream.seen().len(), 2, "no loop");
    let said = [Term(OLD.len() as u64), Term(NEW.len() as u64)];
    assert_eq!(rig.doors.refused_terms(), said, "that the successor was refused, too, is said");
}

#[tokio::test]
async fn a_request_that_may_have_had_an_effect_is_not_repeated_but_the_next_one_has_a_new_token() {
    for (method, body) in [("POST", ""), ("PATCH", ""), ("POST", "{}"), ("PUT", "{}"), ("DELETE", "{}")] {
        let upstream = refusing(1).await;
        let rig = Rig::new(&upstream, Wish::default()).await;
        rig.doors.tokens_are(&[OLD, NEW]);
        let reply = rig.request(method, "/v1/x", AUTH, body).await;
        assert_eq!(reply.status, 401, "{method} {body:?} was repeated: {reply:?}");
        let reply = rig.request(method, "/v1/x", AUTH, body).await;
        assert_eq!(reply.status, 200, "{method} {body:?}: {reply:?}");
        assert_eq!(
            tokens_sent(&upstream),
            [format!("Bearer {OLD}"), format!("Bearer {NEW}")],
            "{method} {body:?}: the next request has the next token"
        );
    }
}

#[tokio::test]
async fn a_key_that_a_person_keeps_is_not_renewed_and_its_401_is_passed_on() {
    let upstream = refusing(1).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let reply = rig.request("GET", "/v1/x", AUTH, "").await;
    assert_eq!(reply.status, 401, "passed on: {reply:?}");
    assert_eq!(rig.doors.refused_terms(), [], "nobody was asked for another");
}

#[tokio::test]
async fn a_connection_that_turns_out_to_be_over_is_said_and_one_that_may_come_back_is_not() {
    for (unavailable, status) in [
        (MaterialUnavailable::Ended, 502),
        (MaterialUnavailable::Locked, 503),
        (MaterialUnavailable::Passing(1_000), 401),
        (MaterialUnavailable::Unreadable, 401),
    ] {
        let upstream = refusing(1).await;
        let rig = Rig::new(&upstream, Wish::default()).await;
        rig.doors.tokens_are(&[OLD]);
        rig.doors.renewal_fails(unavailable);
        let reply = rig.request("GET", "/v1/x", AUTH, "").await;
        assert_eq!(reply.status, status, "{unavailable:?}: {reply:?}");
        assert_eq!(upstream.seen().len(), 1, "{unavailable:?}: nothing was sent again");
    }
}

#[tokio::test]
async fn a_token_in_another_header_is_replaced_there() {
    let upstream = refusing(1).await;
    let auth = AuthScheme::Header("x-token".into());
    let rig = Rig::new(&upstream, Wish { auth, ..Wish::default() }).await;
    rig.doors.tokens_are(&[OLD, NEW]);
    assert_eq!(rig.request("GET", "/v1/x", AUTH, "").await.status, 200, "sent again");
    let sent: Vec<_> = upstream.seen().iter().map(|seen| seen.headers("x-token").join(",")).collect();
    assert_eq!(sent, [OLD, NEW], "in its own header, once");
}

#[tokio::test]
async fn nothing_is_sent_before_the_renewed_token_is_there() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let (renewed, renewal) = oneshot::channel();
    rig.doors.material_comes_later(renewal);
    let (reply, ()) = tokio::join!(rig.request("GET", "/v1/x", AUTH, ""), async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(upstream.connections(), 0, "dialled without a token");
        assert_eq!(rig.doors.book().releases.len(), 0, "released without a token");
        let material = Material::key(NEW.to_owned());
        assert!(renewed.send(Ok(InForce { material, term: Some(Term(2)) })).is_ok(), "somebody waits");
    });
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(tokens_sent(&upstream), [format!("Bearer {NEW}")], "with the new token");
}

#[tokio::test]
async fn an_ended_connection_is_refused_before_anything_is_sent() {
    for (unavailable, wait) in
        [(MaterialUnavailable::Ended, None), (MaterialUnavailable::Passing(4_200), Some("5"))]
    {
        for is_late in [false, true] {
            let upstream = Upstream::new(Scene::json("{}")).await;
            let rig = Rig::new(&upstream, Wish::default()).await;
            let (renewed, renewal) = oneshot::channel();
            if is_late {
                rig.doors.material_comes_later(renewal);
                let _ = renewed.send(Err(unavailable));
            } else {
                rig.doors.material_is(unavailable);
            }
            let reply = rig.request("GET", "/v1/x", AUTH, "").await;
            let what = format!("{unavailable:?}, late: {is_late}");
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (502, "credential_expired"),
                "{what}: {reply:?}"
            );
            assert_eq!(reply.header("retry-after"), wait, "{what}: when to ask again");
            assert_eq!(
                reply.header("x-should-retry").is_none(),
                wait.is_some(),
                "{what}: whether asking again helps"
            );
            assert_eq!(upstream.connections(), 0, "{what}: dialled");
            rig.doors.only_refusal(&what, RefusalCode::CredentialExpired);
        }
    }
}

#[tokio::test]
async fn a_renewal_that_is_lost_with_the_vaults_keys_means_locked() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let (renewed, renewal) = oneshot::channel();
    rig.doors.material_comes_later(renewal);
    drop(renewed);
    let reply = rig.request("GET", "/v1/x", AUTH, "").await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "vault_locked"), "{reply:?}");
    assert_eq!(upstream.connections(), 0, "dialled");
}
