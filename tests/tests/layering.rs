//! Checks the architecture: which member of the workspace depends on which, and that no modules import each other in a
//! cycle.
//!
//! Everything is read from manifests, `Cargo.lock` and sources. No test needs a registry or a downloaded package.
//!
//! Not on Windows: the sources are the same there, and Wine has no cargo.
#![cfg(not(windows))]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

// The members of the workspace. Each package name stands here once; the tables below use the constants.
const AVATAR: &str = "copresence-avatar";
const BOOTH: &str = "copresence-booth";
const CLI: &str = "copresence-cli";
const CLIENT: &str = "copresence-client";
const CREDENTIALS: &str = "copresence-credentials";
const ENGINE: &str = "copresence-engine";
const LOAD: &str = "copresence-load";
const PROTOCOL: &str = "copresence-protocol";
const SANDBOX: &str = "copresence-sandbox";
const SHELL: &str = "copresence-kiosk";
const STORE: &str = "copresence-store";
const TEST_PORT: &str = "test-port";
const TESTS: &str = "product-tests";
const VALIDATE: &str = "copresence-validate";
const VISIT: &str = "copresence-visit";
const XTASK: &str = "xtask";

/// Each member, and the members that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    (PROTOCOL, &[]),
    (VISIT, &[PROTOCOL]),
    (CREDENTIALS, &[PROTOCOL]),
    (STORE, &[PROTOCOL]),
    (CLIENT, &[PROTOCOL]),
    (AVATAR, &[]),
    // The independent other side: never the client or the visit.
    (SANDBOX, &[AVATAR, PROTOCOL]),
    (ENGINE, &[VISIT, CLIENT, STORE, CREDENTIALS, PROTOCOL]),
    // Never the application: it judges backends by the wire alone.
    (VALIDATE, &[CLIENT, PROTOCOL]),
    // The engine for what the answers mean; never its runner's journal and disk.
    (LOAD, &[ENGINE, CLIENT, VISIT, PROTOCOL]),
    (BOOTH, &[ENGINE, VISIT, CLIENT, STORE, CREDENTIALS, PROTOCOL]),
    (CLI, &[ENGINE, SANDBOX, VALIDATE, LOAD]),
    (SHELL, &[BOOTH, ENGINE, SANDBOX, VALIDATE]),
    // The product is tested from outside: programs are started, or reached over the network.
    (TESTS, &[CLIENT, ENGINE, PROTOCOL, SANDBOX, STORE, TEST_PORT, VISIT]),
    (XTASK, &[]),
    (TEST_PORT, &[]),
];

/// Members that the sandbox must not depend on, not even in its tests.
const STRANGERS_OF_THE_SANDBOX: &[&str] = &[CLIENT, VISIT, ENGINE, BOOTH];

/// Libraries that only these members may depend on directly.
const EXCLUSIVE_LIBRARIES: &[(&str, &[&str])] = &[
    ("keyring", &[CREDENTIALS]),
    ("secret-service", &[CREDENTIALS]),
    ("zbus", &[CREDENTIALS]),
    // The matrices read a copy of the journal, as a program that knows nothing of the store would.
    ("rusqlite", &[STORE, TESTS]),
    ("cap-std", &[STORE]),
    ("tauri", &[SHELL]),
    ("keepawake", &[SHELL]),
    ("prometheus", &[BOOTH]),
    ("hyper", &[BOOTH]),
    ("qrcode", &[ENGINE, SANDBOX]),
];

/// Libraries that a member must not contain, dependencies of its dependencies included.
const FORBIDDEN_LIBRARIES: &[(&str, &[&str])] = &[
    // No I/O.
    (PROTOCOL, &["tokio", "reqwest", "axum", "rusqlite"]),
    // No clock, no HTTP, no disk, no tokio.
    (VISIT, &["tokio", "reqwest", "rusqlite", "jiff"]),
    // Needs no display, does not link WebKit, and contains nothing that only the window needs.
    (CLI, &["tauri", "wry", "gtk", "webkit2gtk", "argon2", "ts-rs", "sys-locale"]),
];

