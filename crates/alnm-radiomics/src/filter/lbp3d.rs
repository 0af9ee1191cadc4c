//! Local binary patterns on spheres, in spherical harmonics.
//!
//! Samples on an icosphere around a voxel, interpolated by a cubic spline, are 1 where they are not below the voxel.
//! The pattern f is expanded into spherical harmonics Y_nm; level n is the norm of Σ_m c_nm Y_nm, c_nm = Σ f Y_nm,
//! which hardly depends on the orientation. The last image is the kurtosis of the samples. Banerjee et al. 2013.
//!
//! As in PyRadiomics, the sphere is measured in voxels, samples are stored in the image's type, those outside the image
//! are 0, and the two angles of the harmonics are swapped.

use std::f64::consts::PI;

use alnm_imaging::region::VoxelBox;
use alnm_imaging::{Image, PixelType};
use rayon::prelude::*;

use super::{box_values, stored_as};

/// What is sampled and how it is expanded.
#[derive(Debug, Clone)]
pub(crate) struct SphericalPattern {
    /// Samples around a voxel, (z, y, x) in voxels.
    samples: Vec<[f64; 3]>,
    /// Y_nm at the samples, for each level n the 2 n + 1 values of m.
    harmonics: Vec<Vec<Vec<Complex>>>,
}

/// A complex number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Complex {
    re: f64,
    im: f64,
}

impl Complex {
    fn plus(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }

    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    /// Real part of the square root with the non-negative real part.
    fn root_re(self) -> f64 {
        ((self.re.hypot(self.im) + self.re) / 2.0).max(0.0).sqrt()
    }
}

impl SphericalPattern {
    /// An icosphere of `radius` voxels whose triangles are divided `subdivisions` times, expanded to `levels` levels.
    pub(crate) fn new(radius: f64, subdivisions: usize, levels: usize) -> Self {
        let samples = icosphere(subdivisions, radius);
        let at_samples = |n: usize, m: isize| {
            let harmonic = |sample: &[f64; 3]| {
                spherical_harmonic(n, m, (sample[2] / radius).clamp(-1.0, 1.0).acos(), sample[1].atan2(sample[0]))
            };
            samples.iter().map(harmonic).collect()
        };
        let harmonics = (0..levels).map(|n| (-(n as isize)..=n as isize).map(|m| at_samples(n, m)).collect()).collect();
        Self { samples, harmonics }
    }

    /// The images of the levels and of the kurtosis, in the voxels of the box `part` that are `inside` (in raster
    /// order); 0 in the others.
    pub(crate) fn images(&self, image: &Image, part: VoxelBox, inside: &[bool]) -> Vec<Vec<f64>> {
        let pixel_type = image.pixel_type();
        let spline = CubicSpline::new(image);
        let [_, height, width] = part.shape();
        let first = part.start_zyx();
        let codes: Vec<Vec<f64>> = (0..inside.len())
            .into_par_iter()
            .map(|place| {
                if !inside[place] {
                    return vec![0.0; self.harmonics.len() + 1];
                }
                let within = [place / (height * width), place / width % height, place % width];
                self.codes(&spline, std::array::from_fn(|axis| first[axis] + within[axis]), pixel_type)
            })
            .collect();
        (0..=self.harmonics.len()).map(|image| codes.iter().map(|codes| codes[image]).collect()).collect()
    }

    /// The levels' norms and the kurtosis for one voxel.
    fn codes(&self, spline: &CubicSpline, voxel: [usize; 3], pixel_type: PixelType) -> Vec<f64> {
        let centre = spline.original[spline.place(voxel)];
        let position = |sample: &[f64; 3]| std::array::from_fn(|axis| voxel[axis] as f64 + sample[axis]);
        let values: Vec<f64> =
            self.samples.iter().map(|sample| stored(spline.at(position(sample)), pixel_type)).collect();
        let mut codes: Vec<f64> = self.harmonics.iter().map(|orders| level_norm(orders, &values, centre)).collect();
        codes.push(kurtosis(&values, pixel_type));
        codes
    }
}

