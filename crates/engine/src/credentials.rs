//! Credentials: add, rotate, freeze, revoke, remove. Material passes through here and is nowhere kept.

use claviger_model::{
    AuthScheme, Credential, CredentialId, CredentialState, Grant, Kind, Service, Subject, Timestamp,
};
use claviger_secret::{Field, Material};
use claviger_vault::MaterialVersion;

use crate::book::{Book, check_name};
use crate::engine::{Change, Done, Engine};
use crate::error::EngineError;

/// Largest field that fits on a request's head.
const MAX_FIELD: usize = 16 * 1024;

/// A credential to be added.
pub struct NewCredential {
    /// Unique name.
    pub name: String,
    /// The service's name.
    pub service: String,
    /// Its material.
    pub material: Material,
    /// After this moment it is refused.
    pub expires_at: Option<Timestamp>,
}

/// What adding or rotating did.
pub struct CredentialChange {
    /// The credential as it is now.
    pub credential: Credential,
    /// Another credential that holds the same material.
    pub duplicate_of: Option<String>,
}

impl Engine {
    /// Adds a credential.
    pub fn add_credential(&self, new: NewCredential) -> Result<CredentialChange, EngineError> {
        check_material(&new.material)?;
        self.add_checked(new, None)
    }

    /// Adds a credential whose tokens are made here: its material is the document that says how.
    pub fn add_minted_credential(&self, new: NewCredential) -> Result<CredentialChange, EngineError> {
        let service = self.read(|open| Ok(open.book.service(&new.service)?.clone()))?;
        self.check_document(&new.material, &service)?;
        self.add_checked(new, Some(Kind::JwtBearer))
    }

    /// What would fail at the first request fails here.
    fn check_document(&self, material: &Material, service: &Service) -> Result<(), EngineError> {
        if material.fields().any(|(_, secret)| secret.len() > MAX_FIELD) {
            return Err(EngineError::Invalid("the document is longer than 16 KiB".into()));
        }
        let (_, reach) = self.network_of(Some(service));
        crate::minted::check(material, reach)
    }

    fn add_checked(&self, new: NewCredential, kind: Option<Kind>) -> Result<CredentialChange, EngineError> {
        check_name("credential", &new.name)?;
        let now = self.now();
        let fingerprint = self.read(|open| Ok(open.vault.fingerprint(&new.material)))?;
        self.change(Change::Credentials, |book, writer, _| {
            if book.credentials.iter().any(|credential| credential.name == new.name) {
                return Err(EngineError::Exists { noun: "credential", name: new.name });
            }
            let service = book.service(&new.service)?;
            let kind = match kind {
                Some(kind) => check_minted(service).map(|()| kind)?,
                None => kind_for(service, &new.material)?,
            };
            let duplicate_of = duplicate(book, &fingerprint, None);
            let credential = Credential {
                id: CredentialId::from_bytes(claviger_crypto::random_id()),
                name: new.name,
                service: service.id,
                kind,
                fingerprint,
                version: 1,
                state: CredentialState::Active,
                created_at: now,
                rotated_at: None,
                expires_at: new.expires_at,
            };
            writer.put(&credential)?;
            writer.put_material(credential.id, 1, &new.material)?;
            book.credentials.push(credential.clone());
            let done = Done::new("credential.add", Subject::Credential(credential.id), &credential.name);
            Ok((CredentialChange { credential, duplicate_of }, done))
        })
    }