#[test]
fn members_depend_only_on_allowed_members() {
    let workspace = workspace();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let members: BTreeSet<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let listed: BTreeSet<&str> = arrows.keys().copied().collect();
    assert_eq!(members, listed, "a member is missing in ARROWS, or ARROWS names no member");

    let mut forbidden = Vec::new();
    for package in &workspace.packages {
        for name in direct_dependencies(package, &[DependencyKind::Normal, DependencyKind::Build]) {
            if members.contains(name) && !arrows[package.name.as_str()].contains(&name) {
                forbidden.push(format!("{} → {name}", package.name));
            }
        }
    }
    assert_eq!(forbidden, Vec::<String>::new(), "dependencies that the architecture does not allow");
}

#[test]
fn sandbox_is_independent_of_the_client_in_tests_too() {
    // The sandbox tests the client. A sandbox that used the client would share its mistakes.
    let workspace = workspace();
    let sandbox = package(&workspace, SANDBOX);
    let kinds = [DependencyKind::Normal, DependencyKind::Build, DependencyKind::Development];
    let known = direct_dependencies(sandbox, &kinds);
    for stranger in STRANGERS_OF_THE_SANDBOX {
        assert!(!known.contains(stranger), "{SANDBOX} → {stranger}");
    }
}

#[test]
fn exclusive_libraries_are_used_by_their_owners_alone() {
    let workspace = workspace();
    let locked = locked_packages();
    let mut wrong = Vec::new();
    for (library, owners) in EXCLUSIVE_LIBRARIES {
        assert!(locked.iter().any(|package| package.name == *library), "nothing uses {library} any more");
        for member in &workspace.packages {
            let used = direct_dependencies(member, &[DependencyKind::Normal]).contains(library);
            if used && !owners.contains(&member.name.as_str()) {
                wrong.push(format!("{} → {library}", member.name));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn forbidden_libraries_are_not_reached_through_others() {
    let workspace = workspace();
    let locked = locked_packages();
    let mut wrong = Vec::new();
    for (member, libraries) in FORBIDDEN_LIBRARIES {
        let reached = reachable_packages(&workspace, &locked, member);
        assert!(reached.contains("serde"), "{member} reaches nothing: is Cargo.lock read correctly?");
        for library in *libraries {
            assert!(locked.iter().any(|package| package.name == *library), "nothing uses {library} any more");
            if reached.contains(library) {
                wrong.push(format!("{member} ⇢ {library}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn crash_points_are_enabled_in_no_build_but_those_of_tests() {
    const FEATURE: &str = "crash-points";
    let workspace = workspace();
    let members = &workspace.packages;
    assert!(members.iter().any(|member| member.features.contains_key(FEATURE)), "the feature was renamed");
    for member in members {
        for (feature, enables) in &member.features {
            let enabled = enables.iter().any(|other| other.ends_with(FEATURE));
            assert!(!enabled || feature == FEATURE, "{}: `{feature}` enables it", member.name);
        }
        for dependency in &member.dependencies {
            assert!(!dependency.features.iter().any(|feature| feature == FEATURE), "{}", member.name);
        }
    }
}

/// The simulated network, clock and journal are for the tests package alone.
#[test]
fn simulation_is_enabled_by_the_tests_package_alone() {
    const FEATURE: &str = "simulation";
    let workspace = workspace();
    let members = &workspace.packages;
    assert!(package(&workspace, TESTS).features.contains_key(FEATURE), "the feature was renamed");
    for member in members.iter().filter(|member| member.name != TESTS) {
        for (feature, enables) in &member.features {
            let enabled = enables.iter().any(|other| other.ends_with(FEATURE));
            assert!(!enabled || feature == FEATURE, "{}: `{feature}` enables it", member.name);
        }
        for dependency in &member.dependencies {
            assert!(!dependency.features.iter().any(|feature| feature == FEATURE), "{}", member.name);
        }
    }
}

/// Neither files nor whole top-level modules (`panel` with `panel::pin_lock`) may import each other in a cycle.
#[test]
fn modules_do_not_import_each_other_in_a_cycle() {
    let mut cycles = String::new();
    for package in &workspace().packages {
        // Integration tests, examples and benchmarks are left out: they are single files, or have plain helpers.
        for target in package.targets.iter().filter(|target| target.is_lib() || target.is_bin()) {
            let modules = Modules::read(target.src_path.as_std_path());
            let files = modules.imports();
            for imports in [top_level_imports(&files), files] {
                for cycle in import_cycles(&imports) {
                    write_cycle(&mut cycles, package.name.as_str(), &cycle, &imports);
                }
            }
        }
    }
    assert!(cycles.is_empty(), "modules import each other:\n{cycles}");
}

#[test]
fn import_reader_resolves_groups_parents_and_reexports() {
    let sources = [
        ("", "mod a;\nmod b;\nmod c;\npub use b::inner::Thing as Other;\n"),
        ("a", "use crate::{Other, b::{self, inner::X}}; // crate::c\nfn f() { crate::c::g() }\n"),
        ("b", "mod inner;\n"),
        ("b::inner", "use super::super::a::Y;\nuse super::Z;\n#[cfg(test)]\nmod tests {\n use crate::c;\n}\n"),
        ("c", ""),
    ];
    let modules = Modules(sources.map(|(name, text)| (name.to_owned(), without_tests(text))).into());
    let imports = modules.imports();
    assert_eq!(imports["a"].keys().copied().collect::<Vec<_>>(), ["b", "b::inner", "c"]);
    assert_eq!(imports["b::inner"].keys().copied().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(import_cycles(&imports), [BTreeSet::from(["a", "b::inner"])]);
}

/// The workspace's own manifests. `--no-deps` resolves nothing, so this works with empty caches and no network.
fn workspace() -> Metadata {
    MetadataCommand::new()
        .manifest_path(repository_root().join("Cargo.toml"))
        .no_deps()
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .expect("cargo metadata")
}

fn repository_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn package<'a>(workspace: &'a Metadata, name: &str) -> &'a Package {
    workspace.packages.iter().find(|package| package.name.as_str() == name).expect("a member")
}

fn direct_dependencies<'a>(package: &'a Package, kinds: &[DependencyKind]) -> BTreeSet<&'a str> {
    let dependencies = package.dependencies.iter().filter(|dependency| kinds.contains(&dependency.kind));
    dependencies.map(|dependency| dependency.name.as_str()).collect()
}

/// A package of `Cargo.lock`.
#[derive(Debug, Default)]
struct LockedPackage {
    name: String,
    version: String,
    /// `name`, or `name version` where several versions are locked.
    dependencies: Vec<String>,
}

/// All packages of `Cargo.lock`, whose lines cargo always writes in the same form.
fn locked_packages() -> Vec<LockedPackage> {
    let text = fs::read_to_string(repository_root().join("Cargo.lock")).expect("Cargo.lock");
    let mut packages = Vec::new();
    for entry in text.split("[[package]]\n").skip(1) {
        let mut package = LockedPackage::default();
        for line in entry.lines() {
            let quoted = line.split('"').nth(1).map(str::to_owned);
            match quoted {
                Some(name) if line.starts_with("name = ") => package.name = name,
                Some(version) if line.starts_with("version = ") => package.version = version,
                Some(dependency) if line.starts_with(" \"") => package.dependencies.push(dependency),
                _ => {}
            }
        }
        packages.push(package);
    }
    packages
}

/// Names of all packages that are built into the member, on any system. Build dependencies of libraries are included,
/// because `Cargo.lock` does not tell them apart.
fn reachable_packages<'a>(workspace: &Metadata, locked: &'a [LockedPackage], member: &str) -> BTreeSet<&'a str> {
    let find = |dependency: &str| {
        let mut words = dependency.split(' ');
        let (name, version) = (words.next(), words.next());
        let same = |package: &&LockedPackage| {
            name == Some(&package.name) && version.is_none_or(|version| version == package.version)
        };
        locked.iter().find(same).unwrap_or_else(|| panic!("{dependency} is not in Cargo.lock"))
    };
    let mut reached = BTreeSet::new();
    let mut pending = vec![find(member)];
    while let Some(package) = pending.pop() {
        // Of members, `Cargo.lock` also lists what their tests need.
        let member = workspace.packages.iter().find(|member| member.name.as_str() == package.name);
        let allowed = member.map(|member| direct_dependencies(member, &[DependencyKind::Normal]));
        for dependency in package.dependencies.iter().map(|dependency| find(dependency)) {
            let normal = allowed.as_ref().is_none_or(|allowed| allowed.contains(dependency.name.as_str()));
            if normal && reached.insert((dependency.name.as_str(), dependency.version.as_str())) {
                pending.push(dependency);
            }
        }
    }
    reached.into_iter().map(|(name, _)| name).collect()
}

/// The source files of one crate by their module paths (empty for the root, `panel::pin_lock`), without comments and
/// tests.
struct Modules(BTreeMap<String, String>);

/// For each module the modules that it imports, each with the path by which it does.
type Imports<'a> = BTreeMap<&'a str, BTreeMap<&'a str, String>>;

impl Modules {
    /// Reads the crate's root and, by their `mod name;`, all modules that are in files of their own.
    fn read(root: &Path) -> Self {
        let mut modules = BTreeMap::new();
        let folder = root.parent().expect("a folder").to_owned();
        let mut pending = vec![(String::new(), root.to_owned(), folder)];
        while let Some((name, file, children)) = pending.pop() {
            let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let text = without_tests(&text);
            for (child, paths) in child_modules(&text) {
                let inside = children.join(child);
                let mut files = vec![children.join(format!("{child}.rs")), inside.join("mod.rs")];
                files.extend(paths.iter().map(|path| file.with_file_name(path)));
                files.retain(|file| file.is_file());
                assert!(!files.is_empty(), "{}: no file of `mod {child};`", file.display());
                pending.extend(files.into_iter().map(|file| (join(&name, child), file, inside.clone())));
            }
            modules.entry(name).or_insert_with(String::new).push_str(&text);
        }
        Self(modules)
    }

    /// A module may use its own children; all other uses of one file by another are imports.
    fn imports(&self) -> Imports<'_> {
        let mut imports = Imports::new();
        for (module, text) in &self.0 {
            let found = imports.entry(module.as_str()).or_default();
            for path in absolute_paths(module, text) {
                let target = self.resolve(&path, 0);
                let own = target == module || module.is_empty() || target.starts_with(&format!("{module}::"));
                if !own {
                    found.entry(target).or_insert(path);
                }
            }
        }
        imports
    }

    /// The module in whose file the item of an absolute path is, followed through `use` of other modules.
    fn resolve(&self, path: &str, depth: u8) -> &str {
        let mut module = "";
        let mut rest = path;
        while !rest.is_empty() {
            let (name, after) = rest.split_once("::").unwrap_or((rest, ""));
            let Some((child, _)) = self.0.get_key_value(&join(module, name)) else { break };
            (module, rest) = (child.as_str(), after);
        }
        let item = rest.split("::").next().unwrap_or_default();
        if item.is_empty() || depth > 8 {
            return module;
        }
        let reexported = self.names_in_use(module).into_iter().find(|(name, _)| name == item);
        match reexported {
            Some((_, path)) if path != join(module, item) => self.resolve(&path, depth + 1),
            _ => module,
        }
    }

    /// The names that a module has by `use` of other modules of its crate, each with its absolute path.
    fn names_in_use(&self, module: &str) -> Vec<(String, String)> {
        let mut names = Vec::new();
        for (at, _) in self.0[module].match_indices("use ") {
            let before = self.0[module][..at].trim_end_matches(' ');
            if !(before.is_empty() || before.ends_with(['\n', ')', ';', '}']) || before.ends_with("pub")) {
                continue;
            }
            for leaf in expand_path(&self.0[module][at + "use ".len()..]) {
                let (path, alias) = leaf.split_once(" as ").unwrap_or((&leaf, ""));
                let first = path.split("::").next().unwrap_or_default();
                let relative = self.0.contains_key(&join(module, first)).then(|| join(module, path));
                let Some(path) = absolute_path(module, path).or(relative) else { continue };
                let name = if alias.is_empty() { path.rsplit("::").next().unwrap_or_default() } else { alias };
                names.push((name.to_owned(), path));
            }
        }
        names
    }
}

/// The text without comments, and without what is compiled for tests only: the rest of a file from its test module on,
/// and declarations of test modules that are files.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    while let Some(line) = lines.next() {
        if line.trim().starts_with("#[cfg(test)]") || line.trim().starts_with("#[cfg(all(test") {
            let item = lines.find(|line| !line.trim().is_empty() && !line.trim().starts_with("#["));
            let item = item.unwrap_or_default();
            if item.contains("mod ") && item.ends_with('{') {
                break;
            }
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// Names of all `mod name;` with any visibility, each with the files that its `path` attributes name.
fn child_modules(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut modules = Vec::new();
    let mut paths = Vec::new();
    for line in text.lines() {
        if line.starts_with("#[") {
            paths.extend(line.split_once("path = \"").and_then(|(_, path)| path.split('"').next()));
            continue;
        }
        let declared = line.strip_suffix(';').and_then(|line| line.split_once("mod "));
        if let Some((visibility, name)) = declared
            && (visibility.is_empty() || visibility.starts_with("pub"))
        {
            modules.push((name, std::mem::take(&mut paths)));
        }
        paths.clear();
    }
    modules
}

/// All paths in the text that start with `crate::` or `super::`, made absolute, groups expanded.
fn absolute_paths(module: &str, text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            // `$crate::`, `my_crate::`, or the second half of `super::super::`, which belongs to the first.
            let inner = text[..at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c));
            if !inner {
                let expanded = expand_path(&text[at..]);
                paths.extend(expanded.iter().filter_map(|path| absolute_path(module, path)));
            }
        }
    }
    paths
}

/// The path without `crate::`, `self::` or `super::`, which are resolved; `None` where it starts otherwise.
fn absolute_path(module: &str, path: &str) -> Option<String> {
    let path = path.split(" as ").next().unwrap_or_default();
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest.to_owned());
    }
    let (mut module, mut rest) = (module, path);
    if let Some(own) = path.strip_prefix("self::") {
        rest = own;
    } else if !path.starts_with("super::") {
        return None;
    }
    while let Some(above) = rest.strip_prefix("super::") {
        module = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        rest = above;
    }
    Some(join(module, rest))
}

