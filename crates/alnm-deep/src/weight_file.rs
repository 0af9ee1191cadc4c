//! Files of weights from elsewhere: safetensors and PyTorch's `.pth`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Component, Path};

use crate::error::{DeepError, Result};
use crate::half_precision::{from_bfloat16, from_binary16};
use crate::pth;
use crate::safetensors::{LENGTH, NumberKind, SafetensorsFile, TensorBytes};
use crate::state_dict::{MAXIMUM_FILE_BYTES, StateDict, StateTensor};

/// Bytes that tell what a file is: the length of a header, and its first bracket.
const START: usize = LENGTH + 1;

/// Refuses what does not begin as a safetensors file does, by a sentence that says so.
fn check_start(path: &Path, start: &[u8]) -> Result<()> {
    match start {
        [_, _, _, _, _, _, _, _, b'{'] => Ok(()),
        [0x80, 2..=5, ..] => Err(DeepError::file(
            path,
            "the file is a bare pickle, as PyTorch wrote before version 1.6 and as Python's `pickle` writes; load it there and save \
             its tensors with torch.save",
        )),
        _ => Err(DeepError::file(path, "the file is neither a safetensors file nor a .pth (zip) file of PyTorch")),
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>> {
    let size = fs::metadata(path).map_err(|error| DeepError::file(path, error))?.len();
    if size > MAXIMUM_FILE_BYTES {
        return Err(DeepError::file(path, format!("{size} bytes, more than the limit of {MAXIMUM_FILE_BYTES}")));
    }
    fs::read(path).map_err(|error| DeepError::file(path, error))
}

/// The tensors of a safetensors file or a PyTorch `.pth` (zip) file. The content of the file decides which of the two
/// it is, not its name; the counters `num_batches_tracked` are left out.
///
/// Weights in several files are read by their index, `model.safetensors.index.json`.
///
/// A `.pth` file holds a dictionary of tensors, itself or as `state_dict`, `model`, `model_state_dict` or
/// `network_weights`. Its pickle is read by a machine that knows tensors and dictionaries only: a pickle that asks for
/// anything else is an error, and nothing is run.
///
/// # Errors
/// [`DeepError::WeightFile`] when the file is neither of the two, larger than [`MAXIMUM_FILE_BYTES`], cut off, or holds
/// anything but tensors of 16-, 32- or 64-bit floating-point numbers.
///
/// ```
/// use alnm_deep::read_state_dict;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("weights.pth");
/// std::fs::write(&path, "no weights")?;
/// let error = read_state_dict(&path).unwrap_err().to_string();
/// assert!(error.ends_with("the file is neither a safetensors file nor a .pth (zip) file of PyTorch"), "{error}");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_state_dict(path: &Path) -> Result<StateDict> {
    let mut start = Vec::new();
    let file = fs::File::open(path).map_err(|error| DeepError::file(path, error))?;
    file.take(START as u64).read_to_end(&mut start).map_err(|error| DeepError::file(path, error))?;
    if start.first() == Some(&b'{') {
        return read_shards(path);
    }
    if !start.starts_with(b"PK\x03\x04") {
        check_start(path, &start)?;
        return tensors_of(path, parsed(path, &read_limited(path)?)?.tensors);
    }
    let tensors = pth::read(path).map_err(|reason| DeepError::file(path, reason))?;
    Ok(tensors.into_iter().map(|(name, tensor)| (modern_name(&name), tensor)).collect())
}

/// The name of the index, where a file's name says that it is one of several, as in `model-00001-of-00002.safetensors`.
pub(crate) fn index_of_part(path: &Path) -> Option<String> {
    let (stem, extension) = (path.file_stem()?.to_str()?, path.extension()?.to_str()?);
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (name, part) = rest.rsplit_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(part) && is_number(count)).then(|| format!("{name}.{extension}.index.json"))
}

