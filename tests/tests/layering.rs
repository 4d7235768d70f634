//! Who may know whom: the arrows of the architecture, held over what cargo sees.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};

/// Each member of the workspace, and the members that it may know.
const ARROWS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("visit", &["protocol"]),
    ("vault", &["protocol"]),
    ("store", &["protocol"]),
    ("client", &["protocol"]),
    // The other side, an independent witness: never client or visit.
    ("avatar", &[]),
    ("sandbox", &["avatar", "protocol"]),
    ("kiosk", &["visit", "client", "store", "vault", "protocol"]),
    // Never the application: it judges backends by the wire alone.
    ("validate", &["client", "protocol"]),
    ("cli", &["kiosk", "sandbox", "validate"]),
    ("copresence-kiosk", &["kiosk", "sandbox", "validate"]),
    // From outside, with real parts: what is tested is run, or reached over the network.
    ("product-tests", &["sandbox", "test-port"]),
    ("xtask", &[]),
    ("test-port", &[]),
];

/// Libraries that only these members may name: what they do is then done in one place.
const KEEPERS: &[(&str, &[&str])] = &[
    ("keyring", &["vault"]),
    ("secret-service", &["vault"]),
    ("zbus", &["vault"]),
    // The matrices read the journal as a stranger would, from a copy.
    ("rusqlite", &["store", "product-tests"]),
    ("cap-std", &["store"]),
    ("tauri", &["copresence-kiosk"]),
    ("qrcode", &["kiosk", "sandbox"]),
];

/// Libraries that would break what a member promises, dependencies of its dependencies included.
const NEVER: &[(&str, &[&str])] = &[
    // No I/O.
    ("protocol", &["tokio", "reqwest", "axum", "rusqlite"]),
    // No clock, no HTTP, no disk, no tokio.
    ("visit", &["tokio", "reqwest", "rusqlite", "jiff"]),
    // Needs no display, and does not link WebKit.
    ("cli", &["tauri", "wry", "gtk", "webkit2gtk"]),
];

#[test]
fn every_member_knows_only_whom_it_may() {
    let workspace = workspace();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let members: BTreeSet<String> =
        workspace.workspace_packages().iter().map(|p| p.name.to_string()).collect();
    let drawn: BTreeSet<String> = arrows.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(members, drawn, "a member without arrows, or arrows without a member");

    let mut wrong = Vec::new();
    for package in workspace.workspace_packages() {
        for name in direct(package, &[DependencyKind::Normal, DependencyKind::Build]) {
            if members.contains(&name) && !arrows[package.name.as_str()].contains(&name.as_str()) {
                wrong.push(format!("{} → {name}", package.name));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "arrows that the architecture does not draw");
}

#[test]
fn the_other_side_is_a_stranger_in_tests_too() {
    // A client tested by the sandbox is the point; a sandbox that knew the client would agree with its mistakes.
    let workspace = workspace();
    let sandbox = package(&workspace, "sandbox");
    let known =
        direct(sandbox, &[DependencyKind::Normal, DependencyKind::Build, DependencyKind::Development]);
    for stranger in ["client", "visit", "kiosk"] {
        assert!(!known.contains(stranger), "sandbox → {stranger}");
    }
}

#[test]
fn what_is_done_in_one_place_is_named_in_one_place() {
    let workspace = workspace();
    let mut wrong = Vec::new();
    for (library, keepers) in KEEPERS {
        for member in workspace.workspace_packages() {
            let names = direct(member, &[DependencyKind::Normal]);
            if names.contains(*library) && !keepers.contains(&member.name.as_str()) {
                wrong.push(format!("{} → {library}", member.name));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn promises_hold_all_the_way_down() {
    let workspace = workspace();
    let mut wrong = Vec::new();
    for (member, libraries) in NEVER {
        let reached = reached(&workspace, member);
        assert!(reached.contains("serde"), "{member} reaches nothing: is the graph there?");
        wrong.extend(libraries.iter().filter(|l| reached.contains(**l)).map(|l| format!("{member} ⇢ {l}")));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_ends_the_program_on_purpose_is_in_no_build_but_those_of_tests() {
    const SEAM: &str = "crash-points";
    let workspace = workspace();
    let members: Vec<&Package> = workspace.workspace_packages();
    assert!(members.iter().any(|member| member.features.contains_key(SEAM)), "the seam has another name");
    for member in members {
        for (feature, turns_on) in &member.features {
            let through = turns_on.iter().any(|other| other.ends_with(SEAM));
            assert!(!through || feature == SEAM, "{}: `{feature}` turns it on", member.name);
        }
        for dependency in &member.dependencies {
            assert!(!dependency.features.iter().any(|feature| feature == SEAM), "{}", member.name);
        }
    }
}

fn workspace() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        // What is locked is what is built; and a test needs no network.
        .other_options(vec!["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .expect("cargo metadata")
}

fn package<'a>(workspace: &'a Metadata, name: &str) -> &'a Package {
    workspace.workspace_packages().into_iter().find(|p| p.name.as_str() == name).expect("a member")
}

fn direct(package: &Package, kinds: &[DependencyKind]) -> BTreeSet<String> {
    package.dependencies.iter().filter(|d| kinds.contains(&d.kind)).map(|d| d.name.clone()).collect()
}

/// Everything that ends up in the member, on any system.
fn reached(workspace: &Metadata, member: &str) -> BTreeSet<String> {
    let resolve = workspace.resolve.as_ref().expect("a resolved graph");
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut reached = BTreeSet::new();
    let mut open = vec![&package(workspace, member).id];
    while let Some(id) = open.pop() {
        for dep in &nodes[id].deps {
            let normal = dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if normal && reached.insert(&dep.pkg) {
                open.push(&dep.pkg);
            }
        }
    }
    reached.into_iter().map(|id| workspace[id].name.to_string()).collect()
}