    /// Replaces a credential's material. The next request uses the new one; the old one stays in the history.
    pub fn rotate_credential(
        &self,
        name: &str,
        material: &Material,
        expires_at: Option<Timestamp>,
    ) -> Result<CredentialChange, EngineError> {
        let minted_for = self.read(|open| {
            let credential = open.book.credential(name)?;
            let service = open.book.service_by_id(credential.service).cloned();
            Ok(service.filter(|_| credential.kind == Kind::JwtBearer))
        })?;
        match minted_for {
            Some(service) => self.check_document(material, &service)?,
            None => check_material(material)?,
        }
        let now = self.now();
        let fingerprint = self.read(|open| Ok(open.vault.fingerprint(material)))?;
        self.change(Change::Credentials, |book, writer, live| {
            let mut credential = book.credential(name)?.clone();
            if credential.kind == Kind::Oauth {
                return Err(EngineError::Invalid(format!(
                    "credential {:?} is an OAuth connection: it renews itself, and a new consent replaces it",
                    credential.name
                )));
            }
            if credential.state == CredentialState::Revoked {
                return Err(EngineError::Invalid(format!(
                    "credential {:?} was revoked; add a new one",
                    credential.name
                )));
            }
            let service = book.service_by_id(credential.service).ok_or_else(|| EngineError::NotFound {
                noun: "service",
                name: credential.service.to_string(),
            })?;
            if credential.kind != Kind::JwtBearer {
                credential.kind = kind_for(service, material)?;
            }
            let duplicate_of = duplicate(book, &fingerprint, Some(credential.id));
            credential.fingerprint = fingerprint;
            credential.version += 1;
            credential.rotated_at = Some(now);
            credential.expires_at = expires_at;
            writer.put(&credential)?;
            writer.put_material(credential.id, credential.version, material)?;
            replace(book, credential.clone());
            live.wanted.forget(credential.id);
            let done = Done::new("credential.rotate", Subject::Credential(credential.id), &credential.name);
            Ok((CredentialChange { credential, duplicate_of }, done))
        })
    }

    /// Refuses its use until it is unfrozen.
    pub fn freeze_credential(&self, name: &str) -> Result<(), EngineError> {
        self.change_state(name, "credential.freeze", CredentialState::Frozen)
    }

    /// Ends a freeze.
    pub fn unfreeze_credential(&self, name: &str) -> Result<(), EngineError> {
        self.change_state(name, "credential.unfreeze", CredentialState::Active)
    }

    /// Refuses its use for ever and destroys the material.
    pub fn revoke_credential(&self, name: &str) -> Result<(), EngineError> {
        if let Some(connection) = self.connection_named(name)? {
            return self.revoke_connection(&connection);
        }
        self.change(Change::Credentials, |book, writer, _| {
            let mut credential = book.credential(name)?.clone();
            credential.state = CredentialState::Revoked;
            writer.put(&credential)?;
            writer.remove_material(credential.id)?;
            let done = Done::new("credential.revoke", Subject::Credential(credential.id), &credential.name);
            replace(book, credential);
            Ok(((), done))
        })
    }

    /// Removes it with its material, its history and its grants.
    pub fn remove_credential(&self, name: &str) -> Result<(), EngineError> {
        if let Some(connection) = self.connection_named(name)? {
            return self.remove_connection(&connection);
        }
        self.change(Change::Credentials, |book, writer, _| {
            let credential = book.credential(name)?.clone();
            for grant in book.grants_on(credential.id) {
                writer.remove::<Grant>(grant.id)?;
            }
            writer.remove_material(credential.id)?;
            writer.remove::<Credential>(credential.id)?;
            book.grants.retain(|grant| grant.credential != credential.id);
            book.credentials.retain(|other| other.id != credential.id);
            Ok(((), Done::new("credential.remove", Subject::Credential(credential.id), credential.name)))
        })
    }

    /// The versions of its material, newest last, without the material.
    pub fn credential_history(&self, name: &str) -> Result<Vec<MaterialVersion>, EngineError> {
        self.read(|open| {
            let credential = open.book.credential(name)?;
            Ok(open.vault.material_versions(credential.id)?)
        })
    }

    /// The credential, if it is a connection with tokens that somebody has to take back.
    fn connection_named(&self, name: &str) -> Result<Option<Credential>, EngineError> {
        let credential = self.read(|open| Ok(open.book.credential(name)?.clone()))?;
        let is_one = credential.kind == Kind::Oauth && credential.state != CredentialState::Revoked;
        Ok(is_one.then_some(credential))
    }

