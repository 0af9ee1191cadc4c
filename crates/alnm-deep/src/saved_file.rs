//! The files that this crate writes: tensors with a description, and a hash over both.
//!
//! A file is a safetensors file with 32-bit floats. Its metadata hold `format` and `version`, the description as JSON
//! (`description`), and the SHA-256 over all of these and the tensors (`sha256`). The hash is taken over the
//! description as this crate writes it, so that white space and the order of keys do not matter. A file whose hash is
//! another was damaged or edited and is refused.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use alnm_imaging::file::write_atomically;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{DeepError, Result};
use crate::safetensors;
use crate::state_dict::StateDict;
use crate::weight_file::read_safetensors;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileContent {
    Network,
    Checkpoint,
    Ensemble,
    /// A network with a description that belongs to another crate.
    Described {
        format: &'static str,
        version: &'static str,
        advice: &'static str,
    },
}

impl FileContent {
    fn format(self) -> &'static str {
        match self {
            Self::Network => "alnm-deep network",
            Self::Checkpoint => "alnm-deep checkpoint",
            Self::Ensemble => "alnm-deep ensemble",
            Self::Described { format, .. } => format,
        }
    }

    /// The version of the files that are written, and the only one that is read.
    fn version(self) -> &'static str {
        match self {
            Self::Network | Self::Checkpoint => "2",
            Self::Ensemble => "1",
            Self::Described { version, .. } => version,
        }
    }

    /// What to do with a file that cannot be read.
    fn advice(self) -> &'static str {
        match self {
            Self::Network => "save the network again",
            Self::Ensemble => "save the ensemble again",
            Self::Checkpoint => "remove the checkpoint and train again",
            Self::Described { advice, .. } => advice,
        }
    }
}

/// A SHA-256 over texts and numbers, each with its length before it.
pub(crate) struct ContentHash(Sha256);

impl ContentHash {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    pub(crate) fn numbers(&mut self, numbers: &[f32]) {
        self.count(numbers.len());
        for_each_block(numbers, |bytes| {
            self.0.update(bytes);
            Ok::<(), std::convert::Infallible>(())
        })
        .unwrap_or_else(|never| match never {});
    }

    pub(crate) fn tensors(&mut self, tensors: &StateDict) {
        self.count(tensors.len());
        for (name, tensor) in tensors {
            self.text(name);
            self.count(tensor.shape().len());
            tensor.shape().iter().for_each(|size| self.count(*size));
            self.numbers(tensor.values());
        }
    }

    /// The hash in hexadecimal digits.
    pub(crate) fn digits(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Hands numbers over as little-endian bytes, block by block.
fn for_each_block<E>(numbers: &[f32], mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    const BLOCK: usize = 4096;
    let mut bytes = [0u8; BLOCK * size_of::<f32>()];
    for block in numbers.chunks(BLOCK) {
        for (into, number) in bytes.chunks_exact_mut(size_of::<f32>()).zip(block) {
            into.copy_from_slice(&number.to_le_bytes());
        }
        take(&bytes[..size_of_val(block)])?;
    }
    Ok(())
}

fn hash(content: FileContent, description: &str, tensors: &StateDict) -> String {
    let mut hash = ContentHash::new();
    for text in [content.format(), content.version(), description] {
        hash.text(text);
    }
    hash.tensors(tensors);
    hash.digits()
}

/// Writes a file; it appears under its name only when it is complete and on the disk.
pub(crate) fn write(
    path: &Path,
    content: FileContent,
    description: &impl Serialize,
    tensors: &StateDict,
) -> Result<()> {
    let description = serde_json::to_string(description).map_err(|error| DeepError::file(path, error))?;
    let metadata = json!({
        "format": content.format(),
        "version": content.version(),
        "sha256": hash(content, &description, tensors),
        "description": description,
    });
    let mut header: BTreeMap<&str, Value> = BTreeMap::from([("__metadata__", metadata)]);
    let mut end = 0;
    for (name, tensor) in tensors {
        let start = end;
        end += size_of_val(tensor.values());
        header.insert(name, json!({"dtype": "F32", "shape": tensor.shape(), "data_offsets": [start, end]}));
    }
    // The tensors begin at a multiple of eight bytes, as the format asks for.
    let mut header = serde_json::to_vec(&header).map_err(|error| DeepError::file(path, error))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let write = |file: &mut dyn Write| -> std::io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        for tensor in tensors.values() {
            for_each_block(tensor.values(), |bytes| file.write_all(bytes))?;
        }
        file.flush()
    };
    write_atomically(path, |file| write(file)).map_err(|error: std::io::Error| DeepError::file(path, error))
}

/// Whether a file says that it holds this; a file that cannot be read says nothing.
pub(crate) fn says(path: &Path, content: FileContent) -> bool {
    let texts = File::open(path).ok().and_then(safetensors::texts);
    texts.is_some_and(|texts| texts.get("format").map(String::as_str) == Some(content.format()))
}

/// Reads the description and the tensors of a file that [`write`] wrote.
pub(crate) fn read<D: Serialize + DeserializeOwned>(path: &Path, content: FileContent) -> Result<(D, StateDict)> {
    let (tensors, metadata) = read_safetensors(path)?;
    let refuse = |reason: String| DeepError::file(path, format!("{reason}; {}", content.advice()));
    let field = |name: &str| metadata.get(name).map(String::as_str);
    check_format(path, content, &metadata)?;
    let text = field("description").ok_or_else(|| refuse("the file has no description".to_owned()))?;
    let description: D =
        serde_json::from_str(text).map_err(|error| refuse(format!("its description is not valid: {error}")))?;
    let canonical = serde_json::to_string(&description).map_err(|error| DeepError::file(path, error))?;
    let Some(sha256) = field("sha256") else {
        return Err(refuse("the file lacks the SHA-256 of its content".to_owned()));
    };
    if sha256 != hash(content, &canonical, &tensors) {
        return Err(refuse("the file was damaged or edited: its SHA-256 is not that of its content".to_owned()));
    }
    Ok((description, tensors))
}

/// Refuses a file of another format or version, with what would help.
fn check_format(path: &Path, content: FileContent, metadata: &HashMap<String, String>) -> Result<()> {
    let field = |name: &str| metadata.get(name).map(String::as_str);
    let (expected, readable, advice) = (content.format(), content.version(), content.advice());
    let reason = match (field("format"), field("version")) {
        (Some(format), Some(version)) if format == expected && version == readable => return Ok(()),
        (Some(format), version) if format == expected => {
            let version = version.unwrap_or("none");
            format!("the version of the file is {version}; this program reads version {readable}; {advice}")
        }
        (Some("alnm-deep/1"), _) if content == FileContent::Network => {
            "the file was saved by an earlier version, without the hash that shows damage; load its weights into a network \
             of the same backbone (Network::load_weights) and save that"
                .to_owned()
        }
        (None, _) if content == FileContent::Checkpoint && field("fingerprint").is_some() => {
            format!("the checkpoint was written by an earlier version; {advice}")
        }
        (Some(format), _) => format!("the file is of the format `{format}`; it must be of the format `{expected}`"),
        (None, _) => format!("the file does not say that it is of the format `{expected}`"),
    };
    Err(DeepError::file(path, reason))
}
