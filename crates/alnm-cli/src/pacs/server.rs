//! Which server is talked to, and as whom.

use std::path::PathBuf;
use std::time::Duration;

use alnm_pacs::{Credentials, DicomNode, DicomNodeParams, DicomWeb, DicomWebParams, Secret};
use anyhow::{Context, Result, bail, ensure};

/// What an address of a DICOM node begins with.
const NODE: &str = "dicom://";

/// Options that concern the server.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerOptions {
    /// User's name at a DICOMweb server.
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    user: Option<String>,
    /// File whose first line is the user's password.
    #[arg(long, value_name = "FILE", requires = "user", conflicts_with = "password_env", help_heading = "Server")]
    password_file: Option<PathBuf>,
    /// Environment variable with the user's password.
    #[arg(long, value_name = "VARIABLE", requires = "user", help_heading = "Server")]
    password_env: Option<String>,
    /// File whose first line is a token, in place of a user.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "token_env"], help_heading = "Server")]
    token_file: Option<PathBuf>,
    /// Environment variable with a token, in place of a user.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "user", help_heading = "Server")]
    token_env: Option<String>,
    /// File with the certificates (PEM) of the authorities that are trusted, in place of the public ones.
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    ca: Option<PathBuf>,
    /// Send password or token to another machine although the address is http://.
    #[arg(long, help_heading = "Server")]
    allow_unencrypted: bool,
    /// How often in a row something is tried without any progress.
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Server")]
    attempts: u32,
    /// The longest time without a byte from the server, in seconds.
    #[arg(long, value_name = "S", default_value_t = 120, help_heading = "Server")]
    timeout: u64,
}

impl ServerOptions {
    /// Whether an address is that of a DICOM node, not of a DICOMweb server.
    pub(super) fn is_node(address: &str) -> bool {
        address.starts_with(NODE)
    }

    pub(super) fn dicom_web(&self, address: &str) -> Result<DicomWeb> {
        let mut params = DicomWebParams::new(address)
            .with_credentials(self.credentials()?)
            .with_attempts(self.attempts)
            .with_timeout(Duration::from_secs(self.timeout))
            .with_unencrypted_credentials(self.allow_unencrypted);
        if let Some(file) = &self.ca {
            params = params.with_authorities(file);
        }
        Ok(params.check()?)
    }

    pub(super) fn node(&self, address: &str, calling_title: &str) -> Result<DicomNode> {
        ensure!(
            self.user.is_none() && self.token_file.is_none() && self.token_env.is_none() && self.ca.is_none(),
            "{address} is a DICOM node, which is told a title and no user, token or authority; name an https:// address, \
             or leave these options away"
        );
        let rest = address.strip_prefix(NODE).unwrap_or(address);
        let (title, host) = rest.split_once('@').with_context(|| {
            format!("{address} names no title; the address of a DICOM node is {NODE}TITLE@host:port")
        })?;
        let params = DicomNodeParams::new(host.trim_end_matches('/'), title)
            .with_calling_title(calling_title)
            .with_attempts(self.attempts)
            .with_timeout(Duration::from_secs(self.timeout));
        Ok(params.check()?)
    }

    fn credentials(&self) -> Result<Credentials> {
        let secret = |file: &Option<PathBuf>, variable: &Option<String>| match (file, variable) {
            (Some(file), _) => Secret::from_file(file).map(Some),
            (None, Some(variable)) => Secret::from_environment(variable).map(Some),
            (None, None) => Ok(None),
        };
        if let Some(user) = &self.user {
            let Some(password) = secret(&self.password_file, &self.password_env)? else {
                bail!("--user {user} has no password; name it by --password-file or --password-env");
            };
            return Ok(Credentials::basic(user, password));
        }
        let token = secret(&self.token_file, &self.token_env)?;
        Ok(token.map_or(Credentials::None, Credentials::Bearer))
    }
}
