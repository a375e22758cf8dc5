//! Credentials, from outside. Material comes in here and never goes out.

use claviger_engine::{Book, CredentialChange, Engine, NewCredential};
use claviger_model::{Credential, CredentialState, Timestamp};
use claviger_secret::{Field, Material, Secret};

use super::{moment, now};
use crate::schema::credential::{
    AddCredentialRequest, CredentialAddedView, CredentialGrantView, CredentialVersionView, CredentialView,
    KindView, RecogniseRequest, RecognisedView, RotateCredentialRequest,
};
use crate::schema::{ApiError, Code, Named, Nothing};

const DAY_MS: i64 = 86_400_000;

pub(crate) fn kinds() -> Vec<KindView> {
    let kind = |kind: &str, about: &str, input: &str| KindView {
        kind: kind.to_owned(),
        about: about.to_owned(),
        input: input.to_owned(),
    };
    vec![
        kind("api-key", "One key or token; the service says where it goes on a request.", "text"),
        kind("basic", "A user name and a password (RFC 7617).", r#"{"username":"…","password":"…"}"#),
        kind(
            "jwt-bearer",
            "A private key that signs short-lived tokens; with exchange also a Google service account or a GitHub App.",
            r#"{"algorithm":"RS256","key":"PEM","issuer":"…","audience":"…","exchange":{…}}"#,
        ),
    ]
}

pub(crate) fn recognise(engine: &Engine, request: RecogniseRequest) -> Result<RecognisedView, ApiError> {
    let secret = request.secret.into_secret();
    let pasted = text(&secret)?;
    let paste = claviger_engine::clean_paste(pasted);
    // Some keys are known only by the variable that they stand in, so the whole line is looked at.
    let found = claviger_engine::recognise(pasted);
    let book = engine.book().unwrap_or_default();
    let service = found.as_ref().and_then(|found| book.service(found.service).ok());
    let stem = found
        .as_ref()
        .map(|found| found.service.to_owned())
        .or(paste.name_hint)
        .unwrap_or_else(|| "key".into());
    let taken = |name: &str| book.credentials.iter().any(|credential| credential.name == name);
    let suggested_name = std::iter::once(stem.clone())
        .chain((2..).map(|n| format!("{stem}-{n}")))
        .find(|name| !taken(name))
        .unwrap_or(stem);
    Ok(RecognisedView {
        service: service.map(|service| service.name.clone()),
        service_title: service.map(|service| service.title.clone()),
        label: found.map(|found| found.label.to_owned()),
        suggested_name,
        trimmed: paste.trimmed,
    })
}

pub(crate) fn list(engine: &Engine) -> Result<Vec<CredentialView>, ApiError> {
    let book = engine.book()?;
    book.credentials.iter().map(|credential| view(engine, &book, credential)).collect()
}

pub(crate) fn show(engine: &Engine, request: Named) -> Result<CredentialView, ApiError> {
    let book = engine.book()?;
    view(engine, &book, book.credential(&request.name)?)
}

pub(crate) fn history(engine: &Engine, request: Named) -> Result<Vec<CredentialVersionView>, ApiError> {
    let book = engine.book()?;
    let current = book.credential(&request.name)?.version;
    let versions = engine.credential_history(&request.name)?;
    Ok(versions
        .into_iter()
        .map(|version| CredentialVersionView {
            version: version.version,
            stored: version.stored_at.to_rfc3339(),
            fingerprint: version.fingerprint,
            current: version.version == current,
        })
        .collect())
}

pub(crate) fn add(engine: &Engine, request: AddCredentialRequest) -> Result<CredentialAddedView, ApiError> {
    let kind = match request.kind {
        Some(kind) => kind,
        None => default_kind(&engine.book()?, &request.service)?,
    };
    let material = material(&kind, request.secret.into_secret())?;
    let expires_at = expiry(request.expires.as_deref(), &material)?;
    let new = NewCredential { name: request.name, service: request.service, material, expires_at };
    Ok(added(match kind.as_str() {
        "jwt-bearer" => engine.add_minted_credential(new)?,
        _ => engine.add_credential(new)?,
    }))
}

pub(crate) fn rotate(
    engine: &Engine,
    request: RotateCredentialRequest,
) -> Result<CredentialAddedView, ApiError> {
    let kind = engine.book()?.credential(&request.name)?.kind.name();
    let material = material(kind, request.secret.into_secret())?;
    let expires_at = expiry(request.expires.as_deref(), &material)?;
    Ok(added(engine.rotate_credential(&request.name, &material, expires_at)?))
}

/// As it was given; else what a pasted token says of itself.
fn expiry(given: Option<&str>, material: &Material) -> Result<Option<Timestamp>, ApiError> {
    match given.filter(|text| !text.is_empty()) {
        Some(text) => moment(text).map(Some),
        None => Ok(material.field(Field::Key).and_then(claviger_engine::expiry_of)),
    }
}

pub(crate) fn revoke(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.revoke_credential(&request.name)?;
    Ok(Nothing {})
}

pub(crate) fn freeze(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.freeze_credential(&request.name)?;
    Ok(Nothing {})
}

pub(crate) fn unfreeze(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.unfreeze_credential(&request.name)?;
    Ok(Nothing {})
}

pub(crate) fn remove(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.remove_credential(&request.name)?;
    Ok(Nothing {})
}

fn view(engine: &Engine, book: &Book, credential: &Credential) -> Result<CredentialView, ApiError> {
    let now = now();
    let service = book.service_by_id(credential.service);
    let grants = book
        .grants_on(credential.id)
        .filter_map(|grant| {
            let agent = book.agent_by_id(grant.agent)?;
            Some(CredentialGrantView { grant: grant.id.to_string(), agent: agent.name.clone() })
        })
        .collect();
    let stored = credential.rotated_at.unwrap_or(credential.created_at);
    Ok(CredentialView {
        name: credential.name.clone(),
        id: credential.id.to_string(),
        service: service.map(|s| s.name.clone()).unwrap_or_default(),
        service_title: service.map(|s| s.title.clone()).unwrap_or_default(),
        kind: credential.kind.name().to_owned(),
        fingerprint: credential.fingerprint.clone(),
        state: state_word(credential, now).to_owned(),
        version: credential.version,
        created: credential.created_at.to_rfc3339(),
        rotated: credential.rotated_at.map(Timestamp::to_rfc3339),
        last_used: engine.last_used(credential.id).map(Timestamp::to_rfc3339),
        expires: credential.expires_at.map(Timestamp::to_rfc3339),
        age_days: u32::try_from((now.0 - stored.0).max(0) / DAY_MS).unwrap_or(u32::MAX),
        grants,
    })
}

fn state_word(credential: &Credential, now: Timestamp) -> &'static str {
    match credential.state {
        CredentialState::Frozen => "frozen",
        CredentialState::Revoked => "revoked",
        CredentialState::Active if credential.expires_at.is_some_and(|at| at <= now) => "expired",
        CredentialState::Active => "active",
    }
}

