//! `alnm --version --verbose`: what the program was built with, and where it runs.

use std::fmt::Write as _;

/// The optional features, whether they were built, and the commands that each brings.
const FEATURES: [(&str, bool, &[&str]); 7] = [
    ("bundle", cfg!(feature = "bundle"), &["apply", "validate"]),
    ("study", cfg!(feature = "study"), &["study"]),
    ("parquet", cfg!(feature = "parquet"), &[]),
    ("pacs", cfg!(feature = "pacs"), &["fetch", "store"]),
    ("jpeg2000", cfg!(feature = "jpeg2000"), &[]),
    ("jpegxl", cfg!(feature = "jpegxl"), &[]),
    ("shell", cfg!(feature = "shell"), &["completions", "man"]),
];

/// The feature that would bring a command to this program; none where the program has it or no feature brings it.
pub(crate) fn feature_left_out(command: &str) -> Option<&'static str> {
    FEATURES.iter().find(|(_, built, commands)| !built && commands.contains(&command)).map(|(name, ..)| *name)
}

/// Lines of names and what they are.
pub(crate) fn in_full() -> String {
    let with = |built: bool| -> String {
        let names: Vec<&str> = FEATURES.iter().filter(|(_, is, _)| *is == built).map(|(name, ..)| *name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let mut jpeg = "JPEG, JPEG-LS, RLE".to_owned();
    for (name, built) in [("JPEG 2000", cfg!(feature = "jpeg2000")), ("JPEG XL", cfg!(feature = "jpegxl"))] {
        if built {
            jpeg += ", ";
            jpeg += name;
        }
    }
    let threads = std::thread::available_parallelism().map_or_else(|_| "unknown".to_owned(), |count| count.to_string());
    let lines = [
        ("features", with(true)),
        ("left out", with(false)),
        ("built for", format!("{} {}", std::env::consts::ARCH, std::env::consts::OS)),
        ("processor", instructions()),
        ("threads", threads),
        ("images", format!("DICOM (uncompressed, deflated, {jpeg}), NIfTI, NRRD, MetaImage")),
    ];
    lines.iter().fold(format!("alnm {}\n", env!("CARGO_PKG_VERSION")), |mut text, (name, value)| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<10} {value}");
        text
    })
}

/// The vector instructions that the processor has, of those that the program uses where they are.
#[cfg(target_arch = "x86_64")]
fn instructions() -> String {
    let known = [
        ("SSE4.1", std::is_x86_feature_detected!("sse4.1")),
        ("AVX2", std::is_x86_feature_detected!("avx2")),
        ("FMA", std::is_x86_feature_detected!("fma")),
        ("AVX-512", std::is_x86_feature_detected!("avx512f")),
    ];
    let found: Vec<&str> = known.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    if found.is_empty() { "SSE2".to_owned() } else { found.join(", ") }
}

/// On other processors the instructions are those of the target.
#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> String {
    "those of the target".to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_command_is_there_or_its_feature_is_named() {
        let there = crate::Arguments::command();
        for (name, built, commands) in FEATURES {
            for command in commands {
                assert_eq!(there.find_subcommand(command).is_some(), built, "{command}");
                assert_eq!(feature_left_out(command), (!built).then_some(name));
            }
        }
        assert_eq!(feature_left_out("info"), None);
        assert_eq!(feature_left_out("no-such-command"), None);
    }
}