/// The paths of a text that starts with one, as in `a::{b, c::{self, d as e}}`: `a::b`, `a::c`, `a::c::d as e`.
fn expand_path(text: &str) -> Vec<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || "_:*".contains(c))).unwrap_or(text.len());
    let (prefix, rest) = text.split_at(end);
    if let Some(group) = rest.strip_prefix('{').filter(|_| prefix.is_empty() || prefix.ends_with("::")) {
        let mut paths = Vec::new();
        let (mut depth, mut item) = (0_u32, String::new());
        for c in group.chars() {
            match c {
                ',' | '}' if depth == 0 => {
                    let item = std::mem::take(&mut item);
                    paths.extend(expand_path(item.trim()).into_iter().map(|path| match path.as_str() {
                        "self" => prefix.trim_end_matches("::").to_owned(),
                        path => format!("{prefix}{path}"),
                    }));
                    if c == '}' {
                        break;
                    }
                    continue;
                }
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            item.push(c);
        }
        return paths;
    }
    let alias = rest.strip_prefix(" as ").and_then(|rest| rest.split([',', ';', '}', ' ', '\n']).next());
    let path = prefix.trim_end_matches(':');
    if path.is_empty() {
        return Vec::new();
    }
    vec![alias.map_or_else(|| path.to_owned(), |alias| format!("{path} as {alias}"))]
}

