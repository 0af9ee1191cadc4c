//! ITK's text files of transforms (`.tfm`, `.txt`), which SimpleITK, ANTs and 3D Slicer read and write too.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

use alnm_imaging::Geometry;
use alnm_imaging::file::write_atomically;

use super::{AffineTransform, BSplineTransform, EulerTransform, SpatialTransform, TransformPart};
use crate::error::{RegistrationError, Result, TransformFileProblem};
use crate::matrix::{IDENTITY, Matrix};

const FIRST_LINE: &str = "#Insight Transform File V1.0";

/// Bytes of the largest file that is read: some ten million coefficients.
const LARGEST_FILE: u64 = 256 << 20;

/// Reads a transform from a text file of ITK.
///
/// Read are Identity, Translation, Euler3D, VersorRigid3D, Affine, MatrixOffset and BSpline transforms of three
/// dimensions, in single or double precision, and composites of them. Several transforms without a composite before
/// them are refused, since the file does not say in which order they act.
///
/// # Errors
/// [`RegistrationError::TransformFile`] with the file and what is wrong with it.
///
/// ```
/// use alnm_registration::{EulerTransform, SpatialTransform, read_transform, write_transform};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("shift.tfm");
/// let transform = SpatialTransform::from(EulerTransform::new([0.1, 0.0, 0.2], [1.0, 2.0, 3.0], [50.0, 60.0, 20.0]));
/// write_transform(&path, &transform)?;
/// assert_eq!(read_transform(&path)?, transform);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_transform(path: impl AsRef<Path>) -> Result<SpatialTransform> {
    let path = path.as_ref();
    let read = || -> Result<SpatialTransform, TransformFileProblem> { read_text(path)?.parse() };
    read().map_err(|source| RegistrationError::TransformFile { path: path.to_owned(), source })
}

fn read_text(path: &Path) -> Result<String, TransformFileProblem> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        length if length > LARGEST_FILE => Err(TransformFileProblem::TooLarge { bytes: length, limit: LARGEST_FILE }),
        _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Writes a transform as a text file of ITK: as one transform where it has one part, else as a composite transform.
/// Numbers are written so that reading gives the same bits. The file is there as a whole or not at all.
///
/// # Errors
/// [`RegistrationError::TransformFile`] when the file cannot be written.
pub fn write_transform(path: impl AsRef<Path>, transform: &SpatialTransform) -> Result<()> {
    let path = path.as_ref();
    write_atomically(path, |file| file.write_all(transform.to_itk_text().as_bytes()))
        .map_err(|error| RegistrationError::TransformFile { path: path.to_owned(), source: error.into() })
}

impl SpatialTransform {
    /// The transform as a text file of ITK.
    #[must_use]
    pub fn to_itk_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        let mut number = 0;
        let mut begin = |text: &mut String, kind: &str| {
            let _ = writeln!(text, "#Transform {number}\nTransform: {kind}_double_3_3");
            number += 1;
        };
        match self.parts() {
            [] => {
                begin(&mut text, "IdentityTransform");
                text.push_str("Parameters: \nFixedParameters: \n");
            }
            [_] => {}
            _ => begin(&mut text, "CompositeTransform"),
        }
        for part in self.parts() {
            let (kind, parameters, fixed) = written(part);
            begin(&mut text, kind);
            for (name, numbers) in [("Parameters", parameters), ("FixedParameters", fixed)] {
                let _ = write!(text, "{name}:");
                numbers.iter().for_each(|number| {
                    let _ = write!(text, " {number}");
                });
                text.push('\n');
            }
        }
        text
    }
}

/// The type of a part in ITK, its parameters and its fixed parameters.
fn written(part: &TransformPart) -> (&'static str, Vec<f64>, Vec<f64>) {
    match part {
        TransformPart::Euler(euler) => {
            let parameters = [euler.angles(), euler.translation()].concat();
            let [x, y, z] = euler.center();
            ("Euler3DTransform", parameters, vec![x, y, z, 0.0])
        }
        TransformPart::Affine(affine) => {
            let parameters = [affine.matrix().as_flattened(), &affine.translation()].concat();
            ("AffineTransform", parameters, affine.center().to_vec())
        }
        TransformPart::BSpline(spline) => {
            let grid = spline.control_grid();
            let size = grid.size().map(|points| points as f64);
            let fixed = [&size, &grid.origin(), &grid.spacing(), grid.direction().as_flattened()].concat();
            ("BSplineTransform", spline.coefficients().to_vec(), fixed)
        }
    }
}

/// A transform of a file, before its numbers are looked at.
struct Block {
    kind: String,
    parameters: Vec<f64>,
    fixed: Vec<f64>,
}

