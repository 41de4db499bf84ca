//! Modules of the library depend on each other in one direction.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module uses only modules of layers before its own.
const LAYERS: [&[&str]; 12] = [
    &["error", "memory", "plan"],
    &["frame", "interrupt", "kept", "mask", "threads"],
    &["files", "picture"],
    &["diffusion", "outputs"],
    &["model"],
    &["pose", "render", "video"],
    &["detect", "puppet", "train"],
    &["inputs"],
    &["rig"],
    &["draft"],
    &["animate", "dataset", "still"],
    &["evaluate", "farm"],
];

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("{module} is in no layer"))
}

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        return if is_source { vec![path.to_path_buf()] } else { Vec::new() };
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|entry| sources(&entry)).collect()
}

/// The modules that a source file names as `crate::…`, comments aside.
fn used(source: &str) -> BTreeSet<&str> {
    let code = source.lines().map(|line| line.split("//").next().unwrap_or_default());
    let names = code.flat_map(|line| {
        line.split("crate::").skip(1).map(|rest| {
            let end =
                rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
            &rest[..end]
        })
    });
    // What `lib.rs` lets out of `error`.
    names.map(|name| if ["Error", "Result"].contains(&name) { "error" } else { name }).collect()
}

#[test]
fn modules_use_only_those_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut edges = 0;
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_string();
        if ["lib", "bin"].contains(&module.as_str()) {
            continue;
        }
        for file in sources(&path) {
            let source = fs::read_to_string(&file).unwrap();
            for other in used(&source).into_iter().filter(|other| *other != module) {
                assert!(layer(other) < layer(&module), "{} uses {other}", file.display());
                edges += 1;
            }
        }
    }
    assert!(edges > 100, "only {edges} uses were found");
}
