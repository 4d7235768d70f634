//! The TypeScript types of the views are derived from the Rust ones, committed, and held to them.
//!
//! `UPDATE_BINDINGS=1 cargo test -p kiosk --test bindings` writes the file anew.

use kiosk::view::{BackendView, FileView, Problem, SavedFileView, Screen, Snapshot};
use std::path::Path;
use ts_rs::{Config, TS};

fn declarations() -> String {
    let config = Config::default();
    let declarations = [
        Snapshot::decl(&config),
        BackendView::decl(&config),
        Screen::decl(&config),
        FileView::decl(&config),
        SavedFileView::decl(&config),
        Problem::decl(&config),
    ];
    let mut text = String::from(
        "// Derived from crates/kiosk/src/view.rs; do not edit.\n\
         // UPDATE_BINDINGS=1 cargo test -p kiosk --test bindings\n",
    );
    for declaration in declarations {
        text.push_str("\nexport ");
        text.push_str(&declaration);
        text.push('\n');
    }
    text
}

#[test]
fn the_committed_types_are_those_of_the_views() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/generated/view.ts");
    let expected = declarations();
    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        std::fs::write(&path, &expected).expect("the generated file is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("ui/src/generated/view.ts is committed");
    assert!(
        committed == expected,
        "ui/src/generated/view.ts has drifted; run `UPDATE_BINDINGS=1 cargo test -p kiosk --test bindings`"
    );
}
