//! Whether a case can be held in memory. The system ends a program that takes more than there is, with all its cases,
//! so that this is asked before.

use alnm_imaging::resample::{roi_grid, spacing_grid};
use alnm_imaging::{Geometry, Image};
use anyhow::{Result, ensure};

use super::engine::Engine;
use super::regions::Subject;

/// Bytes of a label.
const LABEL_BYTES: u64 = 4;

/// Refuses a region whose resampled image and mask alone take more memory than is free.
pub(super) fn check(engine: &Engine, subject: &Subject<'_>) -> Result<()> {
    let Some(grid) = resampled_grid(engine, subject) else { return Ok(()) };
    let Some(free) = free_memory() else { return Ok(()) };
    let needed = needed_bytes(subject.image, &grid);
    ensure!(
        needed <= free,
        "the resampled grid has {:?} voxels (x, y, z), which take {:.1} GiB of memory or more, and {:.1} GiB are free; \
         choose a larger spacing",
        grid.size(),
        gibibytes(needed),
        gibibytes(free)
    );
    Ok(())
}

fn needed_bytes(image: &Image, grid: &Geometry) -> u64 {
    let voxel = image.pixel_type().bytes() as u64;
    (grid.voxel_count() as u64).saturating_mul(voxel + LABEL_BYTES)
}

/// The grid that a region is brought to; none where it stays on its own, or where the extraction itself says what is
/// wrong.
fn resampled_grid(engine: &Engine, subject: &Subject<'_>) -> Option<Geometry> {
    let Subject { image, mask, label, .. } = *subject;
    let parameters = engine.parameters();
    if let Some(profile) = parameters.ibsi() {
        let interpolation = profile.interpolation.as_ref()?;
        return spacing_grid(image.geometry(), interpolation.spacing.map(|spacing| spacing.unwrap_or(0.0))).ok();
    }
    let settings = parameters.settings();
    let spacing = settings.resampled_pixel_spacing.as_ref().filter(|_| settings.interpolator.is_some())?;
    let spacing = std::array::from_fn(|axis| spacing.get(axis).copied().unwrap_or(0.0));
    roi_grid(mask, label, spacing, settings.pad_distance).ok()
}

fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / (1u64 << 30) as f64
}

/// Bytes that this program may still take: what the system has, what the container allows, and what the address space
/// is limited to (`ulimit -v`). None where the system does not say.
fn free_memory() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let system = read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemAvailable:"));
    let container = || {
        let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
        number("/sys/fs/cgroup/memory.max")?.checked_sub(number("/sys/fs/cgroup/memory.current")?)
    };
    let address_space = || {
        let limit = limit(&read("/proc/self/limits")?, "Max address space")?;
        Some(limit.saturating_sub(kibibytes(&read("/proc/self/status")?, "VmSize:")?))
    };
    [system, container(), address_space()].into_iter().flatten().min()
}

/// The number behind a name, in bytes, of a text with lines such as `MemAvailable:   1024 kB`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The first number behind a name of a text with lines such as `Max address space   1024   unlimited   bytes`.
fn limit(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_system_are_read() {
        let text = "MemTotal:       24683652 kB\nMemAvailable:   23640704 kB\n";
        assert_eq!(kibibytes(text, "MemAvailable:"), Some(23_640_704 * 1024));
        assert_eq!(kibibytes(text, "MemFree:"), None);
        let text = "Max data size             unlimited            unlimited            bytes     \n\
                    Max address space         4194304              unlimited            bytes     \n";
        assert_eq!((limit(text, "Max address space"), limit(text, "Max data size")), (Some(4_194_304), None));
        if cfg!(target_os = "linux") {
            assert!(free_memory().is_some_and(|bytes| bytes > 1 << 20));
        }
    }
}
