//! Which addresses are outside: those of the internet that are anybody's to reach. A webhook is where somebody says, and must not become
//! a way for them into the operator's own network.
//!
//! After the registries of special addresses (RFC 6890, as kept by IANA). What holds an address of IPv4 inside counts as that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is outside.
pub(super) fn is_outside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_outside_4(address),
        IpAddr::V6(address) => is_outside_6(address),
    }
}

/// All but these networks: this one, private ones, those shared by carriers, loopback, link-local, protocols, documentation, the way from
/// IPv6 that is given up, benchmarks, multicast, and what is reserved.
const NOT_OUTSIDE_4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

fn is_outside_4(address: Ipv4Addr) -> bool {
    let is_in = |(network, length): &([u8; 4], u32)| {
        let differ = u32::from(address) ^ u32::from(Ipv4Addr::from(*network));
        differ >> (32 - length) == 0
    };
    !NOT_OUTSIDE_4.iter().any(is_in)
}

fn is_outside_6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b) {
        // An address of IPv4 as one of IPv6, and behind a translator (RFC 6052).
        (0, 0) if [c, d, e, f] == [0, 0, 0, 0xffff] => is_outside_4(inner(g, h)),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => is_outside_4(inner(g, h)),
        // 6to4 (RFC 3056).
        (0x2002, _) => is_outside_4(inner(b, c)),
        // Protocols, Teredo among them; documentation.
        (0x2001, 0..=0x1ff | 0xdb8) => false,
        (0x3fff, 0..=0xfff) => false,
        // All that is given to anybody so far.
        _ => (0x2000..=0x3fff).contains(&a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_a_network_of_ones_own_is_not_outside() {
        for inside in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:c0a8:1::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_outside(inside.parse().expect(inside)), "{inside}");
        }
        for outside in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2001:200::1",
            "2002:101:101::1",
            "2a00::1",
            "2606:4700::1111",
        ] {
            assert!(is_outside(outside.parse().expect(outside)), "{outside}");
        }
    }
}