/// The same imports between top-level modules, each with everything below it.
fn top_level_imports<'a>(imports: &Imports<'a>) -> Imports<'a> {
    let top_level = |module: &'a str| module.split("::").next().unwrap_or_default();
    let mut merged = Imports::new();
    for (module, targets) in imports {
        let found: &mut BTreeMap<&str, String> = merged.entry(top_level(module)).or_default();
        for (target, path) in targets {
            // The crate's root contains all of them.
            if top_level(target) != top_level(module) && !target.is_empty() {
                found.entry(top_level(target)).or_insert_with(|| format!("{module}: {path}"));
            }
        }
    }
    merged
}

/// The groups of modules that import each other, directly or through others.
fn import_cycles<'a>(imports: &Imports<'a>) -> Vec<BTreeSet<&'a str>> {
    let reach = |from: &'a str| {
        let mut reached = BTreeSet::new();
        let mut pending = vec![from];
        while let Some(module) = pending.pop() {
            let next = imports.get(module).into_iter().flat_map(BTreeMap::keys);
            pending.extend(next.copied().filter(|module| reached.insert(*module)));
        }
        reached
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports.keys().map(|module| (*module, reach(module))).collect();
    let mut cycles = BTreeSet::new();
    for (module, after) in &reached {
        if after.contains(module) {
            cycles.insert(after.iter().copied().filter(|other| reached[other].contains(module)).collect());
        }
    }
    cycles.into_iter().collect()
}

fn write_cycle(text: &mut String, package: &str, cycle: &BTreeSet<&str>, imports: &Imports<'_>) {
    writeln!(text, "{package}: {cycle:?}").expect("text");
    for module in cycle {
        for (target, path) in imports[module].iter().filter(|(target, _)| cycle.contains(*target)) {
            writeln!(text, "    {module} → {target} (`{path}`)").expect("text");
        }
    }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}
