//! `alnm fetch` and `alnm store`: images from a PACS, results back to it.

mod fetch;
mod server;
mod store;
mod transfer;

pub(crate) use fetch::Fetch;
pub(crate) use store::Store;
