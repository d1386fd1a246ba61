//! `docs/architecture.md` and `docs/dependencies.md` hold: modules name what the table of imports lets them name, and every
//! dependency has its row. Reads files only; no server is started.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the table, in its order, with the modules that it may name.
type Table = Vec<(String, BTreeSet<String>)>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The names between backquotes, which every second piece is.
fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The rows below the table head `| head |...`, as their cells.
fn rows(page: &str, head: &str) -> Vec<Vec<String>> {
    let start = page.find(head).unwrap_or_else(|| panic!("no table {head:?}"));
    let lines = page[start..].lines().skip(2).take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn table_of_imports() -> Table {
    let rows = rows(&read("docs/architecture.md"), "| module | may name |");
    rows.iter().map(|row| (quoted(&row[0]).next().unwrap(), quoted(&row[1]).collect())).collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
}

/// The top-level module that a source file belongs to.
fn module_of(path: &Path) -> String {
    let first = path.strip_prefix(root().join("src")).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The top-level modules that a source text names through `root` (`crate::`, or `brim::` in a binary): `crate::a::B`, and
/// `crate::{a::B, c}` over any number of lines. Comments name nothing.
fn named(source: &str, root: &str) -> BTreeSet<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|l| [l, "\n"]).collect();
    let mut names = BTreeSet::new();
    for path in code.split(root).skip(1) {
        match path.strip_prefix('{') {
            Some(group) => names.extend(heads(group)),
            None => names.extend(identifier(path)),
        }
    }
    names
}

/// The first identifier of each member of a `{...}` group, whose opening brace is gone.
fn heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut start) = (Vec::new(), 1, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' => {}
            _ => continue,
        }
        if depth == 0 || (depth == 1 && character == ',') {
            heads.extend(identifier(group[start..at].trim_start()));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

fn identifier(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

#[test]
fn modules_name_only_what_the_table_of_imports_allows() {
    let table: BTreeMap<String, BTreeSet<String>> = table_of_imports().into_iter().collect();
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("src/lib.rs")) {
        let module = module_of(file);
        let Some(allowed) = table.get(&module) else {
            faults.push(format!("{module} has no row in docs/architecture.md ({})", file.display()));
            continue;
        };
        let root = if module == "bin" { "brim::" } else { "crate::" };
        for name in named(&fs::read_to_string(file).unwrap(), root) {
            if name != module && !allowed.contains(&name) {
                faults.push(format!("{} names {name}, which {module} may not", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_of_imports_points_up_and_has_a_row_for_every_module() {
    let mut above = BTreeSet::new();
    for (module, allowed) in table_of_imports() {
        let below: Vec<_> = allowed.difference(&above).collect();
        assert!(below.is_empty(), "{module} may name {below:?}, which have no row above it");
        above.insert(module);
    }
    let declared = read("src/lib.rs");
    let declared = declared.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let declared: BTreeSet<String> = declared.map(str::to_owned).chain(["bin".to_owned()]).collect();
    assert_eq!(above, declared);
    let described = rows(&read("docs/architecture.md"), "| module | what it is |");
    let described: BTreeSet<String> = described.iter().filter_map(|row| quoted(&row[0]).next()).collect();
    assert!(described.iter().all(|module| declared.contains(module)) && described.len() + 1 == declared.len());
}

#[test]
fn imports_are_found_in_every_form() {
    let source = "use crate::kv;\nuse crate::{auth::{self, x}, blob, store::\n{a, b}};\n// crate::commented\nfn f() { crate::s3::g() }";
    assert_eq!(Vec::from_iter(named(source, "crate::")), ["auth", "blob", "kv", "s3", "store"]);
}

#[test]
fn every_dependency_has_its_row() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let page = read("docs/dependencies.md");
    for (section, head) in
        [("dependencies", "| crate | licence | role"), ("dev-dependencies", "| crate | licence | in tests")]
    {
        let documented: BTreeSet<String> =
            rows(&page, head).iter().flat_map(|row| quoted(&row[0]).collect::<Vec<_>>()).collect();
        let declared: BTreeSet<String> = manifest[section].as_table().unwrap().keys().cloned().collect();
        assert_eq!(documented, declared, "[{section}] of Cargo.toml and docs/dependencies.md");
    }
}

/// Every page: at the top, under `docs` and under `docker`.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    for directory in ["docs", "docs/decisions", "docker"] {
        let entries = fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages
}

#[test]
fn pages_link_to_files_and_name_sources_that_exist() {
    let mut missing = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| !link.contains("://")).filter_map(|link| link.split('#').next());
        let linked = links.map(|link| page.parent().unwrap().join(link));
        let named = quoted(&text).filter(|name| name.starts_with("src/") || name.starts_with("tests/"));
        for path in linked.chain(named.map(|name| root().join(name))) {
            if !path.exists() {
                missing.push(format!("{}: {}", page.display(), path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
