//! From where an address can be reached: what notifications may be sent to, and what is never a receiver.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// From where an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// From everywhere.
    Global,
    /// From this machine or network only: an operator may have receivers there.
    Private,
    /// No receiver: metadata services, link-local, multicast, reserved and documentation addresses.
    Never,
}

const PRIVATE_V4: [Ipv4Net; 5] = [
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
];

/// IANA's special-purpose registry, and services of clouds that stand on ordinary addresses.
const NEVER_V4: [Ipv4Net; 12] = [
    v4(0, 0, 0, 0, 8),
    v4(100, 100, 100, 200, 32),
    v4(168, 63, 129, 16, 32),
    v4(169, 254, 0, 0, 16),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// The only part of IPv6 that is routed everywhere.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Within the global part: protocol assignments (Teredo among them), documentation, 6to4.
const NEVER_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

const UNIQUE_LOCAL: Ipv6Net = v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7);

/// Within the unique local ones: metadata and credentials of AWS, metadata of Google.
const METADATA_V6: [Ipv6Net; 2] =
    [v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32), v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128)];

/// Carries an IPv4 address in its last 32 bits, which a translator takes out again.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), prefix)
}

/// From where `address` can be reached.
pub(super) fn reach(address: IpAddr) -> Reach {
    match plain(address) {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

/// The IPv4 address where one is written as IPv6.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., high, low] = address.segments();
            IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        address => address,
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    if NEVER_V4.iter().any(|net| net.contains(&address)) {
        Reach::Never
    } else if PRIVATE_V4.iter().any(|net| net.contains(&address)) {
        Reach::Private
    } else {
        Reach::Global
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let within = |nets: &[Ipv6Net]| nets.iter().any(|net| net.contains(&address));
    if within(&METADATA_V6) || within(&NEVER_V6) {
        Reach::Never
    } else if address == Ipv6Addr::LOCALHOST || UNIQUE_LOCAL.contains(&address) {
        Reach::Private
    } else if GLOBAL_V6.contains(&address) {
        Reach::Global
    } else {
        Reach::Never
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::public(Reach::Global, &["1.1.1.1", "8.8.8.8", "52.95.110.1", "192.0.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "169.253.255.255", "169.255.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.17", "11.0.0.0", "126.255.255.255", "128.0.0.0"])]
    #[case::public_v6(Reach::Global, &["2600:1f18::1", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888", "2001:200::1", "2003::1", "3ffe::1"])]
    #[case::public_in_disguise(Reach::Global, &["::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])]
    #[case::this_machine(Reach::Private, &["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"])]
    #[case::private(Reach::Private, &["10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"])]
    #[case::private_in_disguise(Reach::Private, &["::ffff:10.0.0.1", "::ffff:c0a8:1", "64:ff9b::10.0.0.1", "64:ff9b::ac10:1"])]
    #[case::behind_a_carrier(Reach::Private, &["100.64.0.0", "100.127.255.255", "::ffff:100.64.0.1"])]
    #[case::unique_local(Reach::Private, &["fc00::1", "fd12:3456:789a::1", "fdff:ffff::1", "fd20:ce::253"])]
    #[case::metadata(Reach::Never, &["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"])]
    #[case::metadata_in_disguise(Reach::Never, &["::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe"])]
    #[case::link_local(Reach::Never, &["169.254.0.0", "169.254.255.255", "fe80::1", "febf::1", "fec0::1"])]
    #[case::this_network(Reach::Never, &["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "64:ff9b::"])]
    #[case::assigned_to_protocols(Reach::Never, &["192.0.0.0", "192.0.0.9", "192.0.0.255", "192.88.99.1", "2001:1::1", "2001:2::1", "2001:20::1", "2001:1ff:ffff::1"])]
    #[case::benchmarks_and_documentation(Reach::Never, &["198.18.0.0", "198.19.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "3fff::1", "3fff:fff::1"])]
    #[case::multicast_and_broadcast(Reach::Never, &["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "ff0e::1", "::ffff:224.0.0.1"])]
    #[case::reserved(Reach::Never, &["240.0.0.0", "254.255.255.255", "100::1", "5f00::1", "4000::1", "8000::1", "::2"])]
    #[case::ipv4_compatible(Reach::Never, &["::127.0.0.1", "::10.0.0.1", "::169.254.169.254", "::8.8.8.8"])]
    #[case::translated_locally(Reach::Never, &["64:ff9b:1::10.0.0.1", "::ffff:0:10.0.0.1"])]
    #[case::six_to_four(Reach::Never, &["2002:7f00:1::1", "2002:a9fe:a9fe::1", "2002:808:808::1"])]
    #[case::teredo(Reach::Never, &["2001:0:7f00:1::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"])]
    fn every_address_has_its_reach(#[case] expected: Reach, #[case] addresses: &[&str]) {
        for address in addresses {
            assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
        }
    }
}