fn added(change: CredentialChange) -> CredentialAddedView {
    CredentialAddedView {
        credential: change.credential.name,
        id: change.credential.id.to_string(),
        kind: change.credential.kind.name().to_owned(),
        fingerprint: change.credential.fingerprint,
        duplicate_of: change.duplicate_of,
    }
}

fn default_kind(book: &Book, service: &str) -> Result<String, ApiError> {
    let basic = book.service(service)?.auth == claviger_model::AuthScheme::Basic;
    Ok(if basic { "basic" } else { "api-key" }.to_owned())
}

/// Reads material in the shape that its kind has on the way in.
fn material(kind: &str, secret: Secret) -> Result<Material, ApiError> {
    match kind {
        "api-key" => {
            let pasted = text(&secret)?;
            let cleaned = claviger_engine::clean_paste(pasted).text;
            Ok(Material::key(cleaned.as_bytes().to_vec()))
        }
        "basic" => {
            #[derive(serde::Deserialize)]
            #[serde(deny_unknown_fields)]
            struct Basic {
                username: String,
                password: String,
            }
            // EXPOSE: parsed into two fields, each a Secret again. The parser's message could quote a secret.
            let basic: Basic = serde_json::from_slice(secret.expose()).map_err(|_| {
                let hint = r#"for a basic credential write {"username":"…","password":"…"}"#;
                ApiError::new(Code::Usage, "the secret is not the JSON document that its kind asks for", hint)
            })?;
            Ok(Material::basic(basic.username, basic.password))
        }
        "jwt-bearer" => Ok(Material::key(secret)),
        "oauth" => Err(ApiError::new(
            Code::Usage,
            "an OAuth connection has no secret to be typed: it is consented to and renews itself",
            "use `claviger oauth connect` or `claviger oauth reconnect`, or the window",
        )),
        other => Err(ApiError::new(
            Code::Usage,
            format!("there is no kind of credential {other:?}"),
            "`claviger credential kinds` lists them",
        )),
    }
}

fn text(secret: &Secret) -> Result<&str, ApiError> {
    // EXPOSE: looked at for quotes, names and prefixes; the text stays in the Secret.
    std::str::from_utf8(secret.expose())
        .map_err(|_| ApiError::new(Code::Usage, "the secret is not UTF-8 text", ""))
}
