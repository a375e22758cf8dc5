//! Giving tokens back, also when the server is away.

use claviger_model::Duration;
use claviger_oauth::{Connection, Revocation, Standing};

use crate::keeper::{connection_at, script};
use crate::support::script::{Reply, Script, error};
use crate::support::{NOW, real_http};

/// A connection that is leaving, at a server that answers a revocation like this.
async fn leaving(reply: fn(usize) -> Reply) -> (Connection, Script) {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let server = script(move |_, seen| match seen.path.as_str() {
        "/revoke" => reply(turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst)),
        _ => error(404, "not_found"),
    })
    .await;
    (connection_at(&server).await.begin_revocation(NOW), server)
}

#[tokio::test]
async fn o60_o63_the_refresh_token_goes_first_in_the_body_as_this_client() {
    let (connection, server) = leaving(|_| Reply::With(200, vec![], vec![])).await;
    assert!(
        matches!(connection.facts.standing, Standing::Revoking { tries: 0, .. }),
        "no longer used from now on"
    );
    assert!(
        matches!(connection.revoke(&real_http(), NOW).await, Revocation::Done),
        "an empty 200 is success"
    );
    let sent = server.seen_at("/revoke");
    let told: Vec<(String, String)> =
        sent.iter().map(|s| (s.field("token_type_hint"), s.field("token"))).collect();
    assert_eq!(
        told,
        [("refresh_token".into(), "r1".into()), ("access_token".into(), "t1".into())],
        "in this order"
    );
    assert!(
        sent.iter().all(|s| s.query.is_empty() && s.method == "POST" && s.field("client_id") == "c"),
        "never in a URL"
    );
}

#[tokio::test]
async fn o61_a_server_that_is_away_is_asked_again_also_after_a_restart() {
    let (connection, server) = leaving(|n| match n {
        0 => Reply::With(503, vec!["retry-after: 600".into()], vec![]),
        1 => Reply::HangUp,
        _ => Reply::With(200, vec![], vec![]),
    })
    .await;
    let Revocation::Pending(first) = connection.revoke(&real_http(), NOW).await else {
        panic!("not pending")
    };
    let Standing::Revoking { tries: 1, next } = first.facts.standing else {
        panic!("{:?}", first.facts.standing)
    };
    assert_eq!(next, NOW.after(Duration(600_000)), "when the server wants to be asked");
    let restarted = Connection::decode(&first.encode()).expect("stored and read again");
    let Revocation::Pending(second) = restarted.revoke(&real_http(), next).await else {
        panic!("not pending")
    };
    assert!(matches!(second.facts.standing, Standing::Revoking { tries: 2, .. }), "counted");
    assert!(matches!(second.revoke(&real_http(), next).await, Revocation::Done), "and done in the end");
    assert_eq!(server.seen_at("/revoke").len(), 4, "one request each, two for the two tokens");
    let mut tired = second;
    for _ in 0..40 {
        match tired.revoke(&crate::support::hasty_http(), next).await {
            Revocation::Pending(again) => tired = again,
            _ => break,
        }
    }
}

#[tokio::test]
async fn o61_o62_a_server_that_never_answers_is_given_up_and_said_so() {
    let (connection, _server) = leaving(|_| Reply::With(503, vec![], vec![])).await;
    let mut standing = Box::new(connection);
    let mut tries = 0;
    let told = loop {
        match standing.revoke(&real_http(), NOW).await {
            Revocation::Pending(next) => standing = next,
            Revocation::Refused(told) => break told,
            other => panic!("{other:?}"),
        }
        tries += 1;
        assert!(tries < 100, "it is tried for ever");
    };
    assert!(tries >= 10 && told.as_str().contains("503"), "after {tries} tries: {told}");
}

#[tokio::test]
async fn o62_what_the_server_will_not_do_is_reported_as_it_is() {
    let (connection, _server) =
        leaving(
            |n| if n == 0 { Reply::With(200, vec![], vec![]) } else { error(400, "unsupported_token_type") },
        )
        .await;
    assert!(
        matches!(connection.revoke(&real_http(), NOW).await, Revocation::Done),
        "the refresh token is what counts"
    );
    let refusals: [fn(usize) -> Reply; 3] = [
        |_| error(400, "unsupported_token_type"),
        |_| Reply::With(404, vec![], vec![]),
        |_| error(401, "invalid_client"),
    ];
    for refusal in refusals {
        let (connection, _server) = leaving(refusal).await;
        let Revocation::Refused(told) = connection.revoke(&real_http(), NOW).await else {
            panic!("taken for done")
        };
        assert!(!told.as_str().is_empty(), "in words");
    }
    let (mut connection, _server) = leaving(|_| error(500, "server_error")).await;
    connection.facts.revocation_endpoint = None;
    assert!(
        matches!(connection.revoke(&real_http(), NOW).await, Revocation::NotOffered),
        "no endpoint, no revocation"
    );
}
