//! Why a consent came to nothing: what happened, and what to do, in the words that people read.
//!
//! Must not know at which step it was.

use claviger_oauth::http::HttpError;
use claviger_oauth::{
    AnswerError, AskError, ClientError, EndpointError, ErrorCode, FlowError, ListenError, MetadataError,
    RegisterError, ResourceError, TokenError,
};

use crate::error::EngineError;

/// Why a flow failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// To branch on.
    pub code: FaultCode,
    /// What happened, in one sentence.
    pub message: String,
    /// What to do, in one sentence.
    pub hint: String,
}

/// The kinds of failure that a person does different things about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultCode {
    /// The user, or the server's rules, said no.
    Denied,
    /// Nobody answered in time.
    TimedOut,
    /// The server offers no such flow, or does not prove itself as it must.
    Unsupported,
    /// An app has to be registered by hand.
    NeedsClientId,
    /// The server does not take the client id, its secret or its redirect URI.
    ClientRefused,
    /// The server cannot be reached or found.
    Unreachable,
    /// The server's answer is not what it must be, or came from another.
    Malformed,
    /// No port to listen on.
    PortInUse,
    /// The connection could not be stored.
    NotStored,
    /// Something else.
    Other,
}

const TRY_AGAIN: &str = "nothing was stored; try again";
const MARK_PRIVATE: &str =
    "if the server is your own, mark the service with --allow-private; otherwise give its public https URL";

// === impl Fault ===

impl Fault {
    pub(super) fn new(code: FaultCode, message: impl ToString, hint: impl Into<String>) -> Self {
        Self { code, message: message.to_string(), hint: hint.into() }
    }
}

impl From<HttpError> for Fault {
    fn from(why: HttpError) -> Self {
        let hint = match &why {
            HttpError::AddressRefused => MARK_PRIVATE,
            HttpError::Tls(_) => {
                "see whether the URL is right; a server with its own CA needs the service's --ca"
            }
            HttpError::TooLarge | HttpError::Encoded => {
                "this is no OAuth server, or one that is broken: check the URL"
            }
            _ => "see whether the URL is right and the network works, then try again",
        };
        Self::new(FaultCode::Unreachable, why, hint)
    }
}

impl From<EndpointError> for Fault {
    fn from(why: EndpointError) -> Self {
        let hint = match why {
            EndpointError::Address | EndpointError::Scheme => MARK_PRIVATE,
            _ => "give the URL exactly as the provider writes it",
        };
        Self::new(FaultCode::Unsupported, format!("the server's URL is not accepted: {why}"), hint)
    }
}

impl From<MetadataError> for Fault {
    fn from(why: MetadataError) -> Self {
        match why {
            MetadataError::Http(why) => why.into(),
            MetadataError::NotPublished => Self::new(
                FaultCode::Unsupported,
                why,
                "check the URL: it is the issuer, as the provider's documentation names it",
            ),
            MetadataError::OtherIssuer => Self::new(
                FaultCode::Malformed,
                why,
                "give the issuer exactly as the provider writes it; even a slash at the end counts",
            ),
            other => {
                Self::new(FaultCode::Malformed, other, "tell the provider; nothing was sent to the server")
            }
        }
    }
}

impl From<ResourceError> for Fault {
    fn from(why: ResourceError) -> Self {
        match why {
            ResourceError::Http(why) => why.into(),
            ResourceError::NotPublished => Self::new(
                FaultCode::Unsupported,
                "the service does not say which server gives its tokens",
                "name the authorization server with --issuer URL",
            ),
            other => {
                Self::new(FaultCode::Malformed, other, "name the authorization server with --issuer URL")
            }
        }
    }
}

impl From<ListenError> for Fault {
    fn from(why: ListenError) -> Self {
        let hint = match why {
            ListenError::Path => "a redirect URI looks like http://127.0.0.1:PORT/callback",
            _ => "stop the program that has the port, or register another redirect URI",
        };
        Self::new(FaultCode::PortInUse, why, hint)
    }
}

