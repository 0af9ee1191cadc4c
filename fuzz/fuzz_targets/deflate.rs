//! Bytes read as the compressed voxels of NRRD (gzip), MetaImage (zlib) and NIfTI (gzip), beside flate2: what flate2
//! inflates is what is read, and what it refuses is refused.
#![no_main]

use std::io::Read;

use alnm_imaging::{metaimage, nrrd};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use libfuzzer_sys::fuzz_target;

/// The most voxels that are compared.
const MOST: u64 = 1 << 20;

/// All that a stream inflates to; none where it is damaged, empty or long.
fn inflated(stream: impl Read) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    stream.take(MOST + 1).read_to_end(&mut all).ok()?;
    (!all.is_empty() && all.len() as u64 <= MOST).then_some(all)
}

fuzz_target!(|bytes: &[u8]| {
    let with_header = |header: String| [header.as_bytes(), bytes].concat();
    if let Some(expected) = inflated(MultiGzDecoder::new(bytes)) {
        let header = format!("NRRD0004\ntype: uchar\ndimension: 2\nsizes: {} 1\nencoding: gzip\n\n", expected.len());
        let image = nrrd::decode(&with_header(header)).expect("flate2 inflates the voxels");
        assert_eq!(image.cast::<f64>().as_slice(), expected.iter().map(|byte| f64::from(*byte)).collect::<Vec<_>>());
    } else {
        let _ = nrrd::decode(&with_header("NRRD0004\ntype: uchar\ndimension: 2\nsizes: 64 64\nencoding: gzip\n\n".into()));
    }
    if let Some(expected) = inflated(ZlibDecoder::new(bytes)) {
        let header = format!(
            "NDims = 2\nDimSize = {} 1\nElementType = MET_UCHAR\nCompressedData = True\nElementDataFile = LOCAL\n",
            expected.len()
        );
        let image = metaimage::decode(&with_header(header)).expect("flate2 inflates the voxels");
        assert_eq!(image.cast::<f64>().as_slice(), expected.iter().map(|byte| f64::from(*byte)).collect::<Vec<_>>());
    } else {
        let header = "NDims = 2\nDimSize = 64 64\nElementType = MET_UCHAR\nCompressedData = True\nElementDataFile = LOCAL\n";
        let _ = metaimage::decode(&with_header(header.into()));
    }
    let _ = alnm_imaging::nifti::decode(bytes);
});
