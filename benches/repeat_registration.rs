//! Registers one image to another, again and again in one process, and prints what each call took, as one line of JSON:
//! `{"calls": [[wall seconds, CPU seconds], ...], "resolutions": [...], "folded": N, "volume_change": X}`. Writes the
//! transform. `compare_registration.py` runs it beside elastix and greedy; the number of threads is that of
//! RAYON_NUM_THREADS.

use std::env::args;
use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;
use std::time::Instant;

use alnm_imaging::{read_image, read_mask};
use alnm_registration::{RegistrationIteration, RegistrationMasks, RegistrationParams, write_transform};
use cpu_time::ProcessTime;

const USAGE: &str = "repeat_registration FIXED MOVING OUT.tfm CALLS LESION|- PARAMETERS: the parameters as JSON, {} for the \
                     defaults";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = args().skip(1).collect();
    let [fixed, moving, out, calls, lesion, parameters] = arguments.as_slice() else { return Err(USAGE.into()) };
    let (fixed, moving) = (read_image(fixed)?.cast::<f32>(), read_image(moving)?.cast::<f32>());
    let lesion = if lesion == "-" { None } else { Some(read_mask(lesion)?) };
    let mut masks = RegistrationMasks::default();
    masks.lesion = lesion.as_ref();
    let registration = serde_json::from_str::<RegistrationParams>(parameters)?.check()?;
    let mut observer = |_: &RegistrationIteration| ControlFlow::Continue(());
    let (mut taken, mut result) = (Vec::new(), None);
    for _ in 0..calls.parse::<usize>()?.max(1) {
        let (wall, processor) = (Instant::now(), ProcessTime::now());
        result = Some(registration.register(&fixed, &moving, masks, &mut observer)?);
        taken.push([wall.elapsed().as_secs_f64(), processor.elapsed().as_secs_f64()]);
    }
    let result = result.ok_or("no call")?;
    write_transform(out, &result.transform)?;
    let line = serde_json::json!({
        "calls": taken,
        "resolutions": result.resolutions,
        "folded": result.jacobian.folded,
        "least_determinant": result.jacobian.minimum,
        "bending_weight": result.bending_weight,
        "volume_change": result.lesion.map(|lesion| lesion.volume_change),
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
