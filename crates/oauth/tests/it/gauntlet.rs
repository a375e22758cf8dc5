//! Every door to a server, behind each of which stands a server that does each hostile thing: an error in bounded time,
//! nothing kept, nothing followed, little read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use claviger_oauth::http::Http;
use claviger_oauth::{
    Ask, Client, CodeFlow, Connection, DeviceFlow, FlowError, Lifetime, Listener, MetadataError, Polled,
    ProtectedResource, Reach, Redirect, Registration, Revocation, Server, TokenKeeper, client_credentials,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::keeper::after;
use crate::support::script::{Reply, Script, error};
use crate::support::store::{Ears, Memory};
use crate::support::{NOW, ask, hasty_http, issuer, local, real_http, server_at};

const JSON: &str = "content-type: application/json";

/// A hostile answer, by name.
type Hostile = (&'static str, fn(&str) -> Reply);

fn body(bytes: impl Into<Vec<u8>>) -> Reply {
    Reply::With(200, vec![JSON.into()], bytes.into())
}

fn deep(open: &str, close: &str) -> Reply {
    body(format!("{}1{}", open.repeat(10_000), close.repeat(10_000)))
}

/// What the server at the door does; `elsewhere` is another server, which nobody may go to.
const HOSTILE: [Hostile; 32] = [
    ("nothing in it", |_| body("")),
    ("a page", |_| Reply::With(200, vec!["content-type: text/html".into()], b"<html>sign in".to_vec())),
    ("no content type", |_| Reply::With(200, vec![], b"{}".to_vec())),
    ("an empty object", |_| body("{}")),
    ("a list", |_| body("[]")),
    ("null", |_| body("null")),
    ("half an object", |_| body("{\"access_token\":\"a")),
    ("a byte order mark", |_| body("\u{feff}{\"access_token\":\"a\",\"token_type\":\"Bearer\"}")),
    ("a name twice", |_| body("{\"access_token\":\"a\",\"access_token\":\"b\",\"token_type\":\"Bearer\"}")),
    ("something behind it", |_| body("{\"access_token\":\"a\",\"token_type\":\"Bearer\"}{}")),
    ("no number", |_| body("{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":NaN}")),
    ("lists 10,000 deep", |_| deep("[", "]")),
    ("objects 10,000 deep", |_| deep("{\"a\":", "}")),
    ("tokens 10,000 deep", |_| {
        body(format!("{{\"access_token\":{}1{}", "[".repeat(10_000), "]".repeat(10_000)))
    }),
    ("no text", |_| body(vec![0xff; 4_000])),
    ("zeros", |_| body(vec![0; 4_000])),
    ("the wrong kinds", |_| {
        body(
            r#"{"access_token":7,"token_type":[],"issuer":{},"client_id":true,"request_uri":1,"device_code":[],"resource":0,"active":"yes"}"#,
        )
    }),
    ("empty texts", |_| {
        body(
            r#"{"access_token":"","token_type":"","issuer":"","client_id":"","request_uri":"","device_code":"","resource":""}"#,
        )
    }),
    ("line breaks in tokens", |_| body(r#"{"access_token":"a\r\nx: y","token_type":"Bearer"}"#)),
    ("an error and tokens", |_| {
        body(r#"{"error":"invalid_grant","access_token":"a","token_type":"Bearer"}"#)
    }),
    ("an error of a megabyte", |_| {
        Reply::Json(
            400,
            json!({"error": "invalid_request", "error_description": "\u{202e}\u{1b}[31m".repeat(20_000)}),
        )
    }),
    ("100 MB", |_| Reply::Flood(100 * 1024 * 1024)),
    ("compressed", |_| {
        Reply::With(200, vec![JSON.into(), "content-encoding: gzip".into()], vec![0x1f, 0x8b, 8, 0])
    }),
    ("302 elsewhere", |elsewhere| Reply::With(302, vec![format!("location: {elsewhere}/")], vec![])),
    ("307 elsewhere", |elsewhere| Reply::With(307, vec![format!("location: {elsewhere}/")], vec![])),
    ("a script as location", |_| Reply::With(303, vec!["location: javascript:alert(1)".into()], vec![])),
    ("a head without end", |_| {
        Reply::Raw(format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(1 << 20)).into_bytes())
    }),
    ("interim answers without end", |_| Reply::Raw(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000))),
    ("no HTTP", |_| Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())),
    ("a hang-up", |_| Reply::HangUp),
    ("silence", |_| Reply::Silence),
    ("a byte now and then", |_| {
        Reply::Drip(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".repeat(40),
            Duration::from_millis(50),
        )
    }),
];

/// The doors: a path that the hostile server answers at, and how often it answers well there before.
const DOORS: [(&str, &str, usize); 11] = [
    ("metadata", "/.well-known/oauth-authorization-server", 0),
    ("resource", "/mcp", 0),
    ("registration", "/register", 0),
    ("pushed request", "/par", 0),
    ("device", "/device", 0),
    ("poll", "/token", 0),
    ("token", "/token", 0),
    ("refresh", "/token", 1),
    ("introspection", "/introspect", 0),
    ("revocation", "/revoke", 0),
    ("keys", "/keys", 0),
];

/// Goes through a door: what was believed, or the error's text.
async fn knock(door: &str, http: Arc<dyn Http>, mut server: Server) -> Result<String, String> {
    let client = Client::public(server.issuer.clone(), "c").unwrap();
    let text = |e: &dyn std::fmt::Display| e.to_string();
    match door {
        "metadata" => {
            let found = Server::discover(&http, &server.issuer, Reach::Private).await;
            found.map(|s| format!("{s:?}")).map_err(|e| text(&e))
        }
        "resource" => {
            let url = local(&format!("{}/mcp", server.issuer));
            let found = ProtectedResource::discover(&http, &url, Reach::Private).await;
            found.map(|r| format!("{r:?}")).map_err(|e| text(&e))
        }
        "registration" => {
            let asked = Registration::for_code_flow("Claviger", "http://127.0.0.1:1/cb".into(), &[]);
            asked.send(&http, &server, None).await.map(|r| format!("{r:?}")).map_err(|e| text(&e))
        }
        "pushed request" => {
            let listener = Listener::bind(&Redirect::default()).await.unwrap();
            let ask = Ask { pushed: true, ..ask(&["a"]) };
            let flow = CodeFlow::begin(http, server, client, ask, listener, NOW).await;
            flow.map(|f| f.url().to_owned()).map_err(|e| text(&e))
        }
        "device" => {
            let flow = DeviceFlow::begin(http, server, client, ask(&["a"]), NOW).await;
            flow.map(|f| format!("{:?}", f.prompt)).map_err(|e| text(&e))
        }
        "poll" | "keys" => {
            server.jwks_uri = Some(local(&format!("{}/keys", server.issuer)));
            consented(http, server, client).await.map(|c| format!("{c:?}")).map_err(|e| text(&e))
        }
        "token" => {
            let done = client_credentials(&http, &server, client, &ask(&["a"]), NOW).await;
            done.map(|c| format!("{c:?}")).map_err(|e| text(&e))
        }
        "refresh" => {
            let connection =
                consented(real_http(), server, client).await.expect("the first time it answers well");
            let store = Memory::holding(&connection);
            let keeper =
                TokenKeeper::new(connection, http, Arc::new(store.clone()), Arc::new(Ears::default()));
            let lease = keeper.lease(after(3_600 + 60)).await;
            assert_eq!(store.stored().facts.generation, 1, "what a hostile server gave was stored");
            lease.map(|l| format!("{l:?}")).map_err(|e| text(&e))
        }
        "introspection" => {
            let connection = client_credentials(&real_http(), &server, client, &ask(&[]), NOW).await.unwrap();
            connection.introspect(&http, NOW).await.map(|s| format!("{s:?}")).map_err(|e| text(&e))
        }
        "revocation" => {
            let connection = client_credentials(&real_http(), &server, client, &ask(&[]), NOW).await.unwrap();
            match connection.begin_revocation(NOW).revoke(&http, NOW).await {
                // RFC 7009 §2.2: a 200 is the whole answer, whatever stands in it.
                Revocation::Done => Err("done".to_owned()),
                Revocation::NotOffered => panic!("it is offered"),
                Revocation::Refused(why) => Err(why.to_string()),
                Revocation::Pending(later) => Err(format!("tried again later: {later:?}")),
            }
        }
        other => panic!("there is no door {other}"),
    }
}

/// A connection by the device grant, which is the shortest way to one.
async fn consented(http: Arc<dyn Http>, server: Server, client: Client) -> Result<Connection, FlowError> {
    let mut flow = DeviceFlow::begin(http, server, client, ask(&["a"]), NOW).await?;
    match flow.poll(after(60)).await? {
        Polled::Connected(connection) => Ok(*connection),
        Polled::Wait(_) => Err(FlowError::TimedOut),
    }
}

/// What a server without bad intent answers.
fn good(path: &str, with_id_token: bool) -> Reply {
    match path {
        "/device" => Reply::Json(
            200,
            json!({"device_code": "d", "user_code": "u", "verification_uri": "https://as.example/", "expires_in": 600}),
        ),
        "/token" => {
            let mut tokens = json!({"access_token": "access-canary", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "refresh-canary"});
            if with_id_token {
                tokens["id_token"] = "e30.e30.e30".into();
            }
            Reply::Json(200, tokens)
        }
        _ => error(404, "not_found"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o37_o39_o40_behind_every_door_every_hostile_answer_ends_in_an_error() {
    let elsewhere = Script::start(|_| error(500, "server_error")).await;
    let http = hasty_http();
    let started = Instant::now();
    let meetings = DOORS.iter().flat_map(|door| HOSTILE.iter().map(move |hostile| (door, hostile)));
    let meetings = meetings.map(|((door, path, well), (name, answer))| {
        let (base, http) = (elsewhere.base.clone(), Arc::clone(&http));
        async move {
            let turn = AtomicUsize::new(0);
            let script = Script::start(move |seen| {
                let is_door = seen.path == *path || seen.path.starts_with("/.well-known/");
                if is_door && turn.fetch_add(1, Ordering::SeqCst) >= *well {
                    answer(&base)
                } else {
                    good(&seen.path, *door == "keys")
                }
            })
            .await;
            let believed = knock(door, http, server_at(&script.base)).await;
            let said = believed.expect_err(&format!("{door} met {name} and believed it"));
            let is_clean = said.len() < 1_000 && !said.chars().any(|c| c.is_control() || c == '\u{202e}');
            assert!(is_clean, "{door} met {name} and says {said:?}");
            assert!(!said.contains("canary"), "{door} met {name} and tells a token: {said}");
            assert!(
                script.flooded() < 20 * 1024 * 1024,
                "{door} met {name} and read {} bytes",
                script.flooded()
            );
        }
    });
    let count = futures_util::stream::iter(meetings).buffer_unordered(48).count().await;
    assert_eq!(count, DOORS.len() * HOSTILE.len(), "every pair met");
    assert!(started.elapsed() < Duration::from_secs(60), "all together took {:?}", started.elapsed());
    assert!(elsewhere.seen().is_empty(), "somebody followed: {:?}", elsewhere.seen());
}

#[tokio::test]
async fn o35_every_kind_of_expires_in_through_a_whole_flow() {
    let ten_years = 10 * 366 * 86_400_i64;
    let hour = Some(Lifetime::Stated(claviger_model::Duration(3_600_000)));
    let not_stated = Some(Lifetime::NotStated);
    let cases: [(&str, Option<Lifetime>); 22] = [
        ("", not_stated),
        ("null", not_stated),
        ("0", not_stated),
        ("0.0", not_stated),
        ("-0", not_stated),
        ("\"0\"", not_stated),
        ("3600", hour),
        ("\"3600\"", hour),
        ("3600.0", hour),
        ("3.6e3", hour),
        ("-1", None),
        ("-3600", None),
        ("\"-1\"", None),
        ("\"3600.5\"", None),
        ("\"an hour\"", None),
        ("\"\"", None),
        ("1e99", None),
        ("9223372036854775807", None),
        ("9223372036854775808", None),
        ("true", None),
        ("[3600]", None),
        ("{\"s\":3600}", None),
    ];
    for (text, expected) in cases {
        let field = if text.is_empty() { String::new() } else { format!(",\"expires_in\":{text}") };
        let script = Script::start(move |_| {
            body(format!("{{\"access_token\":\"t\",\"token_type\":\"Bearer\"{field}}}"))
        })
        .await;
        let server = server_at(&script.base);
        let client = Client::public(server.issuer.clone(), "c").unwrap();
        let done = client_credentials(&real_http(), &server, client, &ask(&[]), NOW).await;
        let lifetime = done.as_ref().ok().map(|c| c.facts.lifetime);
        assert_eq!(lifetime, expected, "expires_in {text}: {done:?}");
        let Ok(connection) = done else { continue };
        let ends = connection.facts.expires_at();
        assert!(
            ends.is_none_or(|end| end > NOW && end <= after(ten_years)),
            "expires_in {text}: ends at {ends:?}"
        );
        let store = Memory::holding(&connection);
        let keeper = TokenKeeper::new(connection, real_http(), Arc::new(store), Arc::new(Ears::default()));
        let lease = keeper.lease(after(1)).await.expect("it is good now");
        // Not stated is not for ever: the service's word ends it.
        let renewed = keeper.refused(&lease, after(60)).await.expect("renewed when the service refuses it");
        assert_eq!(renewed.generation, 2, "expires_in {text}");
    }
}

#[tokio::test]
async fn o13_o68_no_url_of_a_hostile_server_is_believed() {
    let fields = [
        "authorization_endpoint",
        "token_endpoint",
        "device_authorization_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "jwks_uri",
    ];
    let urls: [Value; 16] = [
        "javascript:alert(1)".into(),
        "JavaScript://as.example/%0aalert(1)".into(),
        "data:text/html,<script>alert(1)</script>".into(),
        "vbscript:x".into(),
        "file:///etc/passwd".into(),
        "ms-msdt:/id".into(),
        "//as.example/token".into(),
        "/token".into(),
        "https://user:pw@as.example/".into(),
        "https://as.example/#f".into(),
        "https://as.example/\n".into(),
        "https://169.254.169.254/latest/meta-data/".into(),
        "https://[fd00:ec2::254]/".into(),
        "https:\\\\as.example\\".into(),
        format!("https://as.example/{}", "a".repeat(100_000)).into(),
        json!(["https://as.example/"]),
    ];
    for field in fields {
        for url in &urls {
            let (name, value) = (field, url.clone());
            let script = Script::start(move |seen| {
                let base = format!("http://{}", seen.header("host").unwrap());
                let mut about = json!({"issuer": base, "token_endpoint": format!("{base}/token")});
                about[name] = value.clone();
                Reply::Json(200, about)
            })
            .await;
            let found = Server::discover(&real_http(), &issuer(&script.base), Reach::Private).await;
            let shown: String = url.to_string().chars().take(60).collect();
            assert!(
                matches!(found, Err(MetadataError::Endpoint { .. } | MetadataError::Malformed(_))),
                "{field} {shown}: {found:?}"
            );
        }
    }
}

#[tokio::test]
async fn o20_o64_no_spelling_but_the_issuers_own_is_believed() {
    let wrong: [fn(&str) -> Value; 9] = [
        |base| format!("{base}/").into(),
        |base| base.to_uppercase().into(),
        |base| base.replace("127.0.0.1", "localhost").into(),
        |base| base.replace("127.0.0.1", "127.0.0.1.evil.example").into(),
        |base| base.replace("http:", "https:").into(),
        |base| format!("{base}?").into(),
        |base| format!(" {base}").into(),
        |base| json!([base]),
        |_| Value::Null,
    ];
    for (number, spell) in wrong.into_iter().enumerate() {
        let script = Script::start(move |seen| {
            let base = format!("http://{}", seen.header("host").unwrap());
            Reply::Json(200, json!({"issuer": spell(&base), "token_endpoint": format!("{base}/token")}))
        })
        .await;
        let found = Server::discover(&real_http(), &issuer(&script.base), Reach::Private).await;
        assert!(
            matches!(found, Err(MetadataError::OtherIssuer | MetadataError::Malformed(_))),
            "spelling {number}: {found:?}"
        );
    }
}
