//! Public types of all published crates side by side: no two share a name, and parameters look alike.
//!
//! The sources are read as text. An item that is `pub` can be reached from outside, since the lint `unreachable_pub` is on.

// A source that cannot be read must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A public type at the top level of a module.
struct PublicType {
    file: PathBuf,
    /// `struct`, `enum`, `trait` or `type`.
    kind: String,
    name: String,
    /// The comments and attributes before it.
    before: String,
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The sources of a crate that is published as a library, with their text.
struct Library {
    name: String,
    files: Vec<(PathBuf, String)>,
}

impl Library {
    /// Whether a type has an `impl` block in a file that holds these words.
    fn has_method(&self, name: &str, words: &str) -> bool {
        let block = format!("impl {name} {{");
        self.files.iter().any(|(_, text)| text.contains(&block) && text.contains(words))
    }
}

fn libraries() -> Vec<Library> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut libraries = Vec::new();
    for entry in std::fs::read_dir(crates).unwrap() {
        let folder = entry.unwrap().path();
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        if manifest.contains("publish = false") || !folder.join("src/lib.rs").exists() {
            continue;
        }
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let files = files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(file).unwrap())).collect();
        libraries.push(Library { name, files });
    }
    assert!(libraries.len() > 10, "only {} libraries were found", libraries.len());
    libraries
}

fn types_of(file: &Path, text: &str) -> Vec<PublicType> {
    let mut types = Vec::new();
    let mut before = String::new();
    for line in text.lines() {
        if line.starts_with("//") || line.starts_with("#[") {
            before += line;
            before.push('\n');
            continue;
        }
        let mut words = line.split(|character: char| !(character.is_alphanumeric() || character == '_'));
        if let (Some("pub"), Some(kind @ ("struct" | "enum" | "trait" | "type")), Some(name)) =
            (words.next(), words.next(), words.next())
        {
            let (kind, name, before) = (kind.to_owned(), name.to_owned(), std::mem::take(&mut before));
            types.push(PublicType { file: file.to_owned(), kind, name, before });
        }
        before.clear();
    }
    types
}

fn public_types(library: &Library) -> Vec<PublicType> {
    library.files.iter().flat_map(|(file, text)| types_of(file, text)).collect()
}

#[test]
fn no_two_types_share_a_name() {
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for public in libraries().iter().flat_map(public_types) {
        // Each crate has its own short form of `Result`.
        if public.name != "Result" {
            places.entry(public.name).or_default().push(public.file);
        }
    }
    assert!(places.len() > 500, "only {} public types were found", places.len());
    let twice: Vec<_> = places.into_iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(twice.is_empty(), "types of one name: {twice:#?}");
}

#[test]
fn parameters_are_checked_and_say_their_ranges() {
    let mut faults = Vec::new();
    for library in libraries() {
        let is_params = |public: &PublicType| public.kind == "struct" && public.name.ends_with("Params");
        for public in public_types(&library).into_iter().filter(is_params) {
            let text = &library.files.iter().find(|(file, _)| *file == public.file).unwrap().1;
            let lacks = [
                (!library.has_method(&public.name, "pub fn check(self"), "a method `check`"),
                (!text.to_lowercase().contains("range |"), "a table of fields, defaults and ranges"),
                (!public.before.contains("non_exhaustive"), "#[non_exhaustive]"),
            ];
            let lacks = lacks.into_iter().filter(|(lacks, _)| *lacks);
            faults.extend(lacks.map(|(_, what)| format!("{} of {} lacks {what}", public.name, library.name)));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
