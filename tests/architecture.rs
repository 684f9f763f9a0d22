#![allow(clippy::disallowed_methods)] // IO: reads the tree.
//! The rules of ARCHITECTURE.md that a compiler does not check: the arrows between crates, where third-party types stop, what a
//! file that does IO says of itself, that every fixture and every fuzz target is accounted for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every file below `folder` whose name ends in `suffix`.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(files(&path, suffix));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<PathBuf> {
    ["src", "control/src", "media/src", "stage/src", "packager/src", "origin/src", "edge/src"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), ".rs"))
        .collect()
}

/// The crates of this workspace that a crate's `[dependencies]` name.
fn arrows(member: &str) -> BTreeSet<String> {
    let manifest = read(&root().join(member).join("Cargo.toml"));
    let dependencies = manifest.split("\n[dependencies]").nth(1).unwrap_or_default();
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    let names = dependencies.lines().filter_map(|line| line.strip_prefix("footlight-"));
    names.map(|name| name.split(['.', ' ']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn stage_and_packager_know_only_media_and_the_others_know_nobody() {
    let check = |member: &str, want: &[&str]| {
        assert_eq!(arrows(member), want.iter().map(|s| (*s).to_owned()).collect(), "{member}");
    };
    check("media", &[]);
    check("stage", &["media"]);
    check("packager", &["media"]);
    check("origin", &[]);
    check("edge", &[]);
    check("control", &[]);
    check(".", &["control", "edge", "media", "origin", "packager", "stage"]);
}

#[test]
fn a_third_party_type_stops_at_the_files_that_wrap_it() {
    // What a file may name, and where.
    let fences: [(&str, &[&str]); 6] = [
        (
            "ffmpeg_next",
            &[
                "packager/src/ffmpeg.rs",
                "packager/src/decode.rs",
                "packager/src/encode.rs",
                "packager/src/contribution.rs",
                "packager/src/footage.rs",
                "packager/src/reading.rs",
                "packager/src/bitstream.rs",
            ],
        ),
        (
            "webrtc::",
            &[
                "stage/src/peer.rs",
                "stage/src/mux.rs",
                "stage/src/port.rs",
                "stage/src/reports.rs",
                "stage/src/client.rs",
            ],
        ),
        ("cosmic_text", &["packager/src/text.rs"]),
        (" image::", &["control/src/picture.rs", "packager/src/snapshot.rs"]),
        ("opusic_c", &["packager/src/voice.rs"]),
        ("sqlx::", &["control/src/catalog"]),
    ];
    for file in sources() {
        let name = file.strip_prefix(root()).expect("below the root").display().to_string();
        let code: String =
            read(&file).lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for (word, allowed) in fences {
            let may = allowed.iter().any(|a| name.starts_with(a));
            assert!(may || !code.contains(word), "{name} names {word}, which stops at {allowed:?}");
        }
    }
}

#[test]
fn a_file_that_does_io_says_so_and_why_in_its_first_line() {
    for file in sources() {
        let text = read(&file);
        // A file's tests may need one instant to count from.
        for (number, line) in text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]") {
            if line.contains("allow(clippy::disallowed") {
                assert!(
                    number == 0 && line.contains("// IO: "),
                    "{}:{}: say `// IO: why` in line one",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn every_fixture_is_in_the_list_with_its_origin() {
    let list = read(&root().join("fixtures/README.md"));
    for file in files(&root().join("fixtures"), "") {
        let name = file.file_name().expect("a file").to_string_lossy().into_owned();
        let generated = file.components().any(|c| c.as_os_str() == "node_modules" || c.as_os_str() == "__pycache__");
        assert!(
            generated || name == "README.md" || list.contains(&name),
            "fixtures/README.md does not say where {name} came from"
        );
    }
}

/// The table of `fuzz/README.md`: a file and the target that fuzzes it, or `none` and why.
fn fuzzed() -> Vec<(String, String, Option<String>)> {
    let list = read(&root().join("fuzz/README.md"));
    let rows = list.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows = rows.filter(|(file, _)| file.ends_with(".rs"));
    rows.map(|(file, target)| match target.split_once(": ") {
        Some((target, why)) => (file.to_owned(), target.to_owned(), Some(why.to_owned())),
        None => (file.to_owned(), target.to_owned(), None),
    })
    .collect()
}

#[test]
fn every_parser_of_strangers_bytes_has_a_fuzz_target() {
    let listed = fuzzed();
    for (file, target, why) in &listed {
        assert!(root().join(file).exists(), "fuzz/README.md lists {file}, which is not there");
        if target == "none" {
            assert!(why.is_some(), "fuzz/README.md says not why {file} has no target");
            continue;
        }
        let text = read(&root().join(format!("fuzz/fuzz_targets/{target}.rs")));
        let (member, module) = file.split_once("/src/").expect("a crate's source");
        let module = module.trim_end_matches(".rs").replace('/', "::");
        let named = text.contains(&format!("footlight_{member}::{module}"));
        assert!(why.is_some() || named, "{target} names nothing of {file}");
    }
    // What reads text or bytes calls that so: `parse`, or `FromStr`.
    let parses = |text: &str| ["fn parse(", "fn parse<", "FromStr for "].iter().any(|sign| text.contains(sign));
    for folder in ["control/src", "edge/src", "origin/src", "stage/src"] {
        for file in files(&root().join(folder), ".rs") {
            let name = file.strip_prefix(root()).expect("below the root").display().to_string();
            let known = listed.iter().any(|(listed, ..)| *listed == name);
            assert!(known || !parses(&read(&file)), "{name} parses: add its fuzz target to fuzz/README.md");
        }
    }
}

#[test]
fn every_fuzz_target_is_built() {
    let manifest = read(&root().join("fuzz/Cargo.toml"));
    let listed = fuzzed();
    for file in files(&root().join("fuzz/fuzz_targets"), ".rs") {
        let name = file.file_stem().expect("a file").to_string_lossy().into_owned();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
        assert!(listed.iter().any(|(_, target, _)| *target == name), "fuzz/README.md lacks {name}");
    }
}

#[test]
fn docs_name_settings_that_exist() {
    let settings: serde_yaml_ng::Mapping =
        serde_yaml_ng::from_str(&read(&root().join("footlight.yaml"))).expect("YAML");
    let sections: Vec<(&str, &serde_yaml_ng::Mapping)> =
        settings.iter().filter_map(|(key, value)| Some((key.as_str()?, value.as_mapping()?))).collect();
    for page in ["docs", "ARCHITECTURE.md", "README.md", "CHANGELOG.md", "footlight.yaml"] {
        let page = root().join(page);
        for file in if page.is_dir() { files(&page, ".md") } else { vec![page] } {
            let text = read(&file);
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
            for (section, key) in words.filter_map(|word| word.trim_matches('.').split_once('.')) {
                let known = sections.iter().find(|(name, _)| *name == section);
                let is_file = ["rs", "md", "html", "ts", "yaml"].contains(&key);
                let exists = known.is_none_or(|(_, keys)| keys.contains_key(key));
                assert!(is_file || exists, "{} names {section}.{key}, which footlight.yaml lacks", file.display());
            }
        }
    }
}
