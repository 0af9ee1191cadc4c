//! Requests to a DICOMweb server: who asks, what is trusted, and which failures may pass.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{Response, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};

use crate::credentials::Secret;
use crate::dicom_json::JsonDataSet;
use crate::error::{PacsError, Result};
use crate::media_type::MediaType;
use crate::progress::TransferObserver;
use crate::retry::{Failure, Retry};

/// The most bytes of an answer in JSON. A page of a search has some kilobytes for each object found.
const MOST_JSON_BYTES: u64 = 16 << 20;

/// The most bytes that are read of an answer that tells of an error, and the most characters of it that are shown.
const MOST_ERROR_BYTES: u64 = 1 << 14;
const SHOWN_CHARACTERS: usize = 300;

/// The longest wait for a connection.
const LONGEST_CONNECTING: Duration = Duration::from_secs(30);

/// The media type of data sets in JSON.
pub(crate) const DICOM_JSON: &str = "application/dicom+json";

/// Requests to one server.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    agent: Agent,
    /// Address without a slash at its end.
    base: String,
    authorization: Option<Secret>,
    retry: Retry,
}

impl HttpClient {
    /// Requests that trust the authorities of a file, or the public ones where none is named.
    pub(crate) fn new(
        base: String,
        authorization: Option<Secret>,
        authorities: Option<&Path>,
        timeout: Duration,
        retry: Retry,
    ) -> Result<Self> {
        let roots = authorities.map(certificates).transpose()?;
        let roots = roots.map_or(RootCerts::WebPki, |roots| RootCerts::Specific(Arc::new(roots)));
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("alnm-pacs/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(timeout.min(LONGEST_CONNECTING)))
            .timeout_per_read(Some(timeout))
            .timeout_per_write(Some(timeout))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build()
            .into();
        Ok(Self { agent, base, authorization, retry })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn retry(&self) -> Retry {
        self.retry
    }

    /// Searches: data sets in JSON, tried again where the failure may pass.
    pub(crate) fn search(&self, observer: &mut TransferObserver<'_>, path: &str) -> Result<Vec<JsonDataSet>> {
        let url = self.url(path);
        self.retry.run(observer, |_, attempt| {
            let response = self.get(&url, DICOM_JSON, attempt)?;
            if response.status() == 204 {
                return Ok(Vec::new());
            }
            let media_type = media_type_of(&response);
            let content = self.content(response, attempt)?;
            if !content.is_empty() && !is_json(&media_type) {
                let problem = format!("is {:?}; is this the address of a DICOMweb server?", media_type.name());
                return Err(PacsError::answer(&url, problem).into());
            }
            let problem = |error| PacsError::answer(&url, format!("is no list of data sets in JSON: {error}"));
            JsonDataSet::list(&content).map_err(|error| problem(error).into())
        })
    }

    /// Asks once for something; an answer other than "here it is" is a failure.
    pub(crate) fn get(&self, url: &str, accept: &str, attempt: u32) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url).header(header::ACCEPT, accept);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.reveal());
        }
        let response = request.call().map_err(|error| self.failure(&error, attempt))?;
        if response.status().is_success() { Ok(response) } else { Err(self.failed(url, response, attempt)) }
    }

    /// Sends a body of a known length once. Answers that tell of single objects are given back, whether they were
    /// stored or not: 200, 202 and 409.
    pub(crate) fn post(
        &self,
        path: &str,
        content_type: &str,
        length: u64,
        body: &mut dyn Read,
        attempt: u32,
    ) -> Result<Vec<u8>, Failure> {
        let url = self.url(path);
        let mut request = self
            .agent
            .post(&url)
            .header(header::ACCEPT, DICOM_JSON)
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CONTENT_LENGTH, length);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.reveal());
        }
        let response = request.send(SendBody::from_reader(body)).map_err(|error| self.failure(&error, attempt))?;
        let status = response.status().as_u16();
        let tells_of_objects = matches!(status, 200 | 202) || status == 409 && is_json(&media_type_of(&response));
        if !tells_of_objects {
            return Err(self.failed(&url, response, attempt));
        }
        self.content(response, attempt)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What cannot be read of an answer may be there the next time.
    pub(crate) fn broken(&self, error: &io::Error, attempt: u32) -> Failure {
        let reason = format!("the answer broke off: {error}");
        let error = PacsError::Connection { server: self.base.clone(), reason, attempts: attempt };
        Failure::Passing { error, after: None }
    }

    /// The whole of a short answer.
    fn content(&self, response: Response<Body>, attempt: u32) -> Result<Vec<u8>, Failure> {
        let mut content = Vec::new();
        let mut body = response.into_body().into_reader().take(MOST_JSON_BYTES + 1);
        body.read_to_end(&mut content).map_err(|error| self.broken(&error, attempt))?;
        if content.len() as u64 > MOST_JSON_BYTES {
            let problem = format!("has more than {MOST_JSON_BYTES} bytes; ask for less at once");
            return Err(PacsError::answer(&self.base, problem).into());
        }
        Ok(content)
    }

    /// A request that brought no answer.
    fn failure(&self, error: &ureq::Error, attempt: u32) -> Failure {
        let reason = match error {
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::HostNotFound => "no host has this name".to_owned(),
            other => other.to_string(),
        };
        let server = self.base.clone();
        if reason.contains("certificate") {
            return Failure::Final(PacsError::NotTrusted { server, reason });
        }
        let passes = !matches!(
            error,
            ureq::Error::HostNotFound | ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TooManyRedirects
        );
        let error = PacsError::Connection { server, reason, attempts: attempt };
        if passes { Failure::Passing { error, after: None } } else { Failure::Final(error) }
    }

    /// An answer that says no.
    fn failed(&self, url: &str, response: Response<Body>, attempt: u32) -> Failure {
        let status = response.status().as_u16();
        if matches!(status, 401 | 403) {
            let with_credentials = self.authorization.is_some();
            return Failure::Final(PacsError::Refused { server: self.base.clone(), status, with_credentials });
        }
        let after = response.headers().get(header::RETRY_AFTER);
        let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
        let error =
            PacsError::Status { url: url.to_owned(), status, told: told_by(response.into_body()), attempts: attempt };
        match status {
            408 | 425 | 429 | 502..=504 => Failure::Passing { error, after },
            _ => Failure::Final(error),
        }
    }
}

