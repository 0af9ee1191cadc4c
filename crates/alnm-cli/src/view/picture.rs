//! Pictures of planes: grey values in a window, outlines, letters and a scale bar, as PNG.

use anyhow::{Context, Result};
use ndarray::{Array2, ArrayView2};

use super::glyphs;

/// Colours of labels 1, 2, ...; the colours begin again after the last (Okabe and Ito's, which the colour-blind tell
/// apart, on a dark ground).
pub(super) const COLOURS: [[u8; 3]; 6] =
    [[240, 228, 66], [86, 180, 233], [230, 159, 0], [0, 158, 115], [204, 121, 167], [213, 94, 0]];

const WHITE: [u8; 3] = [255; 3];
const BLACK: [u8; 3] = [0; 3];

pub(super) fn colour_of(label: u32) -> [u8; 3] {
    COLOURS[(label.max(1) - 1) as usize % COLOURS.len()]
}

/// The grey values that are shown as black and as white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Window {
    /// From one percentile of the finite values to another; of equal values all are black.
    pub(super) fn of_percentiles(values: impl Iterator<Item = f32>, [low, high]: [f64; 2]) -> Self {
        let mut finite: Vec<f32> = values.filter(|value| value.is_finite()).collect();
        if finite.is_empty() {
            return Self { low: 0.0, high: 1.0 };
        }
        let last = finite.len() - 1;
        let mut percentile = |share: f64| {
            let rank = ((share / 100.0).clamp(0.0, 1.0) * last as f64).round() as usize;
            f64::from(*finite.select_nth_unstable_by(rank, f32::total_cmp).1)
        };
        Self { low: percentile(low), high: percentile(high) }
    }

    /// The window of a centre and a width, as DICOM cuts it (PS3.3 C.11.2.1.2.1).
    pub(super) fn of_dicom([centre, width]: [f64; 2]) -> Self {
        let half = (width.max(1.0) - 1.0) / 2.0;
        Self { low: centre - 0.5 - half, high: centre - 0.5 + half }
    }

    pub(super) fn grey(self, value: f32) -> u8 {
        let range = self.high - self.low;
        let share = if range > 0.0 { (f64::from(value) - self.low) / range } else { 0.0 };
        // What is not finite is black.
        (255.0 * share.clamp(0.0, 1.0)).round() as u8
    }
}

/// A picture in colour, black at first.
pub(super) struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![BLACK; width * height] }
    }

    fn set(&mut self, column: usize, row: usize, colour: [u8; 3]) {
        if column < self.width && row < self.height {
            self.pixels[row * self.width + column] = colour;
        }
    }

    /// Draws grey values from a corner on.
    pub(super) fn draw(&mut self, [left, top]: [usize; 2], values: ArrayView2<'_, f32>, window: Window) {
        for ((row, column), &value) in values.indexed_iter() {
            self.set(left + column, top + row, [window.grey(value); 3]);
        }
    }

    /// Draws the outlines of the labels of a field, so many pixels wide, inside the region that they enclose.
    pub(super) fn outline(&mut self, [left, top]: [usize; 2], labels: &Array2<u32>, width: usize) {
        let at = |row: Option<usize>, column: Option<usize>| match (row, column) {
            (Some(row), Some(column)) => labels.get((row, column)).copied().unwrap_or(0),
            _ => 0,
        };
        for ((row, column), &label) in labels.indexed_iter().filter(|(_, label)| **label != 0) {
            let is_border = (1..=width).any(|far| {
                [
                    at(row.checked_sub(far), Some(column)),
                    at(Some(row + far), Some(column)),
                    at(Some(row), column.checked_sub(far)),
                    at(Some(row), Some(column + far)),
                ]
                .iter()
                .any(|other| *other != label)
            });
            if is_border {
                self.set(left + column, top + row, colour_of(label));
            }
        }
    }

    /// Writes letters, white with a dark edge, from their upper left corner on, each pixel of a letter `scale` wide.
    pub(super) fn write(&mut self, [left, top]: [usize; 2], text: &str, scale: usize) {
        for (colour, shift) in [(BLACK, 1), (WHITE, 0)] {
            for (place, letter) in text.chars().enumerate() {
                let start = left + place * letter_width(scale);
                for (row, bits) in glyphs::rows(letter).into_iter().enumerate() {
                    for column in (0..glyphs::SIZE[0]).filter(|column| bits >> (glyphs::SIZE[0] - 1 - column) & 1 == 1)
                    {
                        self.fill([start + column * scale + shift, top + row * scale + shift], [scale; 2], colour);
                    }
                }
            }
        }
    }

    /// A bar of a length in pixels with a dark edge.
    pub(super) fn bar(&mut self, [left, top]: [usize; 2], length: usize, height: usize) {
        self.fill([left + 1, top + 1], [length, height], BLACK);
        self.fill([left, top], [length, height], WHITE);
    }

    fn fill(&mut self, [left, top]: [usize; 2], [width, height]: [usize; 2], colour: [u8; 3]) {
        for row in top..top + height {
            (left..left + width).for_each(|column| self.set(column, row, colour));
        }
    }

    pub(super) fn png(&self) -> Result<Vec<u8>> {
        encode(self.width, self.height, png::ColorType::Rgb, self.pixels.as_flattened())
    }
}

