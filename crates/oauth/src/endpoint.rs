//! URLs that a server may be reached at, and issuers. Checked once, here; everything behind takes the checked types.
//!
//! Must not know what is sent to them.

use std::net::IpAddr;

use claviger_model::address;
use url::{Host, Url};

/// The longest URL that is taken from anybody.
const LONGEST: usize = 4096;

/// At which addresses a server may live. Private is the user's explicit word about one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Public addresses, over https only.
    Public,
    /// Loopback and private addresses too, and there plain http as well.
    Private,
}

/// A URL fit to be a server's endpoint: https (or http where [`Reach::Private`] allows it), a host, no user, no fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Exactly as it was given.
    text: String,
    url: Url,
}

/// An authorization server's identifier. Two issuers are the same when their bytes are (RFC 8414 §3.3, RFC 9207 §2.4).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Issuer(String);

/// Why a text is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Longer than any real one.
    #[error("the URL is too long")]
    TooLong,
    /// Not a URL, or one that two parsers would read differently.
    #[error("not a URL")]
    NotAUrl,
    /// `javascript:`, `file:`, … or http to a server that is not marked private.
    #[error("only https URLs are allowed (http only for a service marked private)")]
    Scheme,
    /// `user@host`.
    #[error("the URL holds a user name")]
    User,
    /// `#…`.
    #[error("the URL has a fragment")]
    Fragment,
    /// An issuer with `?…`.
    #[error("an issuer has no query")]
    Query,
    /// A private, loopback or otherwise special address.
    #[error("the address is private, and the service is not marked private")]
    Address,
}

// === impl Reach ===

impl Reach {
    /// Whether a server marked so may be dialled at this address: plain http never leaves the private network.
    pub(crate) fn admits(self, ip: IpAddr, is_https: bool) -> bool {
        address::admit(ip, self == Self::Private, is_https).is_ok()
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// Checks a URL that came from anybody.
    pub fn parse(text: &str, reach: Reach) -> Result<Self, EndpointError> {
        if text.len() > LONGEST {
            return Err(EndpointError::TooLong);
        }
        // The URL parser forgives tabs, newlines, backslashes and missing slashes. Others do not, so we do not.
        let is_plain = |b: u8| {
            b.is_ascii_graphic()
                && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'`' | b'^' | b'{' | b'|' | b'}')
        };
        if !text.bytes().all(is_plain) {
            return Err(EndpointError::NotAUrl);
        }
        let after_scheme = match (text.split_once("://"), reach) {
            (Some(("https", rest)), _) | (Some(("http", rest)), Reach::Private) => rest,
            _ => return Err(EndpointError::Scheme),
        };
        if after_scheme.starts_with('/') {
            return Err(EndpointError::NotAUrl);
        }
        if text.contains('#') {
            return Err(EndpointError::Fragment);
        }
        let url = Url::parse(text).map_err(|_| EndpointError::NotAUrl)?;
        if !url.username().is_empty()
            || url.password().is_some()
            || after_scheme.split(['/', '?']).next().is_none_or(|a| a.contains('@'))
        {
            return Err(EndpointError::User);
        }
        let address = match url.host() {
            None => return Err(EndpointError::NotAUrl),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(ip)) => Some(ip.into()),
            Some(Host::Ipv6(ip)) => Some(ip.into()),
        };
        if address.is_some_and(|ip| !reach.admits(ip, true)) {
            return Err(EndpointError::Address);
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// Exactly the text that was checked.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parsed form.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Scheme, host and port, normalised.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The URL without its query, as a DPoP proof names it (RFC 9449 §4.2).
    pub(crate) fn without_query(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.into()
    }

    /// The host in URL form: brackets around an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The query may carry what a server put there; the place is enough for a log.
        write!(f, "Endpoint({}{})", self.origin(), self.url.path())
    }
}

// === impl Issuer ===

impl Issuer {
    /// Checks an issuer: an [`Endpoint`] without query.
    pub fn parse(text: &str, reach: Reach) -> Result<Self, EndpointError> {
        let endpoint = Endpoint::parse(text, reach)?;
        if endpoint.url.query().is_some() || text.contains('?') {
            return Err(EndpointError::Query);
        }
        Ok(Self(text.to_owned()))
    }

