//! A record's bytes inside its seal. Must not know sealing or the chain.

use claviger_model::{EventId, Record};

use crate::error::AppendError;

const VERSION: u8 = 1;
const PAD_TO: usize = 32;
/// A body may be this long; with padding and seal it stays below the frame's bound.
pub(crate) const BODY_MAX: usize = 60 * 1024;

/// What kind of record a body holds, told without decoding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Release,
    Completion,
    Refusal,
    Act,
}

/// The record as a body: version byte and postcard.
pub(crate) fn encode(record: &Record) -> Result<Box<[u8]>, AppendError> {
    // Room for a usual record, so that it need not grow in steps.
    let mut body = Vec::with_capacity(256);
    body.push(VERSION);
    let body = postcard::to_extend(record, body).map_err(|_| AppendError::TooLarge)?;
    if body.len() > BODY_MAX { Err(AppendError::TooLarge) } else { Ok(body.into_boxed_slice()) }
}

/// Reads what [`encode`] wrote; nothing if the body is of another version or malformed.
pub(crate) fn decode(body: &[u8]) -> Option<Record> {
    let (&version, rest) = body.split_first()?;
    if version != VERSION {
        return None;
    }
    let (record, rest) = postcard::take_from_bytes(rest).ok()?;
    rest.is_empty().then_some(record)
}

/// The kind of record and its tracking id. All records begin with their id, after the variant's number.
pub(crate) fn peek(body: &[u8]) -> Option<(Sort, EventId)> {
    let [VERSION, variant, rest @ ..] = body else { return None };
    let sort = match variant {
        0 => Sort::Release,
        1 => Sort::Completion,
        2 => Sort::Refusal,
        3 => Sort::Act,
        _ => return None,
    };
    Some((sort, EventId::from_bytes(*rest.first_chunk()?)))
}

/// The content of a frame: the body with its length, padded.
pub(crate) fn pad(body: &[u8]) -> Vec<u8> {
    let len = (2 + body.len()).next_multiple_of(PAD_TO);
    let mut content = Vec::with_capacity(len);
    content.extend_from_slice(&(body.len() as u16).to_be_bytes());
    content.extend_from_slice(body);
    content.resize(len, 0);
    content
}

/// The body out of a frame's content; nothing for any other padding than [`pad`] makes.
pub(crate) fn unpad(content: &[u8]) -> Option<&[u8]> {
    let (len, rest) = content.split_first_chunk::<2>()?;
    let (body, padding) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    let exact = content.len() == (2 + body.len()).next_multiple_of(PAD_TO);
    (exact && padding.iter().all(|b| *b == 0)).then_some(body)
}
