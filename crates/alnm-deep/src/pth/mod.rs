//! PyTorch's `.pth` files: a zip archive with a pickle of the tensors' places and the numbers themselves.
//!
//! A pickle is a program for a stack machine that may call any function. The machine here knows what a dictionary of
//! tensors is made of and nothing else: another name or operation is an error, and nothing is ever called.

mod archive;
mod pickle;

use std::fs::File;
use std::path::Path;

use self::archive::Archive;
use self::pickle::{Number, Place, Reason, Storage};
use crate::half_precision::{from_bfloat16, from_binary16};
use crate::state_dict::{MAXIMUM_FILE_BYTES, StateDict, StateTensor};

/// Larger pickles are refused: that of a network has a few hundred bytes a tensor.
const MAXIMUM_PICKLE_BYTES: u64 = 16 << 20;

/// The tensors of a file, counters of batches left out.
pub(crate) fn read(path: &Path) -> Result<StateDict, Reason> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let archive = Archive::open(file)?;
    let root = root(&archive)?;
    let order = format!("{root}byteorder");
    if archive.names().any(|name| name == order) && archive.read(&order, 16)? != b"little" {
        return Err("written on a machine of another byte order".to_owned());
    }
    let pickle = archive.read(&format!("{root}data.pkl"), MAXIMUM_PICKLE_BYTES)?;
    let mut places = pickle::places(&pickle)?;
    places.sort_by(|a, b| a.1.storage.key.cmp(&b.1.storage.key));
    let total = places.iter().try_fold(0u64, |total, (_, place)| total.checked_add(place.count()? as u64));
    if total.is_none_or(|total| total > MAXIMUM_FILE_BYTES / 4) {
        return Err(format!("its tensors hold more than {MAXIMUM_FILE_BYTES} bytes"));
    }
    let mut state = StateDict::new();
    let (mut key, mut numbers) = (String::new(), Vec::new());
    for (name, place) in places {
        if place.storage.key != key || numbers.is_empty() {
            key.clone_from(&place.storage.key);
            numbers = place.storage.read(&archive, &root).map_err(|reason| format!("{name}: {reason}"))?;
        }
        let values = place.gather(&numbers).map_err(|reason| format!("{name}: {reason}"))?;
        let tensor = StateTensor::new(place.shape, values).map_err(|error| format!("{name}: {error}"))?;
        state.insert(name, tensor);
    }
    Ok(state)
}

/// The folder within the archive, with its slash.
fn root(archive: &Archive) -> Result<String, Reason> {
    let mut pickles = archive.names().filter_map(|name| name.strip_suffix("data.pkl").map(str::to_owned));
    match (pickles.next(), pickles.next()) {
        (Some(root), None) => Ok(root),
        (None, _) => Err("a zip archive without `data.pkl`, so no file of PyTorch".to_owned()),
        (Some(_), Some(_)) => Err("a zip archive with more than one `data.pkl`".to_owned()),
    }
}

impl Storage {
    fn read(&self, archive: &Archive, root: &str) -> Result<Vec<f32>, Reason> {
        let bytes = archive.read(&format!("{root}data/{}", self.key), MAXIMUM_FILE_BYTES)?;
        let size = match self.number {
            Number::Half | Number::BFloat16 => 2,
            Number::Single => 4,
            Number::Double => 8,
            Number::Other => return Err("holds integers; 16-, 32- and 64-bit floats are read".to_owned()),
        };
        if self.count.checked_mul(size) != Some(bytes.len()) {
            return Err(format!(
                "{} numbers of {size} bytes are announced, but {} bytes are there",
                self.count,
                bytes.len()
            ));
        }
        Ok(match self.number {
            Number::Half => from_binary16(&bytes),
            Number::BFloat16 => from_bfloat16(&bytes),
            Number::Double => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            Number::Single | Number::Other => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        })
    }
}

impl Place {
    /// Number of values, where it does not overflow.
    fn count(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side))
    }

    fn gather(&self, numbers: &[f32]) -> Result<Vec<f32>, Reason> {
        let count = self.count().filter(|count| *count <= numbers.len());
        let last = self.shape.iter().zip(&self.strides).try_fold(self.offset, |last, (side, stride)| {
            last.checked_add(side.saturating_sub(1).checked_mul(*stride)?)
        });
        let (Some(count), Some(last)) = (count, last) else {
            return Err(format!("shape {:?} does not fit {} numbers", self.shape, numbers.len()));
        };
        if count == 0 {
            return Ok(Vec::new());
        }
        if last >= numbers.len() {
            return Err(format!("shape {:?} ends at number {last} of {}", self.shape, numbers.len()));
        }
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0usize; self.shape.len()];
        for _ in 0..count {
            let at: usize = index.iter().zip(&self.strides).map(|(index, stride)| index * stride).sum();
            values.push(numbers[self.offset + at]);
            for (index, side) in index.iter_mut().zip(&self.shape).rev() {
                *index += 1;
                if *index < *side {
                    break;
                }
                *index = 0;
            }
        }
        Ok(values)
    }
}
