//! What can go wrong between this program and a PACS.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The result of work with a PACS.
pub type Result<T, E = PacsError> = std::result::Result<T, E>;

/// What can go wrong with a PACS: the address, the value or answer, and what would fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PacsError {
    /// A parameter outside its range.
    #[error("{parameter} is {value}; {requirement}")]
    InvalidParameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// The value found.
        value: String,
        /// What it has to satisfy.
        requirement: String,
    },
    /// A password or token that cannot be had.
    #[error("the secret of {origin} {problem}")]
    Secret {
        /// The file or environment variable.
        origin: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No connection to the server, or one that broke, as often as it was tried.
    #[error(
        "{server} cannot be reached (attempt {attempts}): {reason}; check address, network and server, then run again"
    )]
    Connection {
        /// Address of the server.
        server: String,
        /// What happened last.
        reason: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The server's certificate is not trusted.
    #[error("{server} is not trusted: {reason}; give the certificate of the authority that signed the server's")]
    NotTrusted {
        /// Address of the server.
        server: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// The server refuses these credentials.
    #[error("{server} answers {status} ({}); {}", meaning_of_refusal(*status), fix_of_refusal(*with_credentials))]
    Refused {
        /// Address of the server.
        server: String,
        /// 401 or 403.
        status: u16,
        /// Whether credentials were sent.
        with_credentials: bool,
    },
    /// The server answers that it cannot do what it was asked.
    #[error("{url} answers {status} (attempt {attempts}){}", told_by_server(told))]
    Status {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// The words of the server, cut to some hundred characters; empty where it sent none.
        told: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// An answer that is not what the standard asks for, or is damaged.
    #[error("the answer of {url} {problem}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// A DICOM node that refuses an association, breaks it, or answers what makes no sense.
    #[error("the DICOM node {node} {problem}")]
    Node {
        /// `TITLE@host:port`.
        node: String,
        /// What happened, and what would fix it.
        problem: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The disk is full.
    #[error("{}: the disk is full; make room and run again: what is there is kept", path.display())]
    DiskFull {
        /// The file that could not be written.
        path: PathBuf,
    },
    /// A DICOM file that cannot be read.
    #[error(transparent)]
    Imaging(#[from] alnm_imaging::ImagingError),
    /// The observer asked to stop.
    #[error("stopped; what is done is kept, and the same call goes on from there")]
    Cancelled,
}

impl PacsError {
    pub(crate) fn parameter(parameter: &'static str, value: impl ToString, requirement: impl Into<String>) -> Self {
        Self::InvalidParameter { parameter, value: value.to_string(), requirement: requirement.into() }
    }

    pub(crate) fn file(path: impl AsRef<Path>, error: &io::Error) -> Self {
        let path = path.as_ref().to_owned();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::File { path, problem: error.to_string() },
        }
    }

    pub(crate) fn answer(url: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Answer { url: url.into(), problem: problem.into() }
    }
}

fn meaning_of_refusal(status: u16) -> &'static str {
    if status == 401 { "not authorised" } else { "forbidden" }
}

fn fix_of_refusal(with_credentials: bool) -> &'static str {
    if with_credentials {
        "check user, password or token, and the rights that they have there"
    } else {
        "no user and no token were given; give what the server asks for"
    }
}

fn told_by_server(told: &str) -> String {
    if told.is_empty() { String::new() } else { format!(": {told}") }
}
