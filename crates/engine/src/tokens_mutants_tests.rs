//! Agent tokens changed in every way that a program can think of: none is accepted, neither by its row nor by its signature
//! alone. `CLAVIGER_MUTANTS` says how many; the everyday run has 20,000.

use super::{LATER, NOW, agent, keys};
use crate::tokens::{TokenKeys, TokenRows};
use claviger_crypto::sha256;
use claviger_model::{AgentId, TokenHash, TokenInfo, VaultId};
use claviger_secret::Secret;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey};

/// The same numbers on each run (SplitMix64), so that a mutant that is accepted can be found again.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn byte_of(&mut self, of: &[u8]) -> u8 {
        of[self.below(of.len())]
    }

    fn one_of<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Genuine tokens: two of one agent, one of another, one of another vault with the same key.
fn genuine() -> (Vec<String>, Vec<TokenInfo>) {
    let (ours, others) = (keys(), TokenKeys::new(VaultId::from_bytes([9; 16]), &Secret::from(vec![7; 32])));
    let agents = [(&ours, 2), (&ours, 2), (&ours, 3), (&others, 2)];
    agents
        .into_iter()
        .map(|(keys, id)| {
            let (token, info) = keys.mint(AgentId::from_bytes([id; 16]), NOW, LATER).unwrap();
            (String::from_utf8(token.secret().expose().to_vec()).unwrap(), info)
        })
        .unzip()
}

const KINDS: [&str; 13] = [
    "one bit",
    "several bits",
    "cut short",
    "a byte more",
    "a run less",
    "spliced",
    "parts swapped",
    "claims changed",
    "header changed",
    "signed by another key",
    "another alphabet",
    "unsigned",
    "another hash",
];

fn signed(header: &str, claims: &str, key: &[u8], algorithm: Algorithm) -> String {
    let text = format!(
        "{}.{}",
        BASE64URL_NOPAD.encode(header.as_bytes()),
        BASE64URL_NOPAD.encode(claims.as_bytes())
    );
    let signature =
        jsonwebtoken::crypto::sign(text.as_bytes(), &EncodingKey::from_secret(key), algorithm).unwrap();
    format!("{text}.{signature}")
}

