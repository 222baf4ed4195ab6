//! Addresses of clients.

use std::net::{IpAddr, Ipv6Addr};

/// The address of a client, in the extensions of requests that are limited for each address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) struct ClientAddress(pub(in crate::server) IpAddr);

/// The key under which an address is counted: a host may use a whole IPv6 /64.
pub(in crate::server) fn address_group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_are_counted_by_their_64_bit_prefix() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:0:0:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let [one, other] = [one, other].map(|address| address_group(address.parse().unwrap()));
            assert_eq!(one == other, same, "{one} {other}");
        }
    }
}
