//! A connection's encoding, and when it is due.

use super::*;
use serde_json::json;

fn server() -> Server {
    let url = |text: &str| Endpoint::parse(text, Reach::Public).unwrap();
    let issuer = Issuer::parse("https://as.example", Reach::Public).unwrap();
    Server::described(issuer, Reach::Public, None, url("https://as.example/token"))
}

fn connection(client: Client, life: Lifetime, at: i64) -> Connection {
    let tokens = Tokens {
        access: AccessToken::from("access-canary".to_owned()),
        refresh: Some(RefreshToken::from("refresh-canary".to_owned())),
        id_token: None,
        kind: TokenKind::Bearer,
        lifetime: life,
        scopes: Some(vec!["a".into(), "c".into()]),
    };
    let ask = Ask { scopes: vec!["a".into(), "b".into()], ..Ask::default() };
    let dpop = Some(Arc::new(DpopKey::make().unwrap()));
    Connection::new(&server(), client, &ask, tokens, dpop, Renewal::Refresh, None, Timestamp(at))
}

fn clients() -> Vec<Client> {
    let issuer = server().issuer;
    let secret = |text: &str| ClientSecret::from(text.to_owned());
    let with = |authentication| Client::checked(issuer.clone(), "c".into(), authentication).unwrap();
    vec![
        Client::public(issuer.clone(), "c").unwrap(),
        with(ClientAuthentication::Basic(secret("basic-canary"))),
        with(ClientAuthentication::Post(secret("post-canary")))
            .with_former(ClientAuthentication::Post(secret("former-canary"))),
        with(ClientAuthentication::PrivateKeyJwt(SigningKey::make().unwrap())),
    ]
}

#[test]
fn a_connection_comes_back_whole() {
    for client in clients() {
        let shown = format!("{:?}", client.authentication);
        let connection = connection(client, Lifetime::Stated(Duration(3_600_000)), 1_000);
        let encoded = connection.encode();
        let back = Connection::decode(&encoded).unwrap();
        assert_eq!(back.facts, connection.facts, "{shown}: its facts");
        assert_eq!(back.encode(), encoded, "{shown}: and every secret");
        assert_eq!(back.access.secret(), connection.access.secret(), "{shown}: the token");
        let key = |c: &Connection| c.dpop.as_ref().unwrap().thumbprint().unwrap();
        assert_eq!(key(&back), key(&connection), "{shown}: the key");
    }
}

#[test]
fn a_damaged_connection_is_refused_and_never_panics() {
    let encoded = connection(clients().remove(2), Lifetime::NotStated, 0).encode();
    let bytes = encoded.expose();
    for cut in 0..bytes.len() {
        assert!(Connection::decode(&Secret::from(bytes[..cut].to_vec())).is_err(), "{cut} bytes were read");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 0x80;
        let _ = Connection::decode(&Secret::from(changed));
    }
    let twice = [bytes, &bytes[MAGIC.len() + 1..]].concat();
    assert!(Connection::decode(&Secret::from(twice)).is_err(), "every field twice was read");
}

#[test]
fn o79_nothing_that_can_be_printed_or_serialised_holds_a_token() {
    for client in clients() {
        let connection = connection(client, Lifetime::NotStated, 0);
        let shown = format!(
            "{connection:?} {:?} {}",
            connection.facts,
            serde_json::to_string(&connection.facts).unwrap()
        );
        assert!(!shown.contains("canary"), "{shown}");
        let client = format!("{:?}", connection.client);
        assert!(!client.contains("canary"), "{client}");
    }
}

#[test]
fn o36_granted_differs_from_requested_and_says_how() {
    let facts = connection(clients().remove(0), Lifetime::NotStated, 0).facts;
    assert_eq!(facts.granted, ["a", "c"], "what the server said");
    assert_eq!((facts.withheld(), facts.unasked()), (vec!["b"], vec!["c"]), "and how it differs");
}

#[test]
fn o49_renewal_is_due_at_75_to_80_percent_and_spread() {
    let mut seen = std::collections::HashSet::new();
    for at in 0..200 {
        let connection = connection(clients().remove(0), Lifetime::Stated(Duration(3_600_000)), at * 7);
        let due = connection.facts.due_at().unwrap().0 - connection.facts.obtained_at.0;
        assert!((2_700_000..=2_880_000).contains(&due), "{due} ms of an hour");
        assert_eq!(connection.facts.due_at(), connection.facts.due_at(), "the same each time it is asked");
        seen.insert(due);
    }
    assert!(seen.len() > 50, "only {} different moments", seen.len());
}

#[test]
fn o35_a_lifetime_that_is_not_stated_is_learned_from_the_token_itself() {
    let key = SigningKey::make().unwrap();
    let now = Timestamp(1_795_000_000_000);
    let with = |exp: serde_json::Value| {
        let token = key.sign("JWT", None, &json!({"exp": exp})).unwrap();
        learned(Lifetime::NotStated, &AccessToken::from(token), now)
    };
    assert_eq!(with(json!(1_795_000_060)), Lifetime::Stated(Duration(60_000)), "a minute is left");
    for odd in [json!(1_794_000_000), json!(-1), json!(i64::MAX), json!("soon"), json!(null), json!(1e300)] {
        assert_eq!(with(odd.clone()), Lifetime::NotStated, "exp = {odd}");
    }
    assert_eq!(
        learned(Lifetime::NotStated, &AccessToken::from("opaque".to_owned()), now),
        Lifetime::NotStated,
        "not a JWT"
    );
}
