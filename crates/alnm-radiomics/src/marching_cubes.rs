//! The surface between the voxels of a mask and the others.

use alnm_imaging::vectorised;

/// Corners of a cube, (z, y, x); bit i of a cube's configuration says whether corner i is inside.
#[cfg(test)]
const CORNERS: [[usize; 3]; 8] =
    [[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 0, 0], [1, 0, 1], [1, 1, 1], [1, 1, 0]];

/// Middles of a cube's edges in half voxels, (z, y, x).
const EDGE_MIDDLES: [[i64; 3]; 12] = [
    [0, 0, 1],
    [0, 1, 2],
    [0, 2, 1],
    [0, 1, 0],
    [2, 0, 1],
    [2, 1, 2],
    [2, 2, 1],
    [2, 1, 0],
    [1, 0, 0],
    [1, 0, 2],
    [1, 2, 2],
    [1, 2, 0],
];

/// Triangles of the 128 configurations in which corner 7 is outside, each as its three edges in base 12: the
/// triangulation of Lorensen and Cline 1987 (doi 10.1145/37402.37422) in the variant that PyRadiomics uses. The other
/// configurations are the complements, with the same triangles turned round.
#[rustfmt::skip]
const TRIANGLES: [&str; 128] = [
    "", "083", "190", "183 198", "12a", "083 12a", "92a 029", "283 2a8 a98", "b23", "b20 08b", "190 b23", "b21 19b 98b", "3a1 ba3",
    "a10 08a 8ba", "903 3b9 ba9", "98a ba8", "478", "043 473", "190 478", "194 147 173", "12a 478", "347 304 12a", "92a 902 478",
    "2a9 297 273 479", "478 b23", "b47 b24 204", "190 478 b23", "47b 94b b29 192", "3a1 ba3 478", "ba1 14b 104 47b", "478 903 3b9 ba9",
    "47b 4b9 9ba", "954", "954 083", "054 015", "854 835 315", "12a 954", "083 12a 954", "2a5 542 240", "2a5 325 354 834", "954 b23",
    "b20 08b 954", "054 015 b23", "215 258 b28 548", "3a1 ba3 954", "549 a10 08a 8ba", "540 50b a5b b03", "548 a58 ba8", "789 579",
    "309 539 357", "780 017 715", "157 173", "789 579 12a", "12a 309 395 357", "028 825 857 2a5", "2a5 253 357", "579 789 b23",
    "579 972 209 b27", "b23 018 178 157", "21b 17b 157", "789 579 3a1 ba3", "570 509 7b0 a10 ba0", "ba0 03b a50 078 570", "ba5 57b",
    "65a", "083 65a", "190 65a", "183 198 65a", "165 126", "165 126 083", "965 906 026", "598 582 526 832", "b23 65a", "b20 08b 65a",
    "190 b23 65a", "b21 19b 98b 65a", "63b 653 513", "08b 0b5 051 5b6", "63b 036 065 059", "659 69b b98", "478 65a", "043 473 65a",
    "190 478 65a", "194 147 173 65a", "478 165 126", "043 473 165 126", "478 965 906 026", "739 479 329 596 269", "b23 478 65a",
    "b47 b24 204 65a", "190 b23 478 65a", "47b 94b b29 192 65a", "478 63b 653 513", "51b 5b6 10b 47b 04b", "478 63b 036 065 059",
    "659 69b 479 7b9", "a49 64a", "a49 64a 083", "01a a60 640", "183 168 864 61a", "149 124 264", "149 124 264 083", "024 426",
    "832 824 426", "b23 a49 64a", "b20 08b a49 64a", "b23 01a a60 640", "641 61a 148 b21 18b", "964 369 139 b63", "18b 081 b61 149 641",
    "63b 036 640", "864 68b", "67a 78a 89a", "67a 0a7 09a 073", "67a 1a7 178 018", "67a 1a7 173", "126 168 189 678",
    "269 129 679 309 739", "078 706 602", "273 267", "b23 67a 78a 89a", "207 b27 097 67a 9a7", "67a 1a7 178 018 b23", "b21 17b a61 167",
    "896 678 169 b63 136", "091 67b", "078 706 03b b60", "67b",
];

/// Area and volume of a mesh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mesh {
    /// Area of the triangles, mm².
    pub(crate) area: f64,
    /// Enclosed volume, mm³.
    pub(crate) volume: f64,
}

/// How often a configuration occurs, and the sums of where.
#[derive(Clone, Copy, Default)]
struct Occurrences {
    count: i64,
    position: [i64; 3],
}

