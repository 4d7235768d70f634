//! Limits the requests of each client address, because the sandbox may be open to a network with strangers.
//!
//! The addresses of one IPv6 network count as one client.

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Maximum number of remembered addresses. Beyond it, idle addresses are forgotten, or all if none is idle.
const MAX_ADDRESSES: usize = 10_000;

/// Size of a burst, in seconds' worth of requests.
const BURST_SECONDS: u32 = 4;

type AddressLimiter<C> = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The rate limit of every client address.
pub(crate) struct ClientRateLimiter<C: Clock = MonotonicClock> {
    quota: Option<Quota>,
    clock: C,
    limiter: Mutex<Option<AddressLimiter<C>>>,
}

impl ClientRateLimiter {
    /// Allows this many requests per second and address; `None` sets no limit.
    pub(crate) fn new(requests_per_second: Option<NonZeroU32>) -> Self {
        Self::new_with_clock(requests_per_second, MonotonicClock)
    }
}

impl<C: Clock + Clone> ClientRateLimiter<C> {
    /// Creates a rate limiter that takes the time from this clock.
    fn new_with_clock(requests_per_second: Option<NonZeroU32>, clock: C) -> Self {
        let burst = |rate: NonZeroU32| rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECONDS - 1));
        let quota = requests_per_second.map(|rate| Quota::per_second(rate).allow_burst(burst(rate)));
        Self { quota, clock, limiter: Mutex::default() }
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    /// The limit is reached; the value is the time until the next request is allowed.
    pub(crate) fn count_request_against_limit(&self, address: IpAddr) -> Result<(), Duration> {
        let Some(quota) = self.quota else { return Ok(()) };
        let new_limiter = || RateLimiter::hashmap_with_clock(quota, self.clock.clone());
        let mut slot = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = slot.get_or_insert_with(new_limiter);
        if limiter.len() >= MAX_ADDRESSES {
            limiter.retain_recent();
            if limiter.len() >= MAX_ADDRESSES {
                *limiter = new_limiter();
            }
        }
        let decision = limiter.check_key(&address_range_of_client(address));
        decision.map_err(|denied| denied.wait_time_from(self.clock.now()))
    }
}

/// The addresses that count as one client: an IPv4 address, or an IPv6 network of 64 bits.
pub(crate) fn address_range_of_client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() & !u128::from(u64::MAX)).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    fn rate_limit(rate: u32) -> (ClientRateLimiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (ClientRateLimiter::new_with_clock(NonZeroU32::new(rate), clock.clone()), clock)
    }

    #[test]
    fn limit_is_reached_after_a_burst_and_recovers() {
        let (limit, clock) = rate_limit(10);
        let phone = IpAddr::from([192, 168, 1, 7]);
        assert!((0..40).all(|_| limit.count_request_against_limit(phone).is_ok()));
        assert_eq!(limit.count_request_against_limit(phone), Err(Duration::from_millis(100)));
        assert!(limit.count_request_against_limit(IpAddr::from([192, 168, 1, 8])).is_ok(), "another phone");
        clock.advance(Duration::from_millis(150));
        assert!(limit.count_request_against_limit(phone).is_ok());
        assert!(limit.count_request_against_limit(phone).is_err());
    }

    #[test]
    fn zero_sets_no_limit() {
        let (unlimited, _) = rate_limit(0);
        assert!((0..100).all(|_| unlimited.count_request_against_limit(IpAddr::from([10, 0, 0, 1])).is_ok()));
    }

    #[test]
    fn ipv6_network_counts_as_one_client_and_memory_is_bounded() {
        let (limit, _) = rate_limit(1);
        let address =
            |network: u32, host: u16| IpAddr::from((u128::from(network) << 64 | u128::from(host)).to_be_bytes());
        assert!((1..=4).all(|host| limit.count_request_against_limit(address(1, host)).is_ok()));
        assert!(limit.count_request_against_limit(address(1, 5)).is_err());
        for network in 2..30_000 {
            assert!(limit.count_request_against_limit(address(network, 1)).is_ok());
        }
        let remembered = limit.limiter.lock().expect("lock").as_ref().map_or(0, RateLimiter::len);
        assert!(remembered <= MAX_ADDRESSES);
    }
}
