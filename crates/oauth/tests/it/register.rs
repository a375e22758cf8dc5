//! Registration (RFC 7591), client documents, and the metadata of protected resources (RFC 9728).

use claviger_model::Timestamp;
use claviger_oauth::{
    Client, ClientAuthentication, Endpoint, ProtectedResource, Reach, RegisterError, Registered,
    Registration, ResourceError,
};
use serde_json::{Value, json};

use crate::support::script::{Reply, Script};
use crate::support::{local, real_http, server_at};

const BACK: &str = "http://127.0.0.1:4711/cb";

async fn register(reply: Value, status: u16) -> (Result<Registered, RegisterError>, Script) {
    let script = Script::start(move |_| Reply::Json(status, reply.clone())).await;
    let server = server_at(&script.base);
    let registration = Registration::for_code_flow("Claviger", BACK.to_owned(), &["a".into(), "b".into()]);
    (registration.send(&real_http(), &server, None).await, script)
}

#[tokio::test]
async fn o70_a_native_public_client_is_registered_for_one_issuer() {
    let answer = json!({"client_id": "abc", "redirect_uris": [BACK], "grant_types": ["authorization_code"], "token_endpoint_auth_method": "none",
        "registration_access_token": "reg-canary", "registration_client_uri": "http://127.0.0.1:1/reg/abc"});
    let (registered, script) = register(answer, 201).await;
    let registered = registered.unwrap();
    let sent: Value = serde_json::from_str(&script.seen_at("/register")[0].body).unwrap();
    assert_eq!(
        (&sent["application_type"], &sent["token_endpoint_auth_method"]),
        (&"native".into(), &"none".into()),
        "native and public"
    );
    assert_eq!(
        (&sent["redirect_uris"], &sent["response_types"]),
        (&json!([BACK]), &json!(["code"])),
        "for the code flow"
    );
    assert_eq!(
        sent["grant_types"],
        json!(["authorization_code", "refresh_token"]),
        "never implicit or password"
    );
    assert_eq!(sent["scope"], "a b", "with its scopes");
    assert_eq!(
        (registered.client.id.as_str(), registered.client.issuer.as_str()),
        ("abc", script.base.as_str()),
        "for this issuer"
    );
    assert!(matches!(registered.client.authentication, ClientAuthentication::None), "without a secret");
    assert!(!format!("{registered:?}").contains("canary"), "the management token is a secret");

    let answer = json!({"client_id": "abc", "client_secret": "s", "client_secret_expires_at": 1_800_000_000, "token_endpoint_auth_method": "client_secret_post"});
    let registered = register(answer, 201).await.0.unwrap();
    assert!(matches!(registered.client.authentication, ClientAuthentication::Post(_)), "as the server says");
    assert_eq!(registered.secret_expires_at, Some(Timestamp(1_800_000_000_000)), "and until when");
    let never =
        register(json!({"client_id": "abc", "client_secret": "s", "client_secret_expires_at": 0}), 201)
            .await
            .0
            .unwrap();
    assert_eq!(never.secret_expires_at, None, "zero is never");
}

#[tokio::test]
async fn o71_a_registration_that_is_weaker_than_asked_for_is_refused() {
    let changes = [
        ("redirect_uris", json!(["https://evil.example/cb"])),
        ("redirect_uris", json!([BACK, "https://evil.example/cb"])),
        ("redirect_uris", json!([])),
        ("grant_types", json!(["authorization_code", "implicit"])),
        ("grant_types", json!(["password"])),
        ("response_types", json!(["code id_token"])),
        ("response_types", json!(["token"])),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("client_id", json!("")),
        ("client_id", json!("a\nb")),
        ("client_id", Value::Null),
        ("client_id", json!(7)),
        ("redirect_uris", json!(BACK)),
    ];
    for (field, value) in changes {
        let mut answer = json!({"client_id": "abc", "redirect_uris": [BACK]});
        answer[field] = value.clone();
        assert!(register(answer, 201).await.0.is_err(), "{field} = {value} was taken");
    }
    let (refused, _) =
        register(json!({"error": "invalid_client_metadata", "error_description": "no\u{202e}"}), 400).await;
    let Err(RegisterError::Refused { code, description }) = refused else { panic!("not refused") };
    assert_eq!(
        (code.to_string().as_str(), description.unwrap().as_str()),
        ("invalid_client_metadata", "no"),
        "said and cleaned"
    );
    for status in [302, 401, 500] {
        assert!(register(json!({}), status).await.0.is_err(), "{status} was taken");
    }
}

