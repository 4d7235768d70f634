//! The product tested from outside, with real parts: what its tests share.

#[cfg(all(feature = "window", target_os = "linux"))]
pub mod window;
