//! `alnm store`: DICOM files into a PACS.

use std::path::PathBuf;

use alnm_pacs::{DicomNode, DicomWeb, LocalObjects, Resend, StoreJournal, StoreReport};
use anyhow::{Result, bail, ensure};

use super::server::ServerOptions;
use super::transfer::Transfer;
use crate::exit::wrong_use;
use crate::output::{is_standard_stream, warn};

/// Store DICOM files in a PACS, by DICOMweb or C-STORE. What is there already is not sent again: a DICOMweb server is
/// asked, and for a DICOM node, which cannot be asked, a journal is kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm store https://pacs.example.org/dicom-web results --user anna --password-file pw
  alnm store dicom://ARCHIVE@pacs.example.org:104 results --calling ALNM --journal stored.csv
  alnm store dicom://ARCHIVE@pacs.example.org:104 --check")]
pub(crate) struct Store {
    /// Address: https://host/path of DICOMweb services, or dicom://TITLE@host:port of a DICOM node.
    #[arg(value_name = "SERVER")]
    server: String,
    /// DICOM files, and folders of them.
    #[arg(value_name = "FILES", required_unless_present = "check", conflicts_with = "check")]
    files: Vec<PathBuf>,
    /// Only see whether the server is there and lets this program in (C-ECHO for a DICOM node).
    #[arg(long)]
    check: bool,
    /// Send what is there already as well.
    #[arg(long)]
    again: bool,
    /// Title of this program for a DICOM node.
    #[arg(long, value_name = "TITLE", default_value = "ALNM")]
    calling: String,
    /// File that remembers what a DICOM node confirmed, and is not sent again.
    #[arg(long, value_name = "FILE", conflicts_with = "again")]
    journal: Option<PathBuf>,
    #[command(flatten)]
    options: ServerOptions,
}

impl Store {
    pub(crate) fn run(self) -> Result<()> {
        let is_node = ServerOptions::is_node(&self.server);
        ensure!(
            is_node || self.journal.is_none(),
            "--journal is for DICOM nodes; {} is asked what it has, so leave the option away",
            self.server
        );
        let target = if is_node {
            Target::Node(Box::new(self.options.node(&self.server, &self.calling)?))
        } else {
            Target::Web(Box::new(self.options.dicom_web(&self.server)?))
        };
        // Until the transfer begins there is nothing to keep, and Ctrl-C ends the command at once.
        let found = if self.check { None } else { Some(self.objects()?) };
        let mut transfer = Transfer::start();
        let done = match &found {
            None => target.verify(&mut transfer),
            Some(found) => self.store(&target, found, &mut transfer),
        };
        transfer.finish();
        done
    }

    fn store(&self, target: &Target, found: &LocalObjects, transfer: &mut Transfer) -> Result<()> {
        let report = match target {
            Target::Web(server) => {
                let resend = if self.again { Resend::All } else { Resend::Never };
                server.store(&found.objects, resend, &mut |event| transfer.show(event))?
            }
            Target::Node(node) => {
                let mut journal = self.journal.as_ref().map(StoreJournal::open).transpose()?;
                node.store(&found.objects, journal.as_mut(), &mut |event| transfer.show(event))?
            }
        };
        tell(&report, found, transfer)
    }

    fn objects(&self) -> Result<LocalObjects> {
        if self.files.iter().any(|path| is_standard_stream(path)) {
            return Err(wrong_use("standard input (-) is no place of DICOM objects; name files and folders"));
        }
        let found = LocalObjects::find(&self.files)?;
        if !found.foreign.is_empty() {
            warn(format_args!("{} files are no DICOM objects and are left out", found.foreign.len()));
        }
        for path in &found.duplicates {
            warn(format_args!(
                "{} has an object that another file has too, byte for byte; it is sent once",
                path.display()
            ));
        }
        ensure!(
            !found.objects.is_empty() || !found.unusable.is_empty(),
            "there is no DICOM file; name DICOM files and folders of them"
        );
        Ok(found)
    }
}

/// Where objects go.
enum Target {
    Web(Box<DicomWeb>),
    Node(Box<DicomNode>),
}

impl Target {
    /// Sees whether the server is there and lets this program in.
    fn verify(&self, transfer: &mut Transfer) -> Result<()> {
        match self {
            Self::Web(server) => {
                server.verify(&mut |event| transfer.show(event))?;
                transfer.say(&format!("{} answers searches", server.url()));
            }
            Self::Node(node) => {
                node.echo(&mut |event| transfer.show(event))?;
                transfer.say(&format!("{} answers C-ECHO", node.name()));
            }
        }
        Ok(())
    }
}

/// Says what became of the files.
fn tell(report: &StoreReport, found: &LocalObjects, transfer: &Transfer) -> Result<()> {
    for warning in &report.warnings {
        transfer.warn(&warning.to_string());
    }
    for failed in &report.failed {
        transfer.warn(&format!("{} is not stored: {}", failed.path.display(), failed.reason));
    }
    for file in &found.unusable {
        transfer.warn(&format!("{} is not sent: {}", file.path.display(), file.reason));
    }
    transfer.say(&format!("{} objects stored, {} already there", report.stored, report.already_there));
    let missing = report.failed.len() + found.unusable.len();
    if missing > 0 {
        bail!("{missing} objects are not stored; mend what the lines above say and run again to store them alone");
    }
    Ok(())
}
