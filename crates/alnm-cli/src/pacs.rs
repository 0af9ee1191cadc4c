//! `alnm fetch` and `alnm store`: images from a PACS, results back to it.

mod fetch;
mod server;
mod store;
mod transfer;

pub(crate) use fetch::Fetch;
pub(crate) use store::Store;

/// Exit code after Ctrl-C, as shells have it: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

/// The exit code that an error asks for, where it is another than that of a failure.
pub(crate) fn exit_code_of(error: &anyhow::Error) -> Option<u8> {
    let is_interruption = matches!(error.downcast_ref(), Some(alnm_pacs::PacsError::Cancelled));
    is_interruption.then_some(INTERRUPTED)
}