/// Area and volume of the surface at half height between the voxels of `mask` (shape (z, y, x)) and the others; the
/// outside of the array counts as outside the mask. `spacing` is (z, y, x) in mm.
///
/// A triangle (a, b, c) encloses a · (b × c) / 6 with the origin. Moved by o, that grows by o · (a × b + b × c + c × a)
/// / 6, so it is enough to know how often each of the 256 configurations occurs and the sum of its positions, which are
/// integers.
pub(crate) fn mesh(mask: &[bool], shape: [usize; 3], spacing: [f64; 3]) -> Mesh {
    let mut occurrences = [Occurrences::default(); 256];
    let outside = vec![false; shape[2]];
    // Rows are counted from 1, the outside being 0 and the one after the last.
    let row = |z: usize, y: usize| -> &[bool] {
        let within = (1..=shape[0]).contains(&z) && (1..=shape[1]).contains(&y);
        if within { &mask[((z - 1) * shape[1] + y - 1) * shape[2]..][..shape[2]] } else { &outside }
    };
    let mut configurations = vec![0u8; (shape[2] + 1).next_multiple_of(TOGETHER)];
    let arch = pulp::Arch::new();
    for z in 0..=shape[0] {
        for y in 0..=shape[1] {
            let rows = [row(z, y), row(z, y + 1), row(z + 1, y), row(z + 1, y + 1)];
            vectorised!(arch, configure(rows, &mut configurations));
            for (group, together) in configurations.as_chunks::<TOGETHER>().0.iter().enumerate() {
                // Far from the surface, all cubes are outside or all are inside.
                if together.iter().all(|&c| c == 0) || together.iter().all(|&c| c == 0xff) {
                    continue;
                }
                for (place, &configuration) in together.iter().enumerate().filter(|(_, c)| ![0, 0xff].contains(*c)) {
                    let entry = &mut occurrences[usize::from(configuration)];
                    entry.count += 1;
                    entry.position[0] += z as i64;
                    entry.position[1] += y as i64;
                    entry.position[2] += (group * TOGETHER + place) as i64;
                }
            }
        }
    }
    occurrences.iter().enumerate().filter(|(_, entry)| entry.count > 0).fold(
        Mesh { area: 0.0, volume: 0.0 },
        |mesh, (configuration, entry)| {
            let part = contribution(configuration, entry, spacing);
            Mesh { area: mesh.area + part.area, volume: mesh.volume + part.volume }
        },
    )
}

/// Cubes whose configurations are looked at together.
const TOGETHER: usize = 16;

/// The configurations of the cubes along x between four rows of the mask: cube x lies between the voxels x - 1 and x.
#[inline(always)]
fn configure([a, b, c, d]: [&[bool]; 4], configurations: &mut [u8]) {
    let width = a.len();
    let (b, c, d) = (&b[..width], &c[..width], &d[..width]);
    let after = |x: usize| u8::from(a[x]) << 1 | u8::from(b[x]) << 2 | u8::from(c[x]) << 5 | u8::from(d[x]) << 6;
    let before = |x: usize| u8::from(a[x]) | u8::from(b[x]) << 3 | u8::from(c[x]) << 4 | u8::from(d[x]) << 7;
    configurations[0] = after(0);
    for x in 1..width {
        configurations[x] = before(x - 1) | after(x);
    }
    configurations[width] = before(width - 1);
}

/// What all cubes of one configuration add to area and volume.
fn contribution(configuration: usize, occurrences: &Occurrences, spacing: [f64; 3]) -> Mesh {
    let (triangles, sign) = if configuration & 0x80 == 0 {
        (TRIANGLES[configuration], 1.0)
    } else {
        (TRIANGLES[configuration ^ 0xff], -1.0)
    };
    let position: [f64; 3] = std::array::from_fn(|axis| occurrences.position[axis] as f64 * spacing[axis]);
    let count = occurrences.count as f64;
    let mut mesh = Mesh { area: 0.0, volume: 0.0 };
    for triangle in triangles.split_ascii_whitespace() {
        let mut corners = triangle.chars().map(|edge| {
            let middle = EDGE_MIDDLES[edge.to_digit(12).expect("edges are written in base 12") as usize];
            std::array::from_fn(|axis| middle[axis] as f64 * 0.5 * spacing[axis])
        });
        let [a, b, c]: [[f64; 3]; 3] = std::array::from_fn(|_| corners.next().expect("a triangle has three corners"));
        let normal = cross(minus(a, c), minus(b, c));
        mesh.area += count * 0.5 * dot(normal, normal).sqrt();
        mesh.volume += sign * (count * dot(cross(a, b), c) + dot(position, normal)) / 6.0;
    }
    mesh
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - b[1] * a[2], a[2] * b[0] - b[2] * a[0], a[0] * b[1] - b[0] * a[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voxel_is_an_octahedron() {
        let mesh = mesh(&[true], [1, 1, 1], [1.0; 3]);
        approx::assert_relative_eq!(mesh.volume.abs(), 1.0 / 6.0, max_relative = 1e-14);
        approx::assert_relative_eq!(mesh.area, 3.0f64.sqrt(), max_relative = 1e-14);
    }

    #[test]
    fn corners_agree_with_the_sliding_window() {
        // One voxel at every corner of one cube, in turn: the configuration's bit is the corner's number.
        for (number, corner) in CORNERS.iter().enumerate() {
            let mut mask = [false; 8];
            mask[corner[0] * 4 + corner[1] * 2 + corner[2]] = true;
            let mesh = mesh(&mask, [2, 2, 2], [1.0, 2.0, 3.0]);
            approx::assert_relative_eq!(mesh.volume.abs(), 1.0, max_relative = 1e-13);
            assert!(mesh.area > 0.0, "corner {number}");
        }
    }
}
