//! What a user wants in every run: the configuration file.

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context, Error, Result, anyhow, ensure};
use serde::Deserialize;

use crate::exit::wrong_use;
use crate::messages::Colours;

static OF_USER: OnceLock<Defaults> = OnceLock::new();

/// Defaults of options. Environment variables come before them, options before both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    /// As ALNM_THREADS and --threads.
    pub(crate) threads: Option<u16>,
    /// As ALNM_COLOR and --color.
    pub(crate) color: Option<Colours>,
}

impl Defaults {
    /// Reads the configuration file, where there is one, for the whole run.
    pub(crate) fn read() -> Result<&'static Self> {
        let read = match file() {
            Some(path) => {
                let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                Self::parse(&text)
                    .map_err(|fault| wrong_use(format!("{} is no configuration of alnm: {fault}", path.display())))?
            }
            None => Self::default(),
        };
        Ok(OF_USER.get_or_init(|| read))
    }

    /// What was read.
    pub(crate) fn of_user() -> &'static Self {
        OF_USER.get_or_init(Self::default)
    }

    fn parse(text: &str) -> Result<Self> {
        let read: Self = toml::from_str(text).map_err(|fault| in_one_line(text, &fault))?;
        ensure!(read.threads != Some(0), "threads is 0; it has to be 1 or more");
        Ok(read)
    }
}

/// A fault of a configuration with its line, without the picture of the place that TOML's reader draws.
fn in_one_line(text: &str, fault: &toml::de::Error) -> Error {
    let message = fault.message().lines().collect::<Vec<_>>().join(", ");
    match fault.span().and_then(|span| text.get(..span.start)) {
        Some(before) => anyhow!("line {}: {message}", 1 + before.matches('\n').count()),
        None => anyhow!(message),
    }
}

/// The configuration file: the one that ALNM_CONFIG names, or `alnm/config.toml` where the system keeps such files and
/// it is there.
fn file() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(path) = folder("ALNM_CONFIG") {
        return Some(path);
    }
    let folder = if cfg!(windows) {
        folder("APPDATA")
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))
    };
    folder.map(|folder| folder.join("alnm").join("config.toml")).filter(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_and_mistyped_keys_are_refused() {
        let read = Defaults::parse("threads = 4\ncolor = \"never\"\n").unwrap();
        assert_eq!(read, Defaults { threads: Some(4), color: Some(Colours::Never) });
        assert!(Defaults::parse("treads = 4").unwrap_err().to_string().contains("treads"));
        assert!(Defaults::parse("threads = 0").is_err());
        let fault = Defaults::parse("threads = 1\ncolor = \"red\"\n").unwrap_err().to_string();
        assert!(fault.starts_with("line 2: unknown variant `red`") && !fault.contains('\n'), "{fault}");
    }
}
