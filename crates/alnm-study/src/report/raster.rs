//! Figures as PNG and TIFF, with a font of their own: the picture is the same on every machine.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use resvg::tiny_skia::{Pixmap, PremultipliedColorU8, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use tiff::encoder::{Compression, DeflateLevel, Rational, TiffEncoder, colortype};
use tiff::tags::ResolutionUnit;

/// Pixels of the PNG for a unit of the SVG: 300 pixels an inch at a printed width of 117 mm.
const SCALE: f32 = 3.0;
/// Pixels of the TIFF for a unit of the SVG: 600 pixels an inch at the same width, and 390 at 180 mm, two columns of a
/// journal.
const TIFF_SCALE: f32 = 6.0;
/// Pixels an inch of the TIFF.
const TIFF_RESOLUTION: Rational = Rational { n: 600, d: 1 };

/// Liberation Sans, SIL Open Font License 1.1 (`fonts/LICENSE-OFL`).
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(include_bytes!("../../fonts/LiberationSans-Regular.ttf").to_vec());
    fonts.load_font_data(include_bytes!("../../fonts/LiberationSans-Bold.ttf").to_vec());
    fonts.set_sans_serif_family("Liberation Sans");
    Arc::new(fonts)
});

/// The picture as PNG, three pixels a unit.
///
/// # Errors
/// When the SVG is malformed.
pub(super) fn png(svg: &str) -> Result<Vec<u8>> {
    Ok(drawn(svg, SCALE)?.encode_png()?)
}

/// The picture as TIFF on white, six pixels a unit.
///
/// # Errors
/// When the SVG is malformed.
pub(super) fn tiff(svg: &str) -> Result<Vec<u8>> {
    let pixels = drawn(svg, TIFF_SCALE)?;
    let on_white = |pixel: &PremultipliedColorU8| {
        let white = u8::MAX - pixel.alpha();
        // No colour is brighter than its opacity.
        [pixel.red(), pixel.green(), pixel.blue()].map(|channel| channel.saturating_add(white))
    };
    let colours: Vec<u8> = pixels.pixels().iter().flat_map(on_white).collect();
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file)?.with_compression(Compression::Deflate(DeflateLevel::Balanced));
    let mut image = encoder.new_image::<colortype::RGB8>(pixels.width(), pixels.height())?;
    image.resolution(ResolutionUnit::Inch, TIFF_RESOLUTION);
    image.write_data(&colours)?;
    Ok(file.into_inner())
}

fn drawn(svg: &str, scale: f32) -> Result<Pixmap> {
    let options =
        Options { font_family: "Liberation Sans".to_owned(), fontdb: Arc::clone(&FONTS), ..Options::default() };
    let tree = Tree::from_str(svg, &options)?;
    let [width, height] = [tree.size().width(), tree.size().height()].map(|side| (side * scale).round() as u32);
    let mut pixels = Pixmap::new(width, height).context("the picture has no size")?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels)
}

/// A picture of grey values in [0, 1], row by row, as a `data:` address for an SVG's `image`.
///
/// # Errors
/// When the number of values is not width × height.
pub(super) fn grey(width: usize, height: usize, values: impl ExactSizeIterator<Item = f64>) -> Result<String> {
    coloured(width, height, values.map(|value| ([1.0; 3].map(|white| white * value), 1.0)))
}

/// A picture of colours (red, green, blue in [0, 1]) and opacities, row by row, as a `data:` address for an SVG's
/// `image`.
///
/// # Errors
/// When the number of values is not width × height.
pub(super) fn coloured(
    width: usize,
    height: usize,
    values: impl ExactSizeIterator<Item = ([f64; 3], f64)>,
) -> Result<String> {
    ensure!(values.len() == width * height, "a picture of {width} x {height} pixels from {} values", values.len());
    let mut pixels = Pixmap::new(u32::try_from(width)?, u32::try_from(height)?).context("the picture has no size")?;
    for (pixel, (colour, opacity)) in pixels.pixels_mut().iter_mut().zip(values) {
        let byte = |share: f64| (255.0 * share.clamp(0.0, 1.0)).round() as u8;
        let [red, green, blue] = colour.map(|channel| byte(channel.clamp(0.0, 1.0) * opacity));
        *pixel = PremultipliedColorU8::from_rgba(red, green, blue, byte(opacity))
            .context("no colour is brighter than its opacity")?;
    }
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(pixels.encode_png()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_decodes_to_three_pixels_a_unit_and_holds_letters() {
        let text = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 20' font-family='sans-serif'>\
                    <rect width='40' height='20' fill='#fff'/><text x='2' y='15'>λ²</text></svg>";
        let picture = Pixmap::decode_png(&png(text).unwrap()).unwrap();
        assert_eq!((picture.width(), picture.height()), (120, 60));
        assert!(picture.pixels().iter().any(|pixel| pixel.red() < 64), "the letters are drawn");
    }

    #[test]
    fn a_tiff_has_six_pixels_a_unit_on_white() {
        let text =
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 4 2'><rect width='2' height='2' fill='#f00'/></svg>";
        let mut decoder = tiff::decoder::Decoder::new(Cursor::new(tiff(text).unwrap())).unwrap();
        assert_eq!(decoder.dimensions().unwrap(), (24, 12));
        assert_eq!(decoder.get_tag_u32(tiff::tags::Tag::ResolutionUnit).unwrap(), 2);
        let tiff::decoder::DecodingResult::U8(colours) = decoder.read_image().unwrap() else {
            panic!("the picture has no bytes")
        };
        assert_eq!((colours.len(), &colours[..3], &colours[69..72]), (3 * 24 * 12, &[255, 0, 0][..], &[255; 3][..]));
    }

    #[test]
    fn pictures_keep_their_values_and_refuse_a_wrong_number() {
        let address = grey(2, 1, [0.0, 1.0].into_iter()).unwrap();
        let bytes = STANDARD.decode(address.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let picture = Pixmap::decode_png(&bytes).unwrap();
        assert_eq!(picture.pixels().iter().map(|pixel| pixel.green()).collect::<Vec<_>>(), [0, 255]);
        assert!(grey(2, 2, [0.0, 1.0].into_iter()).is_err());
    }
}
