//! How often one address may ask: strangers on a network share the sandbox with a booth.
//!
//! A bucket for each address: it fills at the rate, holds four seconds' worth, and each request takes one from it.
//! Loopback is this machine itself and asks as often as it likes. An IPv6 network of one household counts as one.

use super::error::{NO_SUCH_COMMAND, Refused};
use super::logged::peer;
use crate::sandbox::Sandbox;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most addresses remembered; beyond it those whose bucket is full again are forgotten, and then all.
const MAX_ADDRESSES: usize = 10_000;

/// How many seconds' worth a bucket holds.
const BURST: f64 = 4.0;

/// The buckets.
#[derive(Debug)]
pub(crate) struct Limit {
    rate: Option<NonZeroU32>,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    holds: f64,
    at: Instant,
}

pub(super) async fn limit(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let waits = peer(&request).and_then(|peer| sandbox.limit().take(peer, Instant::now()).err());
    let Some(wait) = waits else { return next.run(request).await };
    let error = "too many requests from this address; the header Retry-After says when to ask again";
    let refused = Refused::new(StatusCode::TOO_MANY_REQUESTS, NO_SUCH_COMMAND, error);
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    let mut response = refused.into_response();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
    response.headers_mut().insert(header::RETRY_AFTER, (seconds as u64).into());
    response
}

impl Limit {
    /// So many requests a second and address; `None` sets no limit.
    pub(crate) fn new(rate: Option<NonZeroU32>) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes one request of an address; an error says how long until there is room for one.
    fn take(&self, peer: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(rate) = self.rate.map(|rate| f64::from(rate.get())) else { return Ok(()) };
        if peer.is_loopback() {
            return Ok(());
        }
        let full = rate * BURST;
        let filled = |bucket: &Bucket| {
            (bucket.holds + now.saturating_duration_since(bucket.at).as_secs_f64() * rate).min(full)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_ADDRESSES {
            buckets.retain(|_, bucket| filled(bucket) < full);
            if buckets.len() >= MAX_ADDRESSES {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(network(peer)).or_insert(Bucket { holds: full, at: now });
        *bucket = Bucket { holds: filled(bucket), at: now };
        if bucket.holds < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.holds) / rate));
        }
        bucket.holds -= 1.0;
        Ok(())
    }
}

/// What one household or one attacker holds: an IPv4 address, an IPv6 network of 64 bits.
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() & !u128::from(u64::MAX)).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(rate: u32) -> Limit {
        Limit::new(NonZeroU32::new(rate))
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (limit, start) = (limit(10), Instant::now());
        let phone = IpAddr::from([192, 168, 1, 7]);
        assert!((0..40).all(|_| limit.take(phone, start).is_ok()));
        assert_eq!(limit.take(phone, start), Err(Duration::from_millis(100)));
        assert!(limit.take(IpAddr::from([192, 168, 1, 8]), start).is_ok(), "another phone");
        assert!(limit.take(phone, start + Duration::from_millis(150)).is_ok());
        assert!(limit.take(phone, start + Duration::from_millis(150)).is_err());
    }

    #[test]
    fn loopback_has_no_limit_and_none_is_none() {
        let now = Instant::now();
        let limited = limit(1);
        assert!((0..100).all(|_| limited.take(IpAddr::from([127, 0, 0, 1]), now).is_ok()));
        assert!((0..100).all(|_| limit(0).take(IpAddr::from([10, 0, 0, 1]), now).is_ok()));
    }

    #[test]
    fn neighbours_of_one_network_count_as_one_and_memory_is_bounded() {
        let (limit, now) = (limit(1), Instant::now());
        let at = |network: u32, host: u16| {
            IpAddr::from((u128::from(network) << 64 | u128::from(host)).to_be_bytes())
        };
        assert!((1..=4).all(|host| limit.take(at(1, host), now).is_ok()));
        assert!(limit.take(at(1, 5), now).is_err());
        for network in 2..30_000 {
            assert!(limit.take(at(network, 1), now).is_ok());
        }
        assert!(limit.buckets.lock().expect("lock").len() <= MAX_ADDRESSES);
    }
}
