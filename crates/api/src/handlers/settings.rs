//! Settings, from outside.

use claviger_engine::{Engine, RecordDurability, Settings};

use crate::schema::settings::SettingsView;
use crate::schema::{ApiError, Code};

pub(crate) fn show(engine: &Engine) -> SettingsView {
    let settings = engine.settings();
    SettingsView {
        port: settings.port,
        record: match settings.record {
            RecordDurability::Relaxed => "relaxed",
            RecordDurability::Strict => "strict",
        }
        .to_owned(),
        lock_after_minutes: settings.lock_after_minutes,
        notifications: settings.notifications,
    }
}

pub(crate) fn set(engine: &Engine, request: SettingsView) -> Result<SettingsView, ApiError> {
    let record = match request.record.as_str() {
        "relaxed" => RecordDurability::Relaxed,
        "strict" => RecordDurability::Strict,
        other => {
            return Err(ApiError::new(
                Code::Usage,
                format!("{other:?} is no setting"),
                "write relaxed or strict",
            ));
        }
    };
    engine.set_settings(Settings {
        port: request.port,
        record,
        lock_after_minutes: request.lock_after_minutes,
        notifications: request.notifications,
    })?;
    Ok(show(engine))
}