/// Pixels from one letter to the next.
pub(super) fn letter_width(scale: usize) -> usize {
    (glyphs::SIZE[0] + 1) * scale
}

/// Pixels of the height of a letter.
pub(super) fn letter_height(scale: usize) -> usize {
    glyphs::SIZE[1] * scale
}

/// A picture of grey values, one pixel for each.
pub(super) fn grey_png(values: ArrayView2<'_, f32>, window: Window) -> Result<Vec<u8>> {
    let greys: Vec<u8> = values.iter().map(|&value| window.grey(value)).collect();
    encode(values.ncols(), values.nrows(), png::ColorType::Grayscale, &greys)
}

fn encode(width: usize, height: usize, colour: png::ColorType, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let too_large = "the picture has more pixels on a side than a PNG can hold";
    let (width, height) = (u32::try_from(width).context(too_large)?, u32::try_from(height).context(too_large)?);
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(bytes)?;
    Ok(file)
}

/// The longest round length in mm that is no longer than a quarter of a width.
pub(super) fn bar_length(width_mm: f64) -> f64 {
    const ROUND: [f64; 10] = [100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1];
    ROUND.into_iter().find(|length| *length <= width_mm / 4.0).unwrap_or(width_mm / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_goes_from_percentile_to_percentile_of_what_is_finite() {
        let values = (0..=1000_u16).map(f32::from).chain([f32::NAN, f32::INFINITY]);
        let window = Window::of_percentiles(values, [1.0, 99.0]);
        assert_eq!(window, Window { low: 10.0, high: 990.0 });
        assert_eq!(
            [0.0, 10.0, 500.0, 990.0, 2000.0, f32::NAN].map(|value| window.grey(value)),
            [0, 0, 128, 255, 255, 0]
        );
        assert_eq!(Window::of_dicom([40.0, 401.0]), Window { low: -160.5, high: 239.5 });
        assert_eq!(Window::of_percentiles([7.0; 4].into_iter(), [1.0, 99.0]).grey(7.0), 0);
        assert_eq!(Window::of_percentiles([].into_iter(), [1.0, 99.0]).grey(0.5), 128);
    }

    #[test]
    fn outlines_lie_inside_their_region() {
        let mut labels = Array2::zeros((9, 9));
        labels.slice_mut(ndarray::s![2..7, 2..7]).fill(2_u32);
        let mut picture = Picture::new(9, 9);
        picture.outline([0, 0], &labels, 1);
        let coloured = picture.pixels.iter().filter(|pixel| **pixel == colour_of(2)).count();
        assert_eq!(coloured, 16, "the rim of five by five pixels");
        assert_eq!(picture.pixels[4 * 9 + 4], BLACK);
    }

    #[test]
    fn letters_are_told_apart() {
        let all = "0123456789AILPRSmxyz/.";
        let shapes: std::collections::BTreeSet<[u8; 7]> = all.chars().map(glyphs::rows).collect();
        assert_eq!(shapes.len(), all.len());
        assert!(!shapes.contains(&[0; 7]));
    }

    #[test]
    fn bars_have_round_lengths() {
        assert_eq!([400.0, 350.0, 30.0, 0.1].map(bar_length), [100.0, 50.0, 5.0, 0.025]);
    }
}
