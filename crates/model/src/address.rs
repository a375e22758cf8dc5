//! Decides which addresses are dialled, by the proxy and by the OAuth client alike. What counts is the address that the
//! connection is made to, not the name or the spelling that led there.
//!
//! Must not know services or HTTP. Anything not known to be an ordinary public address is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// On the public internet.
    Public,
    /// This machine, a local network or a private overlay: only for services marked so.
    Private,
    /// Never dialled, with the reason.
    Never(&'static str),
}

/// Cloud metadata services hand credentials to whoever can reach them.
const METADATA_V4: [Ipv4Addr; 5] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);

/// Says what kind of address this is.
pub fn kind(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => kind_v6(v6),
    }
}

fn kind_v4(address: Ipv4Addr) -> AddressKind {
    if METADATA_V4.contains(&address) {
        return AddressKind::Never("a cloud's metadata service");
    }
    match address.octets() {
        [0, ..] => AddressKind::Never("the unspecified network 0.0.0.0/8"),
        [169, 254, ..] => AddressKind::Never("a link-local address"),
        [192, 0, 0, _] => AddressKind::Never("an address reserved for protocols"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            AddressKind::Never("an address for documentation")
        }
        [192, 88, 99, _] => AddressKind::Never("a 6to4 relay"),
        [224..=239, ..] => AddressKind::Never("a multicast address"),
        [240..=255, ..] => AddressKind::Never("a reserved address"),
        [127, ..]
        | [10, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [100, 64..=127, ..]
        | [198, 18..=19, ..] => AddressKind::Private,
        _ => AddressKind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> AddressKind {
    if address == METADATA_V6 {
        return AddressKind::Never("a cloud's metadata service");
    }
    let s = address.segments();
    let v4_in = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressKind::Never("the unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressKind::Private,
        // An IPv4 address in IPv6 clothes is what it is underneath.
        [0, 0, 0, 0, 0, 0xffff, high, low] => kind_v4(v4_in(high, low)),
        [0, 0, 0, 0, 0, 0, ..] => AddressKind::Never("an IPv4-compatible address"),
        // NAT64 reaches public hosts from IPv6-only networks, and must reach nothing else.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => match kind_v4(v4_in(high, low)) {
            AddressKind::Public => AddressKind::Public,
            _ => AddressKind::Never("a translated address that is not public"),
        },
        [0x64, 0xff9b, ..] => AddressKind::Never("a locally translated address"),
        [0x2002, ..] => AddressKind::Never("a 6to4 address"),
        [0x2001, 0, ..] => AddressKind::Never("a Teredo address"),
        [0x2001, 0x2, 0, ..] => AddressKind::Never("an address for benchmarks"),
        [0x2001, 0x10..=0x3f, ..] => AddressKind::Never("an ORCHID address"),
        [0x2001, 0..=0x1ff, ..] => AddressKind::Never("an address reserved for protocols"),
        [0x2001, 0xdb8, ..] | [0x3fff, ..] => AddressKind::Never("an address for documentation"),
        [0xfe80..=0xfebf, ..] => AddressKind::Never("a link-local address"),
        [0xfec0..=0xfeff, ..] => AddressKind::Never("a site-local address"),
        // A cloud's local services; some of them hand out credentials too.
        [0xfd00, 0x0ec2, ..] => AddressKind::Never("a cloud's metadata service"),
        [0xfc00..=0xfdff, ..] => AddressKind::Private,
        [0xff00..=0xffff, ..] => AddressKind::Never("a multicast address"),
        [0x2000..=0x3fff, _, _, _, 0x0000 | 0x0200, 0x5efe, ..] => AddressKind::Never("an ISATAP address"),
        [0x2000..=0x3fff, ..] => AddressKind::Public,
        _ => AddressKind::Never("an address that is not global unicast"),
    }
}

/// Whether this address may be dialled; the error is a phrase for the record.
pub fn admit(address: IpAddr, allow_private: bool, is_tls: bool) -> Result<(), &'static str> {
    match kind(address) {
        AddressKind::Never(what) => Err(what),
        AddressKind::Private if !allow_private => {
            Err("a private address, and the service is not marked private")
        }
        AddressKind::Private => Ok(()),
        AddressKind::Public if !is_tls => Err("a public address without TLS"),
        AddressKind::Public => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn no_address_of_the_forbidden_ranges_is_admitted_in_any_clothes() {
        let edges_v4: [(&str, &str); 18] = [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
            ("169.254.169.254", "169.254.170.2"),
            ("100.100.100.200", "168.63.129.16"),
            ("192.0.0.192", "192.0.0.170"),
        ];
        let mut tried = 0;
        for (first, last) in edges_v4 {
            for text in [first, last] {
                let v4: Ipv4Addr = text.parse().unwrap();
                let [a, b, c, d] = v4.octets();
                let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                let clothes = [
                    IpAddr::V4(v4),
                    IpAddr::V6(v4.to_ipv6_mapped()),
                    IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low)),
                    IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low)),
                    IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low)),
                    IpAddr::V6(Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1)),
                    IpAddr::V6(Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !high, !low)),
                    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0x5efe, high, low)),
                ];
                for address in clothes {
                    assert!(admit(address, false, true).is_err(), "{address} ({text}) was admitted");
                    tried += 1;
                }
            }
        }
        assert!(tried >= 280, "only {tried} spellings tried");
        for text in [
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fdff::1",
            "ff02::1",
            "100::1",
            "4000::1",
            "2001:db8::1",
            "3fff::1",
            "2001:10::1",
            "2001:2::1",
            "2001:3::1",
            "2001:1ff::1",
            "5f00::1",
            "::ffff:0:7f00:1",
        ] {
            assert!(admit(text.parse().unwrap(), false, true).is_err(), "{text} was admitted");
        }
    }

    #[test]
    fn metadata_services_are_never_dialled_even_by_private_services() {
        for text in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd00:ec2::1",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "0.0.0.0",
            "::",
            "224.0.0.1",
        ] {
            assert!(admit(text.parse().unwrap(), true, true).is_err(), "{text} was admitted");
        }
    }

    #[test]
    fn private_addresses_need_the_mark_and_public_ones_need_tls() {
        for text in ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.31.0.1", "100.64.0.1", "::1", "fd12::1"] {
            assert!(admit(text.parse().unwrap(), true, false).is_ok(), "{text} with the mark");
            assert!(admit(text.parse().unwrap(), false, true).is_err(), "{text} without the mark");
        }
        for text in ["1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "172.32.0.1", "100.128.0.1"] {
            assert!(admit(text.parse().unwrap(), false, true).is_ok(), "{text} with TLS");
            assert!(admit(text.parse().unwrap(), true, false).is_err(), "{text} without TLS");
        }
    }
}