impl std::str::FromStr for SpatialTransform {
    type Err = TransformFileProblem;

    fn from_str(text: &str) -> Result<Self, TransformFileProblem> {
        let blocks = blocks(text)?;
        let is_composite = |block: &Block| name_of(&block.kind) == "CompositeTransform";
        let (composite, parts) = match blocks.split_first() {
            Some((first, rest)) if is_composite(first) => (true, rest),
            _ => (false, blocks.as_slice()),
        };
        if !composite && parts.len() > 1 {
            let what = format!("{} transforms without a composite transform before them", parts.len());
            return Err(TransformFileProblem::invalid(&parts[0].kind, what));
        }
        if parts.is_empty() && !composite {
            return Err(TransformFileProblem::Malformed { line: 1, what: "no transform follows".to_owned() });
        }
        let parts = parts.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(parts.into_iter().flatten().collect()))
    }
}

fn blocks(text: &str) -> Result<Vec<Block>, TransformFileProblem> {
    let mut lines = text.lines().enumerate();
    let first = lines.next().map_or("", |(_, line)| line.trim());
    if first != FIRST_LINE {
        return Err(TransformFileProblem::NoTransformFile { first: first.chars().take(60).collect() });
    }
    let mut blocks: Vec<Block> = Vec::new();
    for (number, line) in lines {
        let malformed = |what: String| TransformFileProblem::Malformed { line: number + 1, what };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            return Err(malformed("a line must have the form \"key: value\"".to_owned()));
        };
        if key == "Transform" {
            blocks.push(Block { kind: value.trim().to_owned(), parameters: Vec::new(), fixed: Vec::new() });
            continue;
        }
        let Some(block) = blocks.last_mut() else {
            return Err(malformed(format!("{key} stands before the first transform")));
        };
        let numbers = match key {
            "Parameters" => &mut block.parameters,
            "FixedParameters" => &mut block.fixed,
            _ => return Err(malformed(format!("{key} is no key of a transform file"))),
        };
        *numbers = value.split_ascii_whitespace().map(number_of).collect::<Result<_, _>>().map_err(malformed)?;
    }
    Ok(blocks)
}

fn number_of(word: &str) -> Result<f64, String> {
    match word.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("{:?} is no finite number", word.chars().take(40).collect::<String>())),
    }
}

/// The name of a type without precision and dimensions.
fn name_of(kind: &str) -> &str {
    kind.strip_suffix("_double_3_3").or_else(|| kind.strip_suffix("_float_3_3")).unwrap_or("")
}

/// The part that a block describes; none for the identity.
fn part(block: &Block) -> Result<Option<TransformPart>, TransformFileProblem> {
    let Block { kind, parameters, fixed } = block;
    let center = || -> Result<[f64; 3], TransformFileProblem> {
        match fixed.as_slice() {
            [] => Ok([0.0; 3]),
            [x, y, z] | [x, y, z, _] => Ok([*x, *y, *z]),
            _ => Err(TransformFileProblem::invalid(kind, format!("{} fixed parameters instead of 3", fixed.len()))),
        }
    };
    let affine = |matrix, translation, center| {
        Ok(Some(TransformPart::Affine(AffineTransform::new(matrix, translation, center))))
    };
    match name_of(kind) {
        "IdentityTransform" => Ok(None),
        "TranslationTransform" => affine(IDENTITY, array(kind, parameters)?, [0.0; 3]),
        "Euler3DTransform" => {
            let [ax, ay, az, x, y, z] = array(kind, parameters)?;
            let euler = EulerTransform::new([ax, ay, az], [x, y, z], center()?);
            match fixed.as_slice() {
                [_, _, _, zyx] if *zyx != 0.0 => {
                    let invalid = "rotations in the order z, y, x (the fourth fixed parameter) are not read";
                    Err(TransformFileProblem::invalid(kind, invalid))
                }
                _ => Ok(Some(TransformPart::Euler(euler))),
            }
        }
        "VersorRigid3DTransform" => {
            let [vx, vy, vz, x, y, z] = array(kind, parameters)?;
            let Some(matrix) = versor_matrix([vx, vy, vz]) else {
                return Err(TransformFileProblem::invalid(kind, "the versor is longer than 1"));
            };
            affine(matrix, [x, y, z], center()?)
        }
        "AffineTransform" | "MatrixOffsetTransformBase" => {
            let numbers: [f64; 12] = array(kind, parameters)?;
            let matrix = std::array::from_fn(|i| std::array::from_fn(|j| numbers[3 * i + j]));
            affine(matrix, [numbers[9], numbers[10], numbers[11]], center()?)
        }
        "BSplineTransform" => bspline(kind, parameters, fixed).map(Some),
        _ => Err(TransformFileProblem::UnknownKind { kind: kind.chars().take(80).collect() }),
    }
}

