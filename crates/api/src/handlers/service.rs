//! Services, from outside.

use claviger_engine::{Engine, NewService};
use claviger_model::{Protocol, Service, UsageShape};

use crate::schema::service::{AddServiceRequest, ServiceView};
use crate::schema::{ApiError, Code, Named, Nothing};

pub(crate) fn list(engine: &Engine) -> Result<Vec<ServiceView>, ApiError> {
    Ok(engine.book()?.services.iter().map(view).collect())
}

pub(crate) fn show(engine: &Engine, request: Named) -> Result<ServiceView, ApiError> {
    Ok(view(engine.book()?.service(&request.name)?))
}

pub(crate) fn add(engine: &Engine, request: AddServiceRequest) -> Result<ServiceView, ApiError> {
    let auth = request
        .auth
        .parse()
        .map_err(|why: claviger_model::AuthSchemeError| ApiError::new(Code::Usage, why.to_string(), ""))?;
    let is_mcp = request.mcp == Some(true);
    let usage = match request.usage.as_deref() {
        // An MCP server's answers hold no usage of a model.
        None | Some("") if is_mcp => None,
        None | Some("" | "detect") => Some(UsageShape::Detect),
        Some("none") => None,
        Some("open-ai") => Some(UsageShape::OpenAi),
        Some("anthropic") => Some(UsageShape::Anthropic),
        Some("gemini") => Some(UsageShape::Gemini),
        Some(other) => {
            return Err(ApiError::new(
                Code::Usage,
                format!("{other:?} is no usage shape"),
                "write detect, open-ai, anthropic, gemini or none",
            ));
        }
    };
    let service = engine.add_service(NewService {
        name: request.name,
        base_url: request.base_url,
        auth,
        allow_private: request.allow_private,
        ca_pem: request.ca_pem,
        encoded_slash: request.encoded_slash,
        usage,
        protocol: if is_mcp { Protocol::Mcp } else { Protocol::Http },
    })?;
    Ok(view(&service))
}

pub(crate) fn remove(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.remove_service(&request.name)?;
    Ok(Nothing {})
}

fn view(service: &Service) -> ServiceView {
    let known = claviger_engine::catalogue_entry(service.id);
    ServiceView {
        name: service.name.clone(),
        id: service.id.to_string(),
        title: service.title.clone(),
        base_url: service.base_url.clone(),
        auth: service.auth.to_string(),
        allow_private: service.allow_private,
        own_ca: service.ca_pem.is_some(),
        built_in: service.built_in,
        metered: service.usage.is_some(),
        mcp: (service.protocol == Protocol::Mcp).then_some(true),
        console_url: known.map(|entry| entry.console_url.clone()).unwrap_or_default(),
    }
}