impl From<ClientError> for Fault {
    fn from(why: ClientError) -> Self {
        Self::new(
            FaultCode::ClientRefused,
            why,
            "copy client id and secret from the provider's page once more",
        )
    }
}

impl From<RegisterError> for Fault {
    fn from(why: RegisterError) -> Self {
        let by_hand = "register an app on the provider's page and give its client id (--client-id)";
        match why {
            RegisterError::Http(why) => why.into(),
            RegisterError::NotOffered | RegisterError::Refused { .. } | RegisterError::Status(_) => {
                Self::new(FaultCode::NeedsClientId, why, by_hand)
            }
            other => Self::new(FaultCode::Malformed, other, by_hand),
        }
    }
}

impl From<AskError> for Fault {
    fn from(why: AskError) -> Self {
        match why {
            AskError::Push(why) => why.into(),
            AskError::NoPkce => Self::new(
                FaultCode::Unsupported,
                why,
                "without it a stolen answer could be used by others, so Claviger does not go on; use an API key instead",
            ),
            AskError::NotOffered => Self::new(FaultCode::Unsupported, why, "try another --flow"),
            AskError::OtherIssuer => {
                Self::new(FaultCode::ClientRefused, why, "disconnect it and connect anew")
            }
            other => Self::new(FaultCode::Other, other, "check the scopes"),
        }
    }
}

impl From<TokenError> for Fault {
    fn from(why: TokenError) -> Self {
        match why {
            TokenError::Http(why) => why.into(),
            TokenError::Refused { ref code, .. } => by_code(code.clone(), why),
            TokenError::Status { .. } => Self::new(FaultCode::Unreachable, why, TRY_AGAIN),
            other => Self::new(FaultCode::Malformed, other, "nothing was stored; tell the provider"),
        }
    }
}

impl From<FlowError> for Fault {
    fn from(why: FlowError) -> Self {
        match why {
            FlowError::Cancelled | FlowError::TimedOut => Self::new(
                FaultCode::TimedOut,
                "nobody consented in time",
                "start again when you are at the browser",
            ),
            FlowError::Ask(why) => why.into(),
            FlowError::Token(why) => why.into(),
            FlowError::Answer(AnswerError::Refused { ref code, .. }) => by_code(code.clone(), why),
            other => Self::new(
                FaultCode::Malformed,
                other,
                "nothing was stored; start again, and be wary of who sent you to that page",
            ),
        }
    }
}

impl From<EngineError> for Fault {
    fn from(why: EngineError) -> Self {
        let hint = match why {
            EngineError::Exists { .. } => "choose another name; the tokens were given back",
            EngineError::Locked => "unlock the vault and connect again; the tokens were given back",
            _ => "see what the vault says, then connect again; the tokens were given back",
        };
        Self::new(FaultCode::NotStored, format!("the connection could not be stored: {why}"), hint)
    }
}

fn by_code(code: ErrorCode, why: impl ToString) -> Fault {
    let (fault, hint) = match code {
        ErrorCode::AccessDenied | ErrorCode::ConsentRequired | ErrorCode::LoginRequired => {
            (FaultCode::Denied, "nothing was stored; start again if that was a mistake")
        }
        ErrorCode::ExpiredToken => (FaultCode::TimedOut, "start again and type the new code sooner"),
        ErrorCode::InvalidClient
        | ErrorCode::UnauthorizedClient
        | ErrorCode::InvalidRequest
        | ErrorCode::UnsupportedGrantType
        | ErrorCode::UnsupportedResponseType => (
            FaultCode::ClientRefused,
            "check client id, secret, redirect URI and flow against the app's page at the provider",
        ),
        ErrorCode::InvalidScope | ErrorCode::InvalidTarget => {
            (FaultCode::ClientRefused, "ask for scopes that the provider knows for this app")
        }
        ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable | ErrorCode::SlowDown => {
            (FaultCode::Unreachable, "the server has trouble; try again later")
        }
        _ => (FaultCode::Other, TRY_AGAIN),
    };
    Fault::new(fault, why, hint)
}
