//! DICOMweb (PS3.18): a server that is searched, retrieved from and stored to over HTTP.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::credentials::Credentials;
use crate::error::{PacsError, Result};
use crate::http::HttpClient;
use crate::progress::TransferObserver;
use crate::retry::Retry;

/// A DICOMweb server and how to ask it.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `url` | | address of the services, for instance `https://pacs.example.org/dicom-web` | `http` or `https`, without user and password |
/// | `credentials` | none | who asks | |
/// | `authorities` | none | file with the certificates (PEM) of the authorities that are trusted, and no others; none for the public ones | |
/// | `timeout` | 2 min | the longest time without a byte from the server | 1 ms or longer |
/// | `attempts` | 5 | how often in a row something is tried without any progress | 1 to 100 |
/// | `first_pause` | 0.5 s | the pause after the first attempt; it doubles, up to half a minute | |
/// | `most_object_bytes` | 8 GiB | the most bytes of one object | 1 or more |
/// | `batch_bytes` | 32 MiB | bytes of the objects that are sent in one request; one object at least | 1 or more |
/// | `unencrypted_credentials` | no | whether credentials may be sent by `http` to another machine | |
///
/// A name that leads nowhere, refused credentials and certificates that are not trusted are not tried again; broken
/// connections, and answers 408, 425, 429, 502, 503 and 504 are, after the pause that the server asks for.
///
/// ```no_run
/// use alnm_pacs::{Credentials, DicomWebParams, FetchFolder, FetchParams, Secret, StudyQueryParams};
/// use std::ops::ControlFlow;
///
/// let server = DicomWebParams::new("https://pacs.example.org/dicom-web")
///     .with_credentials(Credentials::basic("anna", Secret::from_file("password")?))
///     .check()?;
/// let query = StudyQueryParams::default().with_patient_id("P001").check()?;
/// let mut folder = FetchFolder::open("images")?;
/// let choice = FetchParams::default().with_modalities(["MR"]).check()?;
/// for study in server.search_studies(&query, &mut |_| ControlFlow::Continue(()))? {
///     let study = study.study_instance_uid;
///     let report = server.fetch(&study, &choice, &mut folder, &mut |_| ControlFlow::Continue(()))?;
///     println!("{study}: {} objects", report.fetched + report.already_there);
/// }
/// # Ok::<(), alnm_pacs::PacsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DicomWebParams {
    /// Address of the services.
    pub url: String,
    /// Who asks.
    pub credentials: Credentials,
    /// File with the certificates of the authorities that are trusted.
    pub authorities: Option<PathBuf>,
    /// The longest time without a byte from the server.
    pub timeout: Duration,
    /// How often in a row something is tried without any progress.
    pub attempts: u32,
    /// The pause after the first attempt.
    pub first_pause: Duration,
    /// The most bytes of one object.
    pub most_object_bytes: u64,
    /// Bytes of the objects that are sent in one request.
    pub batch_bytes: u64,
    /// Whether credentials may be sent by `http` to another machine.
    pub unencrypted_credentials: bool,
}

impl DicomWebParams {
    /// A server by the address of its services.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: Credentials::None,
            authorities: None,
            timeout: Duration::from_secs(120),
            attempts: 5,
            first_pause: Duration::from_millis(500),
            most_object_bytes: 8 << 30,
            batch_bytes: 32 << 20,
            unencrypted_credentials: false,
        }
    }

    /// Who asks.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// The authorities that are trusted, and no others.
    #[must_use]
    pub fn with_authorities(self, file: impl Into<PathBuf>) -> Self {
        Self { authorities: Some(file.into()), ..self }
    }

    /// The longest time without a byte from the server.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How often in a row something is tried without any progress.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// The pause after the first attempt.
    #[must_use]
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    /// The most bytes of one object.
    #[must_use]
    pub fn with_most_object_bytes(self, most_object_bytes: u64) -> Self {
        Self { most_object_bytes, ..self }
    }

    /// Bytes of the objects that are sent in one request.
    #[must_use]
    pub fn with_batch_bytes(self, batch_bytes: u64) -> Self {
        Self { batch_bytes, ..self }
    }

    /// Whether credentials may be sent by `http` to another machine.
    #[must_use]
    pub fn with_unencrypted_credentials(self, unencrypted_credentials: bool) -> Self {
        Self { unencrypted_credentials, ..self }
    }

    /// The server, not asked for anything yet.
    ///
    /// # Errors
    /// [`PacsError::InvalidParameter`] for a parameter outside its range, [`PacsError::File`] for authorities that
    /// cannot be read.
    pub fn check(self) -> Result<DicomWeb> {
        let host = host_of(&self.url)?;
        let is_encrypted = self.url.starts_with("https:");
        if !self.credentials.are_none() && !is_encrypted && !self.unencrypted_credentials && !is_this_machine(host) {
            let requirement = "credentials would be sent unencrypted; use https, or allow it explicitly";
            return Err(PacsError::parameter("url", &self.url, requirement));
        }
        let is_in_range = |name: &'static str, value: u64, range: std::ops::RangeInclusive<u64>| {
            let requirement = format!("it has to be from {} to {}", range.start(), range.end());
            if range.contains(&value) { Ok(()) } else { Err(PacsError::parameter(name, value, requirement)) }
        };
        is_in_range("attempts", self.attempts.into(), 1..=100)?;
        is_in_range("most_object_bytes", self.most_object_bytes, 1..=u64::MAX)?;
        is_in_range("batch_bytes", self.batch_bytes, 1..=u64::MAX)?;
        if self.timeout < Duration::from_millis(1) {
            return Err(PacsError::parameter("timeout", format!("{:?}", self.timeout), "1 ms or longer"));
        }
        let http = HttpClient::new(
            self.url.trim_end_matches('/').to_owned(),
            self.credentials.header()?,
            self.authorities.as_deref(),
            self.timeout,
            Retry { attempts: self.attempts, first_pause: self.first_pause },
        )?;
        Ok(DicomWeb { http, most_object_bytes: self.most_object_bytes, batch_bytes: self.batch_bytes })
    }
}

