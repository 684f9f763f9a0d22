#![allow(clippy::disallowed_types)] // IO: a lock around the counts, which connections give back as they end.
//! Who may open a connection: so many in all, so many per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

/// The counts. Cheap to clone; clones are one.
#[derive(Debug, Clone)]
pub struct Admission {
    most: usize,
    most_per_address: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place; it is given back when this is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Admission,
    address: IpAddr,
}

/// Why a connection has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many connections are open as may be: ours to provide for.
    #[error("as many connections are open as may be")]
    Full,
    /// This address has as many as it may: the peer's doing, or a large network behind one address.
    #[error("the address has as many connections as it may")]
    Address,
}

impl Admission {
    /// None is open.
    pub fn new(most: usize, most_per_address: usize) -> Self {
        Self { most, most_per_address, counts: Arc::default() }
    }

    /// A place for a connection from `address`.
    pub fn admit(&self, address: IpAddr) -> Result<Place, Refused> {
        let address = network(address);
        let mut counts = self.counts();
        if counts.all >= self.most {
            return Err(Refused::Full);
        }
        let of_address = counts.by_address.entry(address).or_default();
        if *of_address >= self.most_per_address {
            return Err(Refused::Address);
        }
        *of_address += 1;
        counts.all += 1;
        Ok(Place { admission: self.clone(), address })
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.counts().all
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().expect("nothing panics while it holds the counts")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        counts.all -= 1;
        if let Some(of_address) = counts.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// A subscriber has a whole IPv6 /64 (RFC 6177): its addresses count as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_per_network_and_given_back() {
        let admission = Admission::new(4, 2);
        let admit = |text: &str| admission.admit(text.parse().expect("an address"));
        let first = admit("192.0.2.1").expect("the first");
        let _mapped = admit("::ffff:192.0.2.1").expect("the second of the same address");
        assert_eq!(admit("192.0.2.1").err(), Some(Refused::Address));
        let _v6 = admit("2001:db8::1").expect("another network");
        let _v6_again = admit("2001:db8::2").expect("the same /64");
        assert_eq!(admit("2001:db8:0:1::1").err(), Some(Refused::Full));
        drop(first);
        assert_eq!(admission.count(), 3);
        assert_eq!(admit("2001:db8::3").err(), Some(Refused::Address));
        assert!(admit("192.0.2.1").is_ok());
    }
}
