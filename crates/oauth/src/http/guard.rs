//! Which network addresses may be dialled. The check stands on the dialled address itself, so no name, redirect or
//! rebinding gets around it.
//!
//! Must not know names or URLs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Reach;

/// Whether this address may be dialled.
pub(crate) fn may_dial(ip: IpAddr, reach: Reach) -> bool {
    match (ip, reach) {
        (IpAddr::V4(ip), Reach::Public) => is_public_v4(ip),
        (IpAddr::V6(ip), Reach::Public) => is_public_v6(ip),
        (_, Reach::Private) => !is_never_a_server(ip),
    }
}

/// Loopback, or an address of a private network.
pub(crate) fn is_private(ip: IpAddr) -> bool {
    match unmapped(ip) {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || (ip.segments()[0] & 0xfe00) == 0xfc00,
    }
}

/// Addresses that are no server even in a private network: clouds' metadata, link-local, multicast, unspecified.
fn is_never_a_server(ip: IpAddr) -> bool {
    match unmapped(ip) {
        IpAddr::V4(ip) => {
            let [a, ..] = ip.octets();
            ip.is_link_local() || a == 0 || a >= 224 || ip == Ipv4Addr::new(100, 100, 100, 200)
        }
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            ip.is_unspecified()
                || ip.is_multicast()
                || (a & 0xffc0) == 0xfe80
                || (a == 0xfd00 && b == 0x0ec2)
                || embedded(ip).is_some_and(|v4| is_never_a_server(v4.into()))
        }
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224.., ..)
    )
}

/// Only 2000::/3 is routed globally, and of that not what embeds or documents other addresses.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let is_global = (0x2000..=0x3fff).contains(&a);
    let is_special =
        (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    is_global && !is_special
}

/// `::ffff:a.b.c.d` as `a.b.c.d`.
fn unmapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// The IPv4 address inside a NAT64 or 6to4 address.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let o = ip.octets();
    let s = ip.segments();
    if s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return Some(Ipv4Addr::new(o[12], o[13], o[14], o[15]));
    }
    (s[0] == 0x2002).then(|| Ipv4Addr::new(o[2], o[3], o[4], o[5]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o66_public_servers_are_reached_and_nothing_else() {
        let cases = [
            ("1.1.1.1", true),
            ("140.82.121.6", true),
            ("172.32.0.1", true),
            ("100.128.0.1", true),
            ("2606:4700::1111", true),
            ("2a00:1450:4001::1", true),
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
            assert_eq!(may_dial(ip, Reach::Public), expected, "{text}");
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
            assert!(!may_dial(text.parse().unwrap(), Reach::Private), "{text} may be dialled");
        }
        for text in ["127.0.0.1", "::1", "10.0.0.5", "fd12::1", "1.1.1.1"] {
            assert!(may_dial(text.parse().unwrap(), Reach::Private), "{text} may not be dialled");
        }
    }
}