/// The words of an answer that says no, on one line: of JSON the words that servers put there for people.
fn told_by(body: Body) -> String {
    let mut bytes = Vec::new();
    // What cannot be read is not shown.
    let _ = body.into_reader().take(MOST_ERROR_BYTES).read_to_end(&mut bytes);
    let text = match serde_json::from_slice::<serde_json::Value>(&bytes) {
        Ok(json) => {
            let keys = ["Details", "Message", "message", "errorMessage", "error"];
            let words = keys.iter().find_map(|key| json.get(*key)?.as_str().filter(|words| !words.is_empty()));
            words.unwrap_or_default().to_owned()
        }
        Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let words: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    words.chars().take(SHOWN_CHARACTERS).collect()
}

/// The media type of an answer.
pub(crate) fn media_type_of(response: &Response<Body>) -> MediaType {
    MediaType::of(content_type_of(response))
}

/// The header `Content-Type` of an answer, empty where it has none.
pub(crate) fn content_type_of(response: &Response<Body>) -> &str {
    response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_json(media_type: &MediaType) -> bool {
    matches!(media_type.name(), DICOM_JSON | "application/json")
}

/// The certificates of a file.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>> {
    /// The most bytes of such a file; that of all public authorities has some 200 kilobytes.
    const MOST_BYTES: u64 = 16 << 20;
    let mut pem = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut pem));
    read.map_err(|error| PacsError::file(path, &error))?;
    let problem = |problem: String| PacsError::File { path: path.to_owned(), problem };
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        let item = item.map_err(|error| problem(format!("a certificate is malformed: {error}")))?;
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(problem("the file holds no certificate; a file of authorities is in PEM".to_owned()));
    }
    Ok(certificates)
}

/// A value in the query of an address: what may stand there as it is does (RFC 3986, section 3.4), the rest is escaped.
/// As little as possible is, since Orthanc's plugin 1.7 compares escaped values as they are written, and finds nothing.
pub(crate) fn escaped(text: &str) -> String {
    const PLAIN: &[u8] = b"-._~*?!$'(),:@/";
    let escape = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || PLAIN.contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escaped("A b*?&/é-1.~_=+%;"), "A%20b*?%26/%C3%A9-1.~_%3D%2B%25%3B");
    }

    #[test]
    fn files_without_certificates_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(certificates(&path).is_err());
        std::fs::write(&path, "no certificate").unwrap();
        assert!(certificates(&path).unwrap_err().to_string().contains("no certificate; a file of authorities"));
    }
}