fn readable(part: &str) -> String {
    String::from_utf8(BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

/// A text with one place changed: a digit, a letter, or a piece of JSON.
fn edited(numbers: &mut Numbers, text: &str) -> String {
    let pieces = [
        ",\"admin\":true",
        ",\"exp\":99999999999",
        ",\"sub\":\"x\"",
        ",\"alg\":\"none\"",
        ",\"kid\":\"../../etc/passwd\"",
        ",\"crit\":[\"exp\"]",
        ",\"jku\":\"https://evil.example/\"",
        ",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}",
        " ",
        "\n",
    ];
    let mut bytes = text.as_bytes().to_vec();
    match numbers.below(3) {
        0 => {
            let at = bytes.len() - 1;
            bytes.splice(at..at, numbers.one_of::<str>(&pieces).bytes());
        }
        1 => {
            let at = numbers.below(bytes.len());
            bytes[at] = numbers.byte_of(b"0123456789abcdefABCDEF\"{}:,xyzHSREnone");
        }
        _ => {
            let at = numbers.below(bytes.len());
            bytes.remove(at);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn mutant(numbers: &mut Numbers, kind: usize, genuine: &[String]) -> Vec<u8> {
    let tokens: Vec<&str> = genuine.iter().map(String::as_str).collect();
    let token = numbers.one_of::<str>(&tokens);
    let other = numbers.one_of::<str>(&tokens);
    let mut bytes = token.as_bytes().to_vec();
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let at = numbers.below(bytes.len());
    match KINDS[kind] {
        "one bit" => bytes[at] ^= 1 << numbers.below(8),
        "several bits" => {
            for _ in 0..2 + numbers.below(7) {
                let at = numbers.below(bytes.len());
                bytes[at] ^= 1 << numbers.below(8);
            }
        }
        "cut short" => bytes.truncate(at),
        "a byte more" => bytes.insert(at, numbers.byte_of(b".=-_+/AZaz09 \n\t\0\xff\"%,;")),
        "a run less" => {
            let end = (at + 1 + numbers.below(40)).min(bytes.len());
            bytes.drain(at..end);
        }
        "spliced" => {
            bytes.truncate(at);
            bytes.extend_from_slice(&other.as_bytes()[numbers.below(other.len())..]);
        }
        "parts swapped" => {
            let from = |numbers: &mut Numbers| {
                let token = numbers.one_of::<str>(&tokens);
                token.split('.').nth(numbers.below(3)).unwrap()
            };
            return format!("{}.{}.{}", from(numbers), from(numbers), from(numbers)).into_bytes();
        }
        "claims changed" => {
            let changed = edited(numbers, &readable(claims));
            return format!("{header}.{}.{signature}", BASE64URL_NOPAD.encode(changed.as_bytes()))
                .into_bytes();
        }
        "header changed" => {
            let changed = edited(numbers, &readable(header));
            return format!("{}.{claims}.{signature}", BASE64URL_NOPAD.encode(changed.as_bytes()))
                .into_bytes();
        }
        "signed by another key" => {
            let mut key = vec![7; 32];
            match numbers.below(4) {
                0 => key.truncate(numbers.below(32)),
                1 => key.extend_from_slice(b"7"),
                2 => key[numbers.below(32)] ^= 1 << numbers.below(8),
                _ => key = numbers.next().to_be_bytes().repeat(4),
            }
            return signed(&readable(header), &readable(claims), &key, Algorithm::HS256).into_bytes();
        }
        "another alphabet" => {
            let text = match numbers.below(4) {
                0 => token.replace('-', "+").replace('_', "/"),
                1 => format!("{token}{}", "=".repeat(1 + numbers.below(3))),
                2 => format!("{header}.{claims}=.{signature}"),
                // The lowest bits of the last character are no part of the bytes.
                _ => {
                    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                    let last = bytes.pop().unwrap();
                    let place = alphabet.iter().position(|b| *b == last).unwrap();
                    bytes.push(alphabet[place ^ (1 + numbers.below(3))]);
                    return bytes;
                }
            };
            return text.into_bytes();
        }
        "unsigned" => {
            let algorithm = numbers.one_of::<str>(&["none", "None", "NONE", "nOnE", "", "HS256", "null"]);
            let header = format!("{{\"typ\":\"JWT\",\"alg\":\"{algorithm}\",\"kid\":\"1\"}}");
            let header = BASE64URL_NOPAD.encode(header.as_bytes());
            let end = numbers.one_of::<str>(&["", "AA", "bm9uZQ", signature]);
            return format!("{header}.{claims}.{end}").into_bytes();
        }
        _ => {
            // The right key, by an algorithm that is not ours, under its own name and under ours.
            let algorithm = if numbers.below(2) == 0 { Algorithm::HS384 } else { Algorithm::HS512 };
            let name = if numbers.below(2) == 0 { "HS256".to_owned() } else { format!("{algorithm:?}") };
            let header = format!("{{\"typ\":\"JWT\",\"alg\":\"{name}\",\"kid\":\"1\"}}");
            return signed(&header, &edited_or_not(numbers, claims), &[7; 32], algorithm).into_bytes();
        }
    }
    bytes
}

fn edited_or_not(numbers: &mut Numbers, claims: &str) -> String {
    let claims = readable(claims);
    if numbers.below(2) == 0 { claims } else { edited(numbers, &claims) }
}

#[test]
fn no_mutant_of_an_agent_token_is_accepted() {
    let count: usize = std::env::var("CLAVIGER_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let (genuine, infos) = genuine();
    let keys = keys();
    let mut owner = agent(Some(infos[0].clone()));
    owner.run_tokens = vec![infos[1].clone()];
    let mut second = agent(Some(infos[2].clone()));
    second.id = AgentId::from_bytes([3; 16]);
    let rows = TokenRows::new(&[owner, second]);
    for token in &genuine[..3] {
        assert!(rows.check(&keys, token.as_bytes(), NOW).is_ok(), "a genuine token is accepted");
    }
    assert!(rows.check(&keys, genuine[3].as_bytes(), NOW).is_err(), "that of another vault is not");

    let mut numbers = Numbers(1);
    let mut by_kind = [0_usize; KINDS.len()];
    let (mut tried, mut with_whole_header) = (0, 0);
    while tried < count {
        let kind = numbers.below(KINDS.len());
        let bytes = mutant(&mut numbers, kind, &genuine);
        if genuine.iter().any(|token| token.as_bytes() == bytes) {
            continue;
        }
        let shown = String::from_utf8_lossy(&bytes);
        assert!(rows.check(&keys, &bytes, NOW).is_err(), "{}: accepted by its row: {shown}", KINDS[kind]);
        // Even a row that holds exactly this text makes no token of it: for each agent and each token that there is.
        let info = &infos[numbers.below(infos.len())];
        let row = TokenInfo { hash: TokenHash(sha256(&bytes)), ..info.clone() };
        let mut whose = agent(Some(row));
        whose.id = AgentId::from_bytes([if numbers.below(2) == 0 { 2 } else { 3 }; 16]);
        let planted = TokenRows::new(&[whose]);
        assert!(
            planted.check(&keys, &bytes, NOW).is_err(),
            "{}: accepted by its signature: {shown}",
            KINDS[kind]
        );
        with_whole_header += usize::from(bytes.starts_with(genuine[0].split('.').next().unwrap().as_bytes()));
        by_kind[kind] += 1;
        tried += 1;
    }
    assert!(by_kind.iter().all(|n| *n > count / 40), "each kind has its share: {by_kind:?}");
    assert!(with_whole_header > count / 3, "only {with_whole_header} come as far as the signature");
    println!("{tried} mutants, {with_whole_header} of them with a genuine header: 0 accepted");
}

/// RFC 7515, appendix A.1: signed with HS256 by a key that we are given, and still no token of ours.
#[test]
fn a_published_example_with_the_right_key_is_no_agent_token() {
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = BASE64URL_NOPAD.decode(key.as_bytes()).unwrap();
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let (message, signature) = token.rsplit_once('.').unwrap();
    let decoding = jsonwebtoken::DecodingKey::from_secret(&key);
    let holds = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &decoding, Algorithm::HS256);
    assert!(holds.unwrap(), "the example is genuine");
    let keys = TokenKeys::new(VaultId::from_bytes([1; 16]), &Secret::from(key));
    let row = TokenInfo { hash: TokenHash(sha256(token.as_bytes())), ..genuine().1[0].clone() };
    let planted = TokenRows::new(&[agent(Some(row))]);
    assert!(planted.check(&keys, token.as_bytes(), NOW).is_err(), "a header and claims that are not ours");
}
