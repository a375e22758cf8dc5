//! Which header fields go no further, on requests and on answers.
//!
//! Must not know credentials: the slots of tokens are emptied in `authenticate`.

use http::header::{CONNECTION, CONTENT_LOCATION, HeaderMap, HeaderName, HeaderValue, LOCATION};

/// Takes off a request what is meant for this hop alone or would steer the upstream past the policy.
pub(crate) fn request(headers: &mut HeaderMap) {
    strip(headers, |name| {
        is_hop_by_hop(name)
            || match name {
                "expect"
                | "forwarded"
                | "via"
                | "http2-settings"
                | "x-http-method-override"
                | "x-http-method"
                | "x-method-override"
                | "x-original-url"
                | "x-rewrite-url"
                | "x-original-host"
                | "x-host"
                | "x-real-ip"
                | "x-client-ip"
                | "true-client-ip"
                | "x-claviger-error"
                | "sec-fetch-site"
                | "access-control-request-private-network" => true,
                _ => {
                    name.starts_with("x-forwarded") || name.starts_with("proxy-") || {
                        // Some servers read `_` as `-`.
                        name.contains('_') && reads_as_override(name)
                    }
                }
            }
    });
}

/// Takes off an answer what is meant for this hop alone or would reach beyond this service: cookies, transport policy
/// and cross-origin rules belong to a host, and here all services share one.
pub(crate) fn answer(headers: &mut HeaderMap) {
    strip(headers, |name| {
        is_hop_by_hop(name)
            || matches!(
                name,
                "alt-svc"
                    | "strict-transport-security"
                    | "set-cookie"
                    | "set-cookie2"
                    | "clear-site-data"
                    | "public-key-pins"
                    | "expect-ct"
                    | "nel"
                    | "report-to"
                    | "reporting-endpoints"
                    | "service-worker-allowed"
                    | "x-claviger-error"
            )
            || name.starts_with("access-control-")
            || name.starts_with("proxy-")
    });
}

/// Takes a query parameter out of the addresses that an answer names: a redirect may repeat the credential in it.
pub(crate) fn parameter(headers: &mut HeaderMap, name: &str) {
    for field in [LOCATION, CONTENT_LOCATION] {
        let Some(value) = headers.get(&field) else { continue };
        let Ok(url) = value.to_str() else {
            headers.remove(&field);
            continue;
        };
        let (rest, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
        let Some((path, query)) = rest.split_once('?') else { continue };
        let mut cleaned = String::with_capacity(url.len());
        cleaned.push_str(path);
        crate::path::push_query_without(&mut cleaned, query, &[name]);
        cleaned.push_str(fragment);
        if let Ok(value) = HeaderValue::from_str(&cleaned) {
            headers.insert(field, value);
        }
    }
}

fn strip(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    // Fields that Connection names are meant for this hop (RFC 9110 §7.6.1).
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.eq_ignore_ascii_case(b"keep-alive") && !name.eq_ignore_ascii_case(b"close"))
        // The length and type of a body are no hop's own business, whatever Connection says.
        .filter(|name| {
            !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"content-type")
        })
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect();
    for name in &named {
        headers.remove(name);
    }
    let going: Vec<HeaderName> = headers.keys().filter(|name| goes(name.as_str())).cloned().collect();
    for name in &going {
        headers.remove(name);
    }
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn reads_as_override(name: &str) -> bool {
    let name = name.replace('_', "-");
    name.starts_with("x-forwarded")
        || matches!(
            name.as_str(),
            "x-http-method-override"
                | "x-http-method"
                | "x-method-override"
                | "x-original-url"
                | "x-rewrite-url"
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn left_of(names: &[(&str, &str)], strip: fn(&mut HeaderMap)) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in names {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        strip(&mut headers);
        headers.keys().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn a_request_loses_what_is_for_this_hop_or_would_steer_the_upstream() {
        let all = [
            ("connection", "keep-alive, x-secret-hop"),
            ("x-secret-hop", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("upgrade", "h2c"),
            ("http2-settings", "x"),
            ("proxy-connection", "x"),
            ("proxy-foo", "x"),
            ("expect", "100-continue"),
            ("via", "x"),
            ("forwarded", "x"),
            ("x-forwarded-for", "x"),
            ("x-forwarded-host", "x"),
            ("x-real-ip", "x"),
            ("x-http-method-override", "DELETE"),
            ("x_http_method_override", "DELETE"),
            ("x_forwarded_host", "x"),
            ("x-original-url", "x"),
            ("x-rewrite-url", "x"),
            ("transfer-encoding", "chunked"),
            ("x-custom", "stays"),
            ("user-agent", "stays"),
        ];
        let mut left = left_of(&all, request);
        left.sort();
        assert_eq!(left, ["user-agent", "x-custom"], "what is left");
    }

    #[test]
    fn naming_the_length_in_connection_does_not_remove_it() {
        let left = left_of(&[("connection", "Content-Length, close"), ("content-length", "3")], request);
        assert_eq!(left, ["content-length"], "the length stays");
    }

    #[test]
    fn an_answer_cannot_reach_beyond_its_service() {
        let all = [
            ("set-cookie", "a=b"),
            ("strict-transport-security", "x"),
            ("alt-svc", "x"),
            ("access-control-allow-origin", "*"),
            ("access-control-allow-private-network", "true"),
            ("clear-site-data", "x"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("x-claviger-error", "policy_denied"),
            ("content-type", "stays"),
        ];
        assert_eq!(left_of(&all, answer), ["content-type"], "what is left");
    }
}