/// The tensors of several files beside an index, a JSON text whose `weight_map` names the file of each tensor.
fn read_shards(path: &Path) -> Result<StateDict> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = read_limited(path)?;
    let index: Index = serde_json::from_slice(&text)
        .map_err(|error| DeepError::file(path, format!("the file is no index of weights in several files: {error}")))?;
    let files: BTreeSet<&String> = index.weight_map.values().collect();
    let mut tensors = StateDict::new();
    for name in files {
        let file = Path::new(name);
        if !matches!(file.components().collect::<Vec<_>>()[..], [Component::Normal(_)]) {
            return Err(DeepError::file(path, format!("the index names {name}; files beside it are what is read")));
        }
        let file = path.with_file_name(file);
        let mut start = Vec::new();
        let opened = fs::File::open(&file).map_err(|error| DeepError::file(&file, error))?;
        opened.take(1).read_to_end(&mut start).map_err(|error| DeepError::file(&file, error))?;
        if start == b"{" {
            return Err(DeepError::file(&file, "the index names another index"));
        }
        tensors.extend(read_state_dict(&file)?);
    }
    let wanted = index.weight_map.keys().filter(|name| !name.ends_with("num_batches_tracked"));
    if let Some(name) = wanted.map(|name| modern_name(name)).find(|name| !tensors.contains_key(name)) {
        return Err(DeepError::file(path, format!("the files that the index names lack the tensor {name}")));
    }
    Ok(tensors)
}

/// torchvision's DenseNet files still carry the names of its first version: `denselayer1.norm.1` for
/// `denselayer1.norm1`.
fn modern_name(name: &str) -> String {
    if !name.contains("denselayer") {
        return name.to_owned();
    }
    ["norm", "conv"].iter().fold(name.to_owned(), |name, layer| {
        name.replace(&format!(".{layer}.1."), &format!(".{layer}1."))
            .replace(&format!(".{layer}.2."), &format!(".{layer}2."))
    })
}

fn parsed<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafetensorsFile<'a>> {
    SafetensorsFile::parse(bytes).map_err(|reason| DeepError::file(path, reason))
}

fn tensors_of(path: &Path, tensors: Vec<(String, TensorBytes<'_>)>) -> Result<StateDict> {
    let kept = tensors.into_iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
    kept.map(|(name, TensorBytes { kind, shape, bytes })| {
        let values = match kind {
            NumberKind::F16 => from_binary16(bytes),
            NumberKind::BF16 => from_bfloat16(bytes),
            NumberKind::F32 => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            NumberKind::F64 => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            other => {
                let reason = format!("{name} holds {other:?}; 16-, 32- and 64-bit floats are read");
                return Err(DeepError::file(path, reason));
            }
        };
        Ok((modern_name(&name), StateTensor::new(shape, values)?))
    })
    .collect()
}

/// The tensors and the metadata of a safetensors file.
pub(crate) fn read_safetensors(path: &Path) -> Result<(StateDict, HashMap<String, String>)> {
    let bytes = read_limited(path)?;
    check_start(path, &bytes[..bytes.len().min(START)])?;
    let file = parsed(path, &bytes)?;
    Ok((tensors_of(path, file.tensors)?, file.metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_in_several_files_are_read_by_their_index() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, value: f32| {
            let header = format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
            [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &value.to_le_bytes()].concat()
        };
        fs::write(folder.path().join("a.safetensors"), of("x", 1.5)).unwrap();
        fs::write(folder.path().join("b.safetensors"), of("y", -2.0)).unwrap();
        let index = folder.path().join("index.json");
        let read = |map: &str| {
            fs::write(&index, format!(r#"{{"metadata":{{}},"weight_map":{map}}}"#)).unwrap();
            read_state_dict(&index).map_err(|error| error.to_string())
        };
        let tensors = read(r#"{"x":"a.safetensors","y":"b.safetensors"}"#).unwrap();
        assert_eq!((tensors["x"].values(), tensors["y"].values()), (&[1.5][..], &[-2.0][..]));
        for (map, words) in [
            (r#"{"z":"a.safetensors"}"#, "lack the tensor z"),
            (r#"{"x":"../a.safetensors"}"#, "files beside it"),
            (r#"{"x":"index.json"}"#, "another index"),
            (r#"{"x":"c.safetensors"}"#, "c.safetensors"),
            ("3", "no index"),
        ] {
            let error = read(map).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_part_of_several_files_names_its_index() {
        let of = |name: &str| index_of_part(Path::new(name));
        assert_eq!(of("a/model-00001-of-00002.safetensors").unwrap(), "model.safetensors.index.json");
        assert_eq!(of("pytorch_model-00002-of-00002.bin").unwrap(), "pytorch_model.bin.index.json");
        for name in ["model.safetensors", "model-a-of-b.bin", "model-1-of-2", "best-of-3.pth"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn first_names_of_densenet_are_understood() {
        assert_eq!(
            modern_name("features.denseblock1.denselayer2.norm.1.weight"),
            "features.denseblock1.denselayer2.norm1.weight"
        );
        assert_eq!(modern_name("features.norm5.weight"), "features.norm5.weight");
    }
}
