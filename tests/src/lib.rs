//! The product tested from outside, with real parts.