/// The host of an address, which has to be one of a web server.
fn host_of(url: &str) -> Result<&str> {
    let wrong = |requirement: &str| PacsError::parameter("url", without_password(url), requirement);
    let rest = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.ok_or_else(|| wrong("an address of DICOMweb begins with https:// or http://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(wrong("an address is no place for a password, since others can see it; give it as credentials"));
    }
    if url.contains(['?', '#']) || url.bytes().any(|byte| !(b'!'..=b'~').contains(&byte)) {
        return Err(wrong("an address of services has no ?, no # and no space"));
    }
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    if host.is_empty() { Err(wrong("the host is missing")) } else { Ok(host) }
}

/// An address as it may be shown.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}(hidden){}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A DICOMweb server; its methods are in the order of a day's work: [`DicomWeb::search_studies`],
/// [`DicomWeb::search_series`], [`DicomWeb::search_instances`], [`DicomWeb::fetch`], [`DicomWeb::store`]. See
/// [`DicomWebParams`] for an example.
#[derive(Debug, Clone)]
pub struct DicomWeb {
    pub(crate) http: HttpClient,
    pub(crate) most_object_bytes: u64,
    pub(crate) batch_bytes: u64,
}

impl DicomWeb {
    /// The address of its services.
    #[must_use]
    pub fn url(&self) -> &str {
        self.http.base()
    }

    /// Asks for one study, to see that the server is there, speaks DICOMweb, and lets this program in.
    ///
    /// # Errors
    /// Those of [`DicomWeb::search_studies`].
    pub fn verify(&self, observer: &mut TransferObserver<'_>) -> Result<()> {
        self.http.search(observer, "/studies?limit=1").map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;

    #[test]
    fn addresses_are_checked_and_passwords_in_them_neither_taken_nor_shown() {
        for url in ["https://h", "http://h:1/dicom-web/", "https://[::1]:8/x"] {
            assert!(DicomWebParams::new(url).check().is_ok(), "{url}");
        }
        assert_eq!(DicomWebParams::new("http://h:1/x/").check().unwrap().url(), "http://h:1/x");
        for url in ["", "h", "ftp://h", "https://", "https://:80/", "https:///x", "https://h/x?y", "https://h/ x"] {
            assert!(DicomWebParams::new(url).check().is_err(), "{url}");
        }
        let error = DicomWebParams::new("https://anna:geheim@h/x").check().unwrap_err().to_string();
        assert!(error.contains("no place for a password") && !error.contains("geheim"), "{error}");
    }

    #[test]
    fn credentials_go_unencrypted_to_this_machine_only() {
        let with = |url: &str| DicomWebParams::new(url).with_credentials(Credentials::Bearer(Secret::new("t")));
        for url in ["https://h", "http://localhost:1", "http://127.0.0.2/x", "http://[::1]:3"] {
            assert!(with(url).check().is_ok(), "{url}");
        }
        for url in ["http://h", "http://10.0.0.1", "http://localhost.example.org"] {
            assert!(with(url).check().unwrap_err().to_string().contains("unencrypted"), "{url}");
            assert!(with(url).with_unencrypted_credentials(true).check().is_ok());
        }
    }

    #[test]
    fn ranges_are_checked() {
        let params = || DicomWebParams::new("https://h");
        for wrong in [
            params().with_attempts(0),
            params().with_attempts(101),
            params().with_timeout(Duration::ZERO),
            params().with_most_object_bytes(0),
            params().with_batch_bytes(0),
            params().with_authorities("/nonexistent"),
        ] {
            assert!(wrong.clone().check().is_err(), "{wrong:?}");
        }
    }
}
