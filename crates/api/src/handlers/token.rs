//! Looking into a pasted token. Nothing is stored, and nothing in it is believed.

use claviger_engine::Claim;
use claviger_model::Timestamp;

use crate::schema::token::{ClaimView, InspectRequest, InspectedView, TokenShape};

pub(crate) fn inspect(request: InspectRequest) -> InspectedView {
    let found = claviger_engine::inspect(&request.token.into_secret());
    let fields = |fields: Vec<Claim>| {
        fields.into_iter().map(|f| ClaimView { name: f.name, value: f.value, words: f.words }).collect()
    };
    InspectedView {
        kind: if found.is_jwt { TokenShape::Jwt } else { TokenShape::Opaque },
        header: fields(found.header),
        claims: fields(found.claims),
        scopes: found.scopes,
        issuer: found.issuer,
        subject: found.subject,
        audience: found.audience,
        issued: found.issued.map(Timestamp::to_rfc3339),
        expires: found.expires.map(Timestamp::to_rfc3339),
        signed_by: found.signed_by,
    }
}
