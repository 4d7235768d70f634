//! `copresence`: the whole product without a window.
fn main() {}