#[test]
fn o72_client_documents_only_where_they_are_taken() {
    let mut server = server_at("http://127.0.0.1:1");
    let document = Endpoint::parse("https://claviger.example/client.json", Reach::Public).unwrap();
    assert!(Client::by_document(&server, &document).is_err(), "the server does not say so");
    server.takes_client_documents = true;
    assert_eq!(
        Client::by_document(&server, &document).unwrap().id,
        "https://claviger.example/client.json",
        "then the URL is the id"
    );
    for bad in ["https://claviger.example", "https://claviger.example/"] {
        let bad = Endpoint::parse(bad, Reach::Public).unwrap();
        assert!(Client::by_document(&server, &bad).is_err(), "{bad:?} is no document");
    }
    assert!(
        Client::by_document(&server, &local("http://127.0.0.1:1/client.json")).is_err(),
        "nor is one over plain http"
    );
}

/// A resource at `/mcp` whose metadata is this, with or without a challenge that says where.
async fn resource(
    metadata: impl Fn(&str) -> Value + Send + Sync + 'static,
    challenge: Option<&'static str>,
) -> (Result<ProtectedResource, ResourceError>, Script) {
    let script = Script::start(move |seen| {
        let base = format!("http://{}", seen.header("host").unwrap());
        match (seen.path.as_str(), challenge) {
            ("/mcp", Some(challenge)) => Reply::With(
                401,
                vec![format!("www-authenticate: {}", challenge.replace("BASE", &base))],
                vec![],
            ),
            ("/mcp", None) => Reply::With(401, vec![], vec![]),
            ("/.well-known/oauth-protected-resource/mcp", None) | ("/meta", _) => {
                Reply::Json(200, metadata(&base))
            }
            _ => Reply::Json(404, json!({})),
        }
    })
    .await;
    let url = local(&format!("{}/mcp", script.base));
    (ProtectedResource::discover(&real_http(), &url, Reach::Private).await, script)
}

fn described(base: &str) -> Value {
    json!({"resource": format!("{base}/mcp"), "authorization_servers": [base, "https://as.example"], "scopes_supported": ["x"], "resource_name": "Tools\u{202e}"})
}

#[tokio::test]
async fn o69_a_resource_is_found_by_its_challenge_or_in_its_place() {
    let (found, script) =
        resource(described, Some("Bearer resource_metadata=\"BASE/meta\", scope=\"a b\"")).await;
    let found = found.unwrap();
    assert_eq!(found.resource, format!("{}/mcp", script.base), "its identifier");
    assert_eq!(found.authorization_servers.len(), 2, "both servers, for the user to choose");
    assert_eq!(
        (found.asked_scopes, found.scopes),
        (vec!["a".into(), "b".into()], vec!["x".to_owned()]),
        "scopes of the challenge, and its own"
    );
    assert_eq!(found.name.unwrap().as_str(), "Tools", "its name, cleaned");
    assert!(resource(described, None).await.0.is_ok(), "without a challenge in the well-known place");
}

#[tokio::test]
async fn o69_a_description_of_another_resource_is_refused() {
    let wrong: [fn(&str) -> Value; 7] = [
        |_| json!({"resource": "https://other.example/mcp", "authorization_servers": ["https://as.example"]}),
        |base| json!({"resource": base, "authorization_servers": ["https://as.example"]}),
        |base| json!({"resource": format!("{base}/mcp/"), "authorization_servers": ["https://as.example"]}),
        |base| json!({"resource": format!("{base}/mcp"), "authorization_servers": []}),
        |base| json!({"resource": format!("{base}/mcp")}),
        |base| json!({"resource": format!("{base}/mcp"), "authorization_servers": ["javascript:alert(1)"]}),
        |base| json!({"resource": format!("{base}/mcp"), "authorization_servers": ["http://169.254.169.254"]}),
    ];
    for metadata in wrong {
        let (found, _) = resource(metadata, None).await;
        assert!(found.is_err(), "{} was believed", metadata("BASE"));
    }
    let (found, script) =
        resource(described, Some("Bearer resource_metadata=\"http://169.254.169.254/meta\"")).await;
    assert!(matches!(found, Err(ResourceError::Endpoint(_))), "{found:?}");
    assert_eq!(script.seen().len(), 1, "nothing more was asked");
}