fn array<const N: usize>(kind: &str, numbers: &[f64]) -> Result<[f64; N], TransformFileProblem> {
    numbers
        .try_into()
        .map_err(|_| TransformFileProblem::invalid(kind, format!("{} parameters instead of {N}", numbers.len())))
}

/// The rotation of a unit quaternion whose vector part is given.
fn versor_matrix([x, y, z]: [f64; 3]) -> Option<Matrix> {
    let rest = 1.0 - x * x - y * y - z * z;
    // Numbers with six digits may leave the unit sphere by a trace.
    let w = (rest > -1e-5).then(|| rest.max(0.0).sqrt())?;
    Some([
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
        [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
        [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
    ])
}

fn bspline(kind: &str, parameters: &[f64], fixed: &[f64]) -> Result<TransformPart, TransformFileProblem> {
    let invalid = |what: String| TransformFileProblem::invalid(kind, what);
    let [sx, sy, sz, ox, oy, oz, dx, dy, dz, rest @ ..] = fixed else {
        return Err(invalid(format!("{} fixed parameters instead of 18", fixed.len())));
    };
    let &[xx, xy, xz, yx, yy, yz, zx, zy, zz] = rest else {
        return Err(invalid(format!("{} fixed parameters instead of 18", fixed.len())));
    };
    let sizes = [*sx, *sy, *sz];
    if sizes.iter().any(|size| size.fract() != 0.0 || *size < 1.0 || *size > 1e6) {
        return Err(invalid(format!("{sizes:?} control points are no numbers from 1 on")));
    }
    let direction = [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]];
    let grid = Geometry::new(sizes.map(|size| size as usize), [*dx, *dy, *dz], [*ox, *oy, *oz], direction)
        .map_err(|error| invalid(error.to_string()))?;
    BSplineTransform::new(grid, parameters.to_vec())
        .map(TransformPart::BSpline)
        .map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{apply, rotation};

    fn composite() -> SpatialTransform {
        let direction = rotation(2, 0.25);
        let grid = Geometry::new([5, 4, 6], [12.5, 11.0, 9.75], [-7.25, 3.0, 1.0 / 3.0], direction).unwrap();
        let coefficients = (0..360).map(|i| (f64::from(i) * 0.7).sin()).collect();
        SpatialTransform::new(vec![
            TransformPart::Euler(EulerTransform::new([0.01, -0.02, 1e-9], [1.0, -2.0, 0.1], [10.0, 20.0, 30.0])),
            TransformPart::Affine(AffineTransform::new(rotation(0, 0.1), [0.0, 0.5, 0.0], [1.0; 3])),
            TransformPart::BSpline(BSplineTransform::new(grid, coefficients).unwrap()),
        ])
    }

    #[test]
    fn what_is_written_is_read_with_the_same_bits() {
        for transform in [SpatialTransform::identity(), composite()] {
            assert_eq!(transform.to_itk_text().parse::<SpatialTransform>().unwrap(), transform);
        }
    }

    #[test]
    fn a_versor_turns_as_its_rotation() {
        let half: f64 = 0.15;
        let matrix = versor_matrix([0.0, 0.0, half.sin()]).unwrap();
        let (ours, expected) = (apply(&matrix, [1.0, 2.0, 3.0]), apply(&rotation(2, 0.3), [1.0, 2.0, 3.0]));
        assert!(ours.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14));
    }

    #[test]
    fn damaged_files_are_refused_or_read_and_never_panic() {
        let text = composite().to_itk_text();
        for end in (0..text.len()).step_by(7) {
            let _ = text[..end].parse::<SpatialTransform>();
        }
        for (good, bad) in [
            ("#Insight", "#Insight2"),
            ("BSplineTransform", "BSplineDeformableTransform"),
            ("_double_3_3", "_double_2_2"),
            ("CompositeTransform_double_3_3", "AffineTransform_double_3_3"),
            ("FixedParameters: 5 4 6", "FixedParameters: 5 4 6.5"),
            ("FixedParameters: 5 4 6", "FixedParameters: 5 4 999999"),
            ("FixedParameters: 5 4 6", "FixedParameters: 5 4"),
            ("12.5", "-12.5"),
            ("Parameters: 0.01", "Parameters: NaN"),
            ("Parameters: 0.01", "Parameters: 0.01 7"),
            ("Parameters: 0.01", "Numbers: 0.01"),
            ("20 30 0", "20 30 1"),
        ] {
            assert!(text.contains(good), "{good}");
            assert!(text.replacen(good, bad, 1).parse::<SpatialTransform>().is_err(), "{bad}");
        }
    }
}
