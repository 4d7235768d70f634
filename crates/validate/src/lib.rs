//! Integration checks and their reports