    fn change_state(
        &self,
        name: &str,
        what: &'static str,
        state: CredentialState,
    ) -> Result<(), EngineError> {
        self.change(Change::Credentials, |book, writer, _| {
            let mut credential = book.credential(name)?.clone();
            if credential.state == CredentialState::Revoked {
                return Err(EngineError::Invalid(format!("credential {:?} was revoked", credential.name)));
            }
            credential.state = state;
            writer.put(&credential)?;
            let done = Done::new(what, Subject::Credential(credential.id), &credential.name);
            replace(book, credential);
            Ok(((), done))
        })
    }
}

fn replace(book: &mut Book, credential: Credential) {
    if let Some(place) = book.credentials.iter_mut().find(|other| other.id == credential.id) {
        *place = credential;
    }
}

fn duplicate(book: &Book, fingerprint: &str, but: Option<CredentialId>) -> Option<String> {
    book.credentials
        .iter()
        .find(|other| {
            other.fingerprint == fingerprint
                && Some(other.id) != but
                && other.state != CredentialState::Revoked
        })
        .map(|other| other.name.clone())
}

/// The kind that the service asks for, if the material has its fields.
fn kind_for(service: &Service, material: &Material) -> Result<Kind, EngineError> {
    let kind = match service.auth {
        AuthScheme::Basic => Kind::Basic,
        AuthScheme::Bearer | AuthScheme::Header(_) | AuthScheme::Query(_) => Kind::ApiKey,
    };
    let fits = match kind {
        Kind::ApiKey => material.field(Field::Key).is_some(),
        Kind::Basic => material.field(Field::Username).is_some() && material.field(Field::Password).is_some(),
        // No service asks for one: connections are stored by their flows.
        Kind::Oauth | Kind::JwtBearer => false,
    };
    if fits {
        return Ok(kind);
    }
    Err(EngineError::Invalid(format!(
        "service {:?} authenticates by {}, so its credential is {}",
        service.name,
        service.auth,
        match kind {
            Kind::ApiKey => "one key or token",
            Kind::Basic => "a user name and a password",
            Kind::Oauth | Kind::JwtBearer => "another",
        }
    )))
}

/// A token that is made here is placed as a key is, and never in the query, where it would be written down.
fn check_minted(service: &Service) -> Result<(), EngineError> {
    match service.auth {
        AuthScheme::Bearer | AuthScheme::Header(_) => Ok(()),
        AuthScheme::Basic | AuthScheme::Query(_) => Err(EngineError::Invalid(format!(
            "service {:?} authenticates by {}; a token that is made here stands in a header",
            service.name, service.auth
        ))),
    }
}

/// What cannot stand on a request's head without splitting it is refused here, long before it is injected.
fn check_material(material: &Material) -> Result<(), EngineError> {
    for (field, secret) in material.fields() {
        // EXPOSE: looked at for characters that would split a header.
        let bytes = secret.expose();
        let empty = bytes.is_empty() && field != Field::Password;
        if empty || bytes.len() > MAX_FIELD {
            return Err(EngineError::Invalid("the secret is empty or longer than 16 KiB".into()));
        }
        let printable = match field {
            Field::Key => bytes.iter().all(|b| (0x21..=0x7e).contains(b)),
            Field::Username => !bytes.iter().any(|b| b.is_ascii_control() || *b == b':'),
            Field::Password => !bytes.iter().any(u8::is_ascii_control),
        };
        if !printable {
            return Err(EngineError::Invalid(match field {
                Field::Key => "a key is one line of visible ASCII characters; this has others (a line break, perhaps)",
                Field::Username => "a user name must not have control characters or a colon",
                Field::Password => "a password must not have control characters",
            }
            .into()));
        }
    }
    Ok(())
}
