//! Which addresses receivers may have: no private ones, unless the configuration allows them.
//!
//! Otherwise a name that its owner points to a private address could reach services that trust the network (SSRF). The
//! connection goes to exactly the addresses that were checked, so a name that changes in between is of no use.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::vec;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// All addresses of a host are private.
#[derive(Debug)]
pub(super) struct PrivateAddress;

/// A host has no address.
#[derive(Debug)]
pub(super) struct NoAddress;

impl fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has private addresses only")
    }
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has no address")
    }
}

impl std::error::Error for PrivateAddress {}
impl std::error::Error for NoAddress {}

/// Finds the addresses of receivers.
#[derive(Clone)]
pub(super) struct Resolver {
    pub(super) allows_private: bool,
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allows_private = self.allows_private;
        async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| io::Error::other(NoAddress))?.collect();
            if found.is_empty() {
                return Err(io::Error::other(NoAddress));
            }
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|address| allows_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(io::Error::other(PrivateAddress));
            }
            Ok(allowed.into_iter())
        }
        .boxed()
    }
}

/// Whether an address is one of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The special addresses of <https://www.iana.org/assignments/iana-ipv4-special-registry>.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        // Shared by the customers of a provider (CGNAT).
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        // Formerly anycast of 6to4.
        || (a == 192 && b == 88 && c == 99)
        // For measurements.
        || (a == 198 && (18..20).contains(&b))
        // Multicast, reserved, broadcast.
        || a >= 224;
    !is_special
}

/// Global unicast addresses (2000::/3), without the special ones of
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>. Addresses that stand for IPv4 addresses are checked as
/// those, or are outside of this range (IPv4-mapped).
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        Ipv4Addr::new(a, b, c, d)
    };
    match (a, b) {
        // NAT64: the only way to an IPv4 address in some networks.
        (0x64, 0xff9b) => [c, d, e, f] == [0; 4] && is_public_v4(v4(g, h)),
        // 6to4.
        (0x2002, _) => is_public_v4(v4(b, c)),
        // Teredo, benchmarking, ORCHID and other assignments of the IETF, and documentation.
        (0x2001, 0..0x200 | 0xdb8) => false,
        (0x3fff, 0..0x1000) => false,
        _ => (0x2000..0x4000).contains(&a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "198.20.0.1",
            "223.255.255.1",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn a_name_of_a_private_address_is_refused_unless_allowed() {
        let name: Name = "localhost".parse().unwrap();
        let error = Resolver { allows_private: false }.call(name.clone()).await.unwrap_err();
        assert!(error.get_ref().unwrap().is::<PrivateAddress>());
        assert!(
            Resolver { allows_private: true }.call(name).await.unwrap().all(|found| found.ip().is_loopback())
        );
        let unknown: Name = "unknown.invalid".parse().unwrap();
        let error = Resolver { allows_private: true }.call(unknown).await.unwrap_err();
        assert!(error.get_ref().unwrap().is::<NoAddress>());
    }
}
