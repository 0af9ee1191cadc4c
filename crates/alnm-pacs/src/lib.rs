#![doc = include_str!("../README.md")]

mod command_set;
mod content_hash;
mod credentials;
pub mod dicom_json;
mod dicomweb;
mod error;
mod fetch;
mod fetch_folder;
mod http;
mod media_type;
pub mod multipart;
mod node;
#[cfg(test)]
mod objects_of_tests;
mod part10;
mod progress;
mod retry;
mod search;
mod store;
mod store_journal;
mod store_report;
mod stored_objects;

pub use credentials::{Credentials, Secret};
pub use dicomweb::{DicomWeb, DicomWebParams};
pub use error::{PacsError, Result};
pub use fetch::{FailedFetch, FetchChoice, FetchParams, FetchReport};
pub use fetch_folder::FetchFolder;
pub use node::{DicomNode, DicomNodeParams};
pub use progress::{TransferEvent, TransferObserver};
pub use search::{AttributeMatch, FoundInstance, FoundSeries, FoundStudy, StudyQuery, StudyQueryParams};
pub use store::Resend;
pub use store_journal::StoreJournal;
pub use store_report::{FailedStore, StoreReport};
pub use stored_objects::{LocalObject, LocalObjects, UnusableFile};
