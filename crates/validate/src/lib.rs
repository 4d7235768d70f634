//! Integration checks and their reports: empty so far; only its place in the layering is fixed.