/// Real part of √Σ_v (Σ_m c_m Y_m(v))², c_m the sum of Y_m over the samples that are not below `centre`.
fn level_norm(orders: &[Vec<Complex>], values: &[f64], centre: f64) -> f64 {
    let mut components = vec![Complex::default(); values.len()];
    for harmonic in orders {
        let set = harmonic.iter().zip(values).filter(|(_, value)| **value >= centre);
        let coefficient = set.fold(Complex::default(), |sum, (y, _)| sum.plus(*y));
        for (component, y) in components.iter_mut().zip(harmonic) {
            *component = component.plus(coefficient.times(*y));
        }
    }
    components.iter().fold(Complex::default(), |sum, c| sum.plus(c.times(*c))).root_re()
}

/// m₄ / m₂² - 3; NaN when the values do not vary. scipy works in single precision on single-precision samples, with
/// numpy's order of additions.
fn kurtosis(values: &[f64], pixel_type: PixelType) -> f64 {
    let single = pixel_type == PixelType::F32;
    let rounded = |x: f64| if single { f64::from(x as f32) } else { x };
    let mean_of = |values: &[f64]| rounded(rounded_sum(values, rounded) / values.len() as f64);
    let mean = mean_of(values);
    let squares: Vec<f64> = values.iter().map(|value| rounded(value - mean)).map(|d| rounded(d * d)).collect();
    let fourths: Vec<f64> = squares.iter().map(|square| rounded(square * square)).collect();
    let variance = mean_of(&squares);
    // scipy takes a spread of this size for rounding.
    let resolution = if single { 1e-6 } else { 1e-15 };
    if variance <= (resolution * mean).powi(2) {
        return f64::NAN;
    }
    rounded(rounded(mean_of(&fourths) / rounded(variance * variance)) - 3.0)
}

/// Up to 128 values added up in numpy's order, each sum rounded.
fn rounded_sum(values: &[f64], rounded: impl Fn(f64) -> f64) -> f64 {
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    let mut lanes = [0.0; 8];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = rounded(*lane + value);
        }
    }
    let pairs: [f64; 4] = std::array::from_fn(|k| rounded(lanes[2 * k] + lanes[2 * k + 1]));
    let sum = rounded(rounded(pairs[0] + pairs[1]) + rounded(pairs[2] + pairs[3]));
    rest.iter().fold(sum, |sum, value| rounded(sum + value))
}

/// A sample as the image's type holds it: integers are rounded half away from zero.
fn stored(value: f64, pixel_type: PixelType) -> f64 {
    let rounded = if value > 0.0 { value + 0.5 } else { value - 0.5 };
    stored_as(pixel_type, if pixel_type.is_float() { value } else { rounded })
}