    /// Exactly as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o13_only_real_https_urls_are_endpoints() {
        let hostile = [
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "ftp://as.example/",
            "https:as.example",
            "https:///as.example/",
            "https:\\\\as.example/",
            "https://as.example/\n",
            " https://as.example/",
            "https://as.exa\tmple/",
            "https://user@as.example/",
            "https://user:pw@as.example/",
            "https://@as.example/",
            "https://as.example/#f",
            "https://",
            "http://as.example/",
            "HTTPS://as.example/",
            "https://ас.example/",
            "",
            "//as.example/",
            "https://as.example/\u{0}",
            "https://as.example:99999/",
        ];
        for text in hostile {
            assert!(Endpoint::parse(text, Reach::Public).is_err(), "{text:?} was accepted");
        }
        let long = format!("https://as.example/{}", "a".repeat(100_000));
        assert_eq!(Endpoint::parse(&long, Reach::Public), Err(EndpointError::TooLong), "100 KB of URL");
        assert!(
            Endpoint::parse("https://as.example/authorize?tenant=1", Reach::Public).is_ok(),
            "a query is allowed"
        );
    }

    #[test]
    fn o66_special_addresses_are_no_public_endpoints() {
        let hosts = [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[fe80::1]",
            "[fd00::1]",
            "[fd00:ec2::254]",
            "[2002:7f00:1::]",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
        ];
        for host in hosts {
            let text = format!("https://{host}/token");
            assert_eq!(
                Endpoint::parse(&text, Reach::Public).err(),
                Some(EndpointError::Address),
                "{text} was accepted"
            );
        }
        assert!(
            Endpoint::parse("http://127.0.0.1:9400/token", Reach::Private).is_ok(),
            "a private service may be loopback and plain"
        );
        assert!(
            Endpoint::parse("http://169.254.169.254/token", Reach::Private).is_err(),
            "the metadata address never"
        );
    }

    #[test]
    fn o20_issuers_are_compared_by_their_bytes() {
        let issuer = |text: &str| Issuer::parse(text, Reach::Public);
        let as_given = issuer("https://as.example").ok();
        for other in
            ["https://as.example/", "https://as.example:443", "https://AS.example", "https://as%2eexample"]
        {
            assert_ne!(issuer(other).ok(), as_given, "{other} counted as the same issuer");
        }
        assert_eq!(issuer("https://as.example?x"), Err(EndpointError::Query), "an issuer has no query");
        assert_eq!(issuer("HTTPS://AS.EXAMPLE"), Err(EndpointError::Scheme), "and its scheme is lower case");
    }

    #[test]
    fn o66_public_servers_are_reached_and_nothing_else() {
        let cases = [
            ("1.1.1.1", true),
            ("140.82.121.6", true),
            ("172.32.0.1", true),
            ("100.128.0.1", true),
            ("2606:4700::1111", true),
            ("2a00:1450:4001::1", true),
            ("64:ff9b::808:808", true),
            ("10.1.2.3", false),
            ("127.0.0.2", false),
            ("169.254.169.254", false),
            ("100.100.100.200", false),
            ("192.0.0.170", false),
            ("203.0.113.9", false),
            ("240.0.0.1", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::a00:1", false),
            ("64:ff9b:1::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:a00:1::", false),
            ("fc00::1", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
            ("3fff::1", false),
            ("5f00::1", false),
        ];
        for (text, expected) in cases {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(Reach::Public.admits(ip, true), expected, "{text}");
        }
    }

    #[test]
    fn o66_even_a_private_service_is_never_a_metadata_address() {
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fd00:ec2::254",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "fe80::1",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!Reach::Private.admits(text.parse().unwrap(), true), "{text} may be dialled");
        }
        for text in ["127.0.0.1", "::1", "10.0.0.5", "fd12::1", "1.1.1.1"] {
            assert!(Reach::Private.admits(text.parse().unwrap(), true), "{text} may not be dialled");
        }
    }
}
