//! The vault's state, from outside.

use claviger_engine::{Engine, KeychainStanding, UnlockBy, VaultStanding};
use claviger_secret::{Passphrase, RecoveryKey};

use crate::schema::vault::{
    ChangePasswordRequest, CreateRequest, EngineState, KeychainState, ProxyView, RecoveryView,
    RenewRecoveryRequest, StatusView, UnlockRequest, VaultState, VaultView,
};
use crate::schema::{ApiError, Code, ShownOnce};

pub(crate) fn status(engine: &Engine) -> Result<StatusView, ApiError> {
    let standing = engine.standing();
    let origin = standing.port.map(|port| format!("http://127.0.0.1:{port}"));
    Ok(StatusView {
        vault: state(standing.vault),
        engine: if standing.port.is_some() { EngineState::Running } else { EngineState::Stopped },
        proxy: ProxyView {
            base: origin.clone(),
            forward: origin,
            added_p50_us: standing.added_us.map(|(p50, _)| p50),
            added_p99_us: standing.added_us.map(|(_, p99)| p99),
        },
        keychain: keychain(standing.keychain),
        paused: standing.paused,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        warnings: standing.warnings,
    })
}

pub(crate) fn create(engine: &Engine, request: CreateRequest) -> Result<RecoveryView, ApiError> {
    let key = engine.create(Passphrase::from(request.password.into_secret()), !request.no_keychain)?;
    Ok(recovery_view(engine, key))
}

/// The recovery key's view when it was used, else the vault's.
pub(crate) fn unlock(engine: &Engine, request: UnlockRequest) -> Result<serde_json::Value, ApiError> {
    let by = match (request.password, request.recovery_key, request.new_password) {
        (Some(password), None, None) => UnlockBy::Password(Passphrase::from(password.into_secret())),
        (None, Some(key), Some(new)) => UnlockBy::Recovery {
            key: RecoveryKey::from(key.into_secret()),
            new_password: Passphrase::from(new.into_secret()),
        },
        _ => {
            let what = "give either the password, or the recovery key together with a new password";
            return Err(ApiError::new(Code::Usage, what, ""));
        }
    };
    let to_json = |why: serde_json::Error| ApiError::new(Code::Unexpected, why.to_string(), "");
    match engine.unlock(by, request.accept_older)? {
        Some(key) => serde_json::to_value(recovery_view(engine, key)).map_err(to_json),
        None => serde_json::to_value(VaultView { vault: VaultState::Unlocked }).map_err(to_json),
    }
}

pub(crate) fn lock(engine: &Engine) -> Result<VaultView, ApiError> {
    engine.lock()?;
    Ok(VaultView { vault: state(engine.standing().vault) })
}

pub(crate) fn change_password(
    engine: &Engine,
    request: ChangePasswordRequest,
) -> Result<VaultView, ApiError> {
    let (old, new) = (request.password.into_secret(), request.new_password.into_secret());
    engine.change_password(&Passphrase::from(old), &Passphrase::from(new))?;
    Ok(VaultView { vault: VaultState::Unlocked })
}

pub(crate) fn renew_recovery(
    engine: &Engine,
    request: RenewRecoveryRequest,
) -> Result<RecoveryView, ApiError> {
    let key = engine.renew_recovery(&Passphrase::from(request.password.into_secret()))?;
    Ok(recovery_view(engine, key))
}

fn recovery_view(engine: &Engine, key: RecoveryKey) -> RecoveryView {
    RecoveryView {
        vault: VaultState::Unlocked,
        recovery_key: ShownOnce::new(key.secret().duplicate()),
        keychain: keychain(engine.standing().keychain),
    }
}

const fn state(standing: VaultStanding) -> VaultState {
    match standing {
        VaultStanding::Absent => VaultState::Absent,
        VaultStanding::Locked => VaultState::Locked,
        VaultStanding::Unlocked => VaultState::Unlocked,
    }
}

const fn keychain(standing: KeychainStanding) -> KeychainState {
    match standing {
        KeychainStanding::Used => KeychainState::Used,
        KeychainStanding::NotUsed => KeychainState::NotUsed,
        KeychainStanding::Locked => KeychainState::Locked,
        KeychainStanding::Missing => KeychainState::Missing,
        KeychainStanding::Unavailable => KeychainState::Unavailable,
    }
}
