//! Writes and reads an image in compressed formats, again and again, and prints the least time of each as JSON.
//! `compare_compressed.py` runs it beside SimpleITK; the number of threads is that of RAYON_NUM_THREADS.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use alnm_imaging::{read_image, write_image};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, folder, runs] = arguments.as_slice() else {
        return Err("repeat_files IMAGE FOLDER RUNS".into());
    };
    let (image, runs) = (read_image(image)?, runs.parse::<usize>()?);
    for suffix in ["nii.gz", "nrrd", "mha"] {
        let file = Path::new(folder).join(format!("image.{suffix}"));
        let (mut write, mut read) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..runs {
            let start = Instant::now();
            write_image(&file, &image)?;
            write = write.min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            let back = read_image(&file)?;
            read = read.min(start.elapsed().as_secs_f64());
            // Geometries are written with few digits.
            if back.cast::<f64>().as_slice() != image.cast::<f64>().as_slice() {
                return Err(format!("{} comes back changed", file.display()).into());
            }
        }
        let bytes = std::fs::metadata(&file)?.len();
        writeln!(std::io::stdout(), r#"{{"suffix": "{suffix}", "write": {write}, "read": {read}, "bytes": {bytes}}}"#)?;
    }
    Ok(())
}