/// Vertices of an icosahedron whose triangles are divided into four, again and again, and moved onto a sphere. The
/// arithmetic is trimesh's: where a sample falls on a voxel, its last bits decide whether it is below the centre.
fn icosphere(subdivisions: usize, radius: f64) -> Vec<[f64; 3]> {
    /// The coordinates of an icosahedron in the unit sphere, but for 0.
    const SHORT: f64 = 0.525_731_112_119_133_6;
    const LONG: f64 = 0.850_650_808_352_04;
    let mut vertices = Vec::new();
    for short in [SHORT, -SHORT] {
        for long in [LONG, -LONG] {
            vertices.extend([[short, long, 0.0], [0.0, short, long], [long, 0.0, short]]);
        }
    }
    // Edges have twice the short coordinate's length; the next shortest distance is twice the long one.
    let joined = |a: usize, b: usize| {
        (0..3).map(|axis| (vertices[a][axis] - vertices[b][axis]).powi(2)).sum::<f64>() < 4.0 * SHORT * LONG
    };
    let mut triangles = Vec::new();
    for a in 0..12 {
        for b in a + 1..12 {
            triangles.extend((b + 1..12).filter(|&c| joined(a, b) && joined(b, c) && joined(a, c)).map(|c| [a, b, c]));
        }
    }
    if subdivisions == 0 {
        vertices.iter_mut().for_each(|vertex| move_onto_sphere(vertex, radius));
    }
    for _ in 0..subdivisions {
        let mut middles = std::collections::BTreeMap::new();
        let mut divided = Vec::with_capacity(4 * triangles.len());
        for [a, b, c] in triangles {
            let [ab, bc, ca] = [[a, b], [b, c], [a, c]].map(|[from, to]| {
                *middles.entry((from.min(to), from.max(to))).or_insert_with(|| {
                    vertices.push(std::array::from_fn(|axis| (vertices[from][axis] + vertices[to][axis]) / 2.0));
                    vertices.len() - 1
                })
            });
            divided.extend([[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]);
        }
        triangles = divided;
        vertices.iter_mut().for_each(|vertex| move_onto_sphere(vertex, radius));
    }
    vertices
}

fn move_onto_sphere(vector: &mut [f64; 3], radius: f64) {
    let length = vector.iter().map(|c| c * c).sum::<f64>().sqrt();
    *vector = vector.map(|c| c + c / length * (radius - length));
}

/// Y_nm at an azimuth and a polar angle, with the Condon-Shortley phase.
fn spherical_harmonic(n: usize, m: isize, azimuth: f64, polar: f64) -> Complex {
    let order = m.unsigned_abs();
    let ratio: f64 = (n - order + 1..=n + order).map(|k| 1.0 / k as f64).product();
    let mut size = ((2 * n + 1) as f64 / (4.0 * PI) * ratio).sqrt() * legendre(n, order, polar.cos());
    if m < 0 && order % 2 == 1 {
        size = -size;
    }
    let (sine, cosine) = (m as f64 * azimuth).sin_cos();
    Complex { re: size * cosine, im: size * sine }
}

/// The associated Legendre polynomial P_n^m(x), by upward recursion in n.
fn legendre(n: usize, m: usize, x: f64) -> f64 {
    let root = (1.0 - x * x).max(0.0).sqrt();
    let mut current: f64 = (1..=m).map(|k| -((2 * k - 1) as f64) * root).product();
    let mut previous = 0.0;
    for degree in m + 1..=n {
        let next = ((2 * degree - 1) as f64 * x * current - (degree + m - 1) as f64 * previous) / (degree - m) as f64;
        previous = current;
        current = next;
    }
    current
}

/// The interpolating cubic spline of a volume with mirrored borders.
struct CubicSpline {
    shape: [usize; 3],
    original: Vec<f64>,
    coefficients: Vec<f64>,
}

impl CubicSpline {
    fn new(image: &Image) -> Self {
        let shape = image.geometry().shape();
        let original = box_values(image, VoxelBox::of_shape(shape));
        let mut coefficients = original.clone();
        let strides = [shape[1] * shape[2], shape[2], 1];
        for axis in (0..3).filter(|&axis| shape[axis] > 1) {
            let (outer, inner) = [(1, 2), (0, 2), (0, 1)][axis];
            let mut line = vec![0.0; shape[axis]];
            for i in 0..shape[outer] {
                for j in 0..shape[inner] {
                    let start = i * strides[outer] + j * strides[inner];
                    for (k, value) in line.iter_mut().enumerate() {
                        *value = coefficients[start + k * strides[axis]];
                    }
                    to_coefficients(&mut line);
                    for (k, value) in line.iter().enumerate() {
                        coefficients[start + k * strides[axis]] = *value;
                    }
                }
            }
        }
        Self { shape, original, coefficients }
    }

    fn place(&self, voxel: [usize; 3]) -> usize {
        (voxel[0] * self.shape[1] + voxel[1]) * self.shape[2] + voxel[2]
    }

    /// The value at a position (z, y, x) in voxels; 0 outside the volume.
    fn at(&self, position: [f64; 3]) -> f64 {
        if (0..3).any(|axis| position[axis] < 0.0 || position[axis] > (self.shape[axis] - 1) as f64) {
            return 0.0;
        }
        let first = position.map(|p| p.floor() as isize - 1);
        let weights = position.map(|p| cubic_weights(p - p.floor()));
        let index = |axis: usize, tap: usize| mirrored(first[axis] + tap as isize, self.shape[axis]);
        let mut sum = 0.0;
        for (a, wz) in weights[0].iter().enumerate() {
            for (b, wy) in weights[1].iter().enumerate() {
                let row = (index(0, a) * self.shape[1] + index(1, b)) * self.shape[2];
                for (c, wx) in weights[2].iter().enumerate() {
                    sum += self.coefficients[row + index(2, c)] * wz * wy * wx;
                }
            }
        }
        sum
    }
}

/// B-spline coefficients in place of a line's values: the recursion of Unser 1999 (doi 10.1109/79.799930).
fn to_coefficients(line: &mut [f64]) {
    /// √3 − 2, rounded from its exact value as in scipy.
    const POLE: f64 = -0.267_949_192_431_122_7;
    let gain = (1.0 - POLE) * (1.0 - 1.0 / POLE);
    let n = line.len();
    for value in line.iter_mut() {
        *value *= gain;
    }
    let far = POLE.powf((n - 1) as f64);
    let mut power = POLE;
    let mut first = line[0] + far * line[n - 1];
    for i in 1..n - 1 {
        first += power * (line[i] + far * line[n - 1 - i]);
        power *= POLE;
    }
    line[0] = first / (1.0 - far * far);
    for i in 1..n {
        line[i] += POLE * line[i - 1];
    }
    line[n - 1] = (POLE * line[n - 2] + line[n - 1]) * POLE / (POLE * POLE - 1.0);
    for i in (0..n - 1).rev() {
        line[i] = POLE * (line[i + 1] - line[i]);
    }
}

/// Weights of the four coefficients around a position, a part of `t` voxels beyond the second.
fn cubic_weights(t: f64) -> [f64; 4] {
    let u = 1.0 - t;
    let (first, second, third) =
        (u * u * u / 6.0, (t * t * (t - 2.0) * 3.0 + 4.0) / 6.0, (u * u * (u - 2.0) * 3.0 + 4.0) / 6.0);
    [first, second, third, 1.0 - first - second - third]
}

/// An index beyond an end, mirrored at the end's voxel.
fn mirrored(index: isize, n: usize) -> usize {
    let last = n as isize - 1;
    if last == 0 {
        return 0;
    }
    let folded = index.rem_euclid(2 * last);
    folded.min(2 * last - folded) as usize
}

#[cfg(test)]
mod tests {
    use alnm_imaging::{Geometry, Volume};

    use super::*;

    #[test]
    fn an_icosphere_has_42_vertices_on_the_sphere() {
        assert_eq!(icosphere(0, 1.0).len(), 12);
        let vertices = icosphere(1, 1.0);
        assert_eq!(vertices.len(), 42);
        for vertex in vertices {
            approx::assert_relative_eq!(vertex.iter().map(|c| c * c).sum::<f64>(), 1.0, max_relative = 1e-14);
        }
    }

    #[test]
    fn harmonics_are_orthonormal() {
        // A midpoint rule over the sphere.
        let n = 400;
        let product = |a: (usize, isize), b: (usize, isize)| {
            let mut sum = 0.0;
            for i in 0..n {
                let polar = PI * (i as f64 + 0.5) / n as f64;
                for k in 0..12 {
                    let azimuth = 2.0 * PI * k as f64 / 12.0;
                    let (x, y) =
                        (spherical_harmonic(a.0, a.1, azimuth, polar), spherical_harmonic(b.0, b.1, azimuth, polar));
                    sum += (x.re * y.re + x.im * y.im) * polar.sin() * PI / n as f64 * 2.0 * PI / 12.0;
                }
            }
            sum
        };
        approx::assert_relative_eq!(product((2, -1), (2, -1)), 1.0, max_relative = 1e-4);
        approx::assert_relative_eq!(product((3, 2), (3, 2)), 1.0, max_relative = 1e-4);
        approx::assert_abs_diff_eq!(product((2, 0), (1, 0)), 0.0, epsilon = 1e-4);
    }

    #[test]
    fn the_spline_goes_through_the_voxels() {
        let geometry = Geometry::axis_aligned([5, 4, 3], [1.0; 3]).unwrap();
        let data = ndarray::Array3::from_shape_fn([3, 4, 5], |(z, y, x)| ((z * 31 + y * 17 + x * 7) % 23) as f64);
        let spline = CubicSpline::new(&Image::F64(Volume::new(data.clone(), geometry).unwrap()));
        for ((z, y, x), value) in data.indexed_iter() {
            approx::assert_abs_diff_eq!(spline.at([z as f64, y as f64, x as f64]), *value, epsilon = 1e-12);
        }
        assert_eq!(spline.at([-0.1, 0.0, 0.0]), 0.0);
    }
}
