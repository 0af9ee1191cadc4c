//! Arrays in numpy's files: `.npz` is a zip archive of `.npy` files.

use std::collections::BTreeMap;
use std::io::Read;

/// An array in C order.
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

impl Array {
    /// The element at an index.
    pub(crate) fn at(&self, index: &[usize]) -> f64 {
        self.values[index.iter().zip(&self.shape).fold(0, |place, (i, n)| place * n + i)]
    }
}

/// The arrays of an archive by name.
pub(crate) fn read(bytes: &[u8]) -> BTreeMap<String, Array> {
    let u16_at = |place: usize| usize::from(u16::from_le_bytes([bytes[place], bytes[place + 1]]));
    let u32_at = |place: usize| u16_at(place) | u16_at(place + 2) << 16;
    let end = (0..bytes.len() - 21)
        .rev()
        .find(|&place| bytes[place..].starts_with(b"PK\x05\x06"))
        .expect("a zip archive has a directory");
    let (count, mut entry) = (u16_at(end + 10), u32_at(end + 16));
    let mut arrays = BTreeMap::new();
    for _ in 0..count {
        let (method, compressed, name_length) = (u16_at(entry + 10), u32_at(entry + 20), u16_at(entry + 28));
        let name = String::from_utf8(bytes[entry + 46..entry + 46 + name_length].to_vec()).unwrap();
        let header = u32_at(entry + 42);
        let start = header + 30 + u16_at(header + 26) + u16_at(header + 28);
        let stored = &bytes[start..start + compressed];
        let mut content = Vec::new();
        match method {
            0 => content.extend_from_slice(stored),
            8 => drop(flate2::read::DeflateDecoder::new(stored).read_to_end(&mut content).unwrap()),
            other => panic!("{name}: zip method {other}"),
        }
        arrays.insert(name.trim_end_matches(".npy").to_owned(), parse(&content));
        entry += 46 + name_length + u16_at(entry + 30) + u16_at(entry + 32);
    }
    arrays
}

/// An array from the bytes of an `.npy` file.
fn parse(bytes: &[u8]) -> Array {
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
    let after = |key: &str| header.split_once(key).unwrap_or_else(|| panic!("{header} has no {key}")).1;
    let kind = after("'descr': '").split('\'').next().unwrap();
    let fortran = after("'fortran_order': ").starts_with("True");
    let extents = after("'shape': (").split(')').next().unwrap();
    let shape: Vec<usize> = extents.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let data = &bytes[10 + length..];
    let stored: Vec<f64> = match kind {
        "<f8" => data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
        "<i8" => data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
        "<i4" => data.chunks_exact(4).map(|b| f64::from(i32::from_le_bytes(b.try_into().unwrap()))).collect(),
        other => panic!("arrays of {other}"),
    };
    if !fortran {
        return Array { shape, values: stored };
    }
    let values = (0..stored.len()).map(|place| stored[fortran_place(place, &shape)]).collect();
    Array { shape, values }
}

/// Where the element at a place in C order stands in Fortran order.
fn fortran_place(mut place: usize, shape: &[usize]) -> usize {
    let mut index = vec![0; shape.len()];
    for (i, n) in index.iter_mut().zip(shape).rev() {
        *i = place % n;
        place /= n;
    }
    index.iter().zip(shape).rev().fold(0, |place, (i, n)| place * n + i)
}
