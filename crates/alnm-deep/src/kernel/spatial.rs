//! Convolutions over up to three dimensions of positions, with groups, dilation, and steps of their own on each axis.
//!
//! Activations have the channel the fastest, as in the rest of the engine; what lies under a window is copied to a row
//! of a matrix block by block, and the product kernels do the rest.

use alnm_imaging::parallel::for_each_part;
use rayon::prelude::*;

use super::convolution::cuts;
use super::epilogue::{Epilogue, Residual};
use super::microkernel::{self, Addend, Buffer, Finish, Instructions, PANEL, Rectangle, Rows, STRIP, Tap};
use super::panels::{Panels, panel_bias};
use super::scratch::with_scratch;

/// A window along one dimension of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// Padding before the first and after the last position.
    pub(crate) before: usize,
    pub(crate) after: usize,
}

impl Span {
    /// A dimension of size 1 that a window passes unchanged.
    pub(crate) const ONE: Self = Self { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0 };

    /// The input position under a place of the kernel at an output position.
    fn at(&self, output: usize, tap: usize) -> Option<usize> {
        (output * self.stride + tap * self.dilation).checked_sub(self.before).filter(|at| *at < self.input)
    }

    /// The places in the kernel that lie on the input at an output position, with the positions there.
    pub(crate) fn taps(self, output: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
        (0..self.kernel).filter_map(move |tap| self.at(output, tap).map(|at| (tap, at)))
    }

    /// The output positions at which every place of the kernel lies on the input.
    fn inner(&self) -> std::ops::Range<usize> {
        let extent = (self.kernel - 1) * self.dilation;
        let end = (self.input + self.before).checked_sub(extent).map_or(0, |room| room.div_ceil(self.stride));
        self.before.div_ceil(self.stride)..end.min(self.output)
    }

    /// For a transposed convolution: the input position that reaches an output position through a place of the kernel.
    fn source(&self, output: usize, tap: usize) -> Option<usize> {
        let at = (output + self.before).checked_sub(tap * self.dilation)?;
        (at.is_multiple_of(self.stride)).then_some(at / self.stride).filter(|at| *at < self.input)
    }

    /// The places in the kernel through which outputs with a remainder by the stride are reached.
    fn taps_of_class(&self, remainder: usize) -> Vec<usize> {
        let reaches = |tap: &usize| (remainder + self.before) % self.stride == tap * self.dilation % self.stride;
        (0..self.kernel).filter(reaches).collect()
    }
}

/// The shape of a convolution of a batch: windows along depth, height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpatialConvolution {
    pub(crate) images: usize,
    pub(crate) spans: [Span; 3],
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) groups: usize,
}

/// Lines of outputs of a task of a transposed convolution, in strides.
const TRANSPOSED_LINES: usize = 8;

impl SpatialConvolution {
    fn taps(&self) -> usize {
        self.spans.iter().map(|span| span.kernel).product()
    }

    /// Values under a window, for one group of channels.
    pub(crate) fn patch(&self) -> usize {
        self.taps() * self.inputs / self.groups
    }

    /// Positions of the output over all images.
    pub(crate) fn rows(&self) -> usize {
        self.images * self.spans.iter().map(|span| span.output).product::<usize>()
    }

    /// Copies what lies under the windows of output positions, counted over images, for the channels of a group.
    fn gather(&self, input: &[f32], group: usize, rows: std::ops::Range<usize>, patches: &mut [f32], stride: usize) {
        let [depth, height, width] = self.spans;
        let channels = self.inputs / self.groups;
        let first = group * channels;
        for (row, patch) in rows.zip(patches.chunks_mut(stride)) {
            let (x, rest) = (row % width.output, row / width.output);
            let (y, rest) = (rest % height.output, rest / height.output);
            let (z, image) = (rest % depth.output, rest / depth.output);
            let line = width.kernel * channels;
            let (values, padding) = patch.split_at_mut(self.patch());
            padding.fill(0.0);
            for (place, into) in values.chunks_exact_mut(line).enumerate() {
                let at = depth.at(z, place / height.kernel).zip(height.at(y, place % height.kernel));
                let Some((z, y)) = at else {
                    into.fill(0.0);
                    continue;
                };
                let start = ((image * depth.input + z) * height.input + y) * width.input;
                for (tap, into) in into.chunks_exact_mut(channels).enumerate() {
                    match width.at(x, tap) {
                        Some(x) => {
                            let from = (start + x) * self.inputs + first;
                            into.copy_from_slice(&input[from..from + channels]);
                        }
                        None => into.fill(0.0),
                    }
                }
            }
        }
    }

    /// The output for an input; `weight` holds for each group a matrix (outputs of the group × patch), a patch with the
    /// channel the fastest.
    pub(crate) fn forward(
        &self,
        instructions: Instructions,
        input: &[f32],
        weight: &[Panels],
        epilogue: Epilogue<'_>,
        output: &mut [f32],
    ) {
        let (rows, outputs) = (self.rows(), self.outputs);
        let each = outputs / self.groups;
        let panels_each = each.div_ceil(PANEL);
        let (row_cuts, panel_cuts) = cuts(rows, self.patch(), panels_each, true);
        // The columns of a task are panels of one group of channels.
        let mut tasks = Vec::new();
        let mut column_cuts = vec![0];
        for group in 0..self.groups {
            for panels in panel_cuts.windows(2) {
                tasks.push((group, panels[0]..panels[1]));
                column_cuts.push(group * each + each.min(panels[1] * PANEL));
            }
        }
        let stride = self.patch().next_multiple_of(PANEL) + 16;
        let parts = Rectangle::whole(output, outputs).cut(&row_cuts, &column_cuts);
        parts.into_par_iter().enumerate().for_each(|(index, mut part)| {
            let (block, (group, panels)) = (index / tasks.len(), &tasks[index % tasks.len()]);
            let rows = row_cuts[block]..row_cuts[block + 1];
            with_scratch(rows.len() * stride, |patches| {
                self.gather(input, *group, rows.clone(), patches, stride);
                let left = Rows::dense(patches, stride, self.patch());
                for panel in panels.clone() {
                    let first = (panel - panels.start) * PANEL;
                    let columns = first..part.columns().min(first + PANEL);
                    let begin = group * each + panel * PANEL;
                    let bias = panel_bias(epilogue.bias.map(|bias| &bias[..(group + 1) * each]), begin);
                    let finish = finish(&epilogue, rows.start, outputs, begin, &bias);
                    let mut target = part.part(0..rows.len(), columns);
                    microkernel::product(instructions, left, weight[*group].panel(panel), finish, &mut target);
                }
            });
        });
    }

    /// The output where each channel has a kernel of its own; `weight` holds for each place of the kernel one number a
    /// channel.
    pub(crate) fn forward_depthwise(
        &self,
        instructions: Instructions,
        input: &[f32],
        weight: &[f32],
        epilogue: Epilogue<'_>,
        output: &mut [f32],
    ) {
        let ([depth, height, width], channels) = (self.spans, self.inputs);
        let floor = if epilogue.relu { 0.0 } else { f32::NEG_INFINITY };
        let inner = width.inner();
        let line = width.output * channels;
        for_each_part(output, line.max(1), &|row, into| {
            let (y, rest) = (row % height.output, row / height.output);
            let (z, image) = (rest % depth.output, rest / depth.output);
            let mut taps = Vec::new();
            // Pixels at the edges one by one, since fewer places of the kernel reach them; those between them together.
            let mut first = 0;
            while first < width.output {
                let end = if inner.contains(&first) { inner.end } else { first + 1 };
                taps.clear();
                for (tz, z) in depth.taps(z) {
                    for (ty, y) in height.taps(y) {
                        let start = ((image * depth.input + z) * height.input + y) * width.input;
                        let place = (tz * height.kernel + ty) * width.kernel;
                        taps.extend(
                            width
                                .taps(first)
                                .map(|(tx, x)| Tap { input: (start + x) * channels, weight: (place + tx) * channels }),
                        );
                    }
                }
                let addend = match epilogue.residual {
                    Residual::Of(values) => Some(&values[row * line + first * channels..][..(end - first) * channels]),
                    Residual::None | Residual::Output => None,
                };
                microkernel::depthwise(
                    instructions,
                    (input, width.stride * channels),
                    (weight, &taps),
                    (epilogue.bias, addend, floor),
                    channels,
                    &mut into[first * channels..end * channels],
                );
                first = end;
            }
        });
    }

    /// The transposed convolution: `input` has the positions of the windows' inputs, `output` those of their outputs,
    /// each of which is reached through the places of the kernel that leave its remainder by the stride. `weight` holds
    /// numbers (place of the kernel, input channel, output channel of its group).
    pub(crate) fn forward_transposed(
        &self,
        instructions: Instructions,
        input: &[f32],
        weight: &TransposedWeight,
        bias: Option<&[f32]>,
        output: &mut [f32],
    ) {
        let [depth, height, width] = self.spans;
        let line = width.output * self.outputs;
        let block = TRANSPOSED_LINES * height.stride;
        for_each_part(output, (height.output * line).max(1), &|plane, target| {
            let (z, image) = (plane % depth.output, plane / depth.output);
            for_each_part(target, (block * line).max(1), &|index, target| {
                let lines = index * block..height.output.min((index + 1) * block);
                for class in weight.classes.iter().filter(|class| class.remainders[0] == z % depth.stride) {
                    let rows: Vec<usize> = lines.clone().filter(|y| y % height.stride == class.remainders[1]).collect();
                    let columns: Vec<usize> = (class.remainders[2]..width.output).step_by(width.stride).collect();
                    for (group, panels) in class.panels.iter().enumerate() {
                        let pixels: Vec<[usize; 2]> =
                            rows.iter().flat_map(|y| columns.iter().map(move |x| [*y, *x])).collect();
                        self.class_output(
                            instructions,
                            input,
                            (image, z),
                            &pixels,
                            class,
                            (group, panels),
                            |[y, x], sums| {
                                let each = self.outputs / self.groups;
                                let place = ((y - lines.start) * width.output + x) * self.outputs + group * each;
                                let into = &mut target[place..place + each];
                                into.copy_from_slice(&sums[..each]);
                                if let Some(bias) = bias {
                                    into.iter_mut().zip(&bias[group * each..]).for_each(|(sum, bias)| *sum += bias);
                                }
                            },
                        );
                    }
                }
            });
        });
    }

    /// The sums at outputs of one class, handed to `store` position by position.
    fn class_output(
        &self,
        instructions: Instructions,
        input: &[f32],
        (image, z): (usize, usize),
        pixels: &[[usize; 2]],
        class: &TransposedClass,
        (group, panels): (usize, &Panels),
        mut store: impl FnMut([usize; 2], &[f32]),
    ) {
        let ([depth, height, width], channels) = (self.spans, self.inputs / self.groups);
        let patch = panels.depth();
        let (stride, columns) = (patch + 16, panels.count() * PANEL);
        with_scratch(pixels.len() * (stride + columns), |scratch| {
            let (patches, sums) = scratch.split_at_mut(pixels.len() * stride);
            for ([y, x], row) in pixels.iter().zip(patches.chunks_exact_mut(stride)) {
                for ([tz, ty, tx], into) in class.taps.iter().zip(row.chunks_exact_mut(channels)) {
                    match (depth.source(z, *tz), height.source(*y, *ty), width.source(*x, *tx)) {
                        (Some(z), Some(y), Some(x)) => {
                            let at = ((image * depth.input + z) * height.input + y) * width.input + x;
                            into.copy_from_slice(&input[at * self.inputs + group * channels..][..channels]);
                        }
                        _ => into.fill(0.0),
                    }
                }
            }
            let mut target = Rectangle::whole(sums, columns);
            let left = Rows::dense(patches, stride, patch);
            for panel in 0..panels.count() {
                let mut target = target.part(0..pixels.len(), panel * PANEL..(panel + 1) * PANEL);
                microkernel::product(instructions, left, panels.panel(panel), Finish::NONE, &mut target);
            }
            for (pixel, sums) in pixels.iter().zip(sums.chunks_exact(columns)) {
                store(*pixel, sums);
            }
        });
    }
}

/// What becomes of sums in columns from `begin` on.
fn finish<'a>(epilogue: &Epilogue<'a>, row: usize, outputs: usize, begin: usize, bias: &'a [f32; PANEL]) -> Finish<'a> {
    let addend = match epilogue.residual {
        Residual::None => Addend::None,
        Residual::Output => Addend::Output,
        Residual::Of(values) => Addend::Rows { values: &values[row * outputs + begin..], stride: outputs },
    };
    Finish { bias, addend, floor: if epilogue.relu { 0.0 } else { f32::NEG_INFINITY } }
}

/// The outputs of a transposed convolution that leave the same remainders by the strides.
#[derive(Debug)]
struct TransposedClass {
    remainders: [usize; 3],
    /// Places of the kernel through which they are reached.
    taps: Vec<[usize; 3]>,
    /// For each group of channels the weights of these places.
    panels: Vec<Panels>,
}

/// The weight of a transposed convolution, made ready for its strides, dilations and padding.
#[derive(Debug)]
pub(crate) struct TransposedWeight {
    classes: Vec<TransposedClass>,
}

impl TransposedWeight {
    /// Packs a weight (input channel, output channel of its group, place of the kernel).
    pub(crate) fn of(layer: &SpatialConvolution, weight: &[f32]) -> Self {
        let [depth, height, width] = layer.spans;
        let (inputs, outputs) = (layer.inputs / layer.groups, layer.outputs / layer.groups);
        let all = layer.taps();
        let mut classes = Vec::new();
        for rz in 0..depth.stride.min(depth.output) {
            for ry in 0..height.stride.min(height.output) {
                for rx in 0..width.stride.min(width.output) {
                    let mut taps = Vec::new();
                    for tz in depth.taps_of_class(rz) {
                        for ty in height.taps_of_class(ry) {
                            taps.extend(width.taps_of_class(rx).into_iter().map(|tx| [tz, ty, tx]));
                        }
                    }
                    let panels = (0..layer.groups)
                        .map(|group| {
                            Panels::from_fn(outputs, taps.len() * inputs, Buffer::zeros, |first, into| {
                                let here = STRIP.min(outputs - first);
                                for (row, into) in into.chunks_exact_mut(STRIP).enumerate() {
                                    let ([tz, ty, tx], input) = (taps[row / inputs], group * inputs + row % inputs);
                                    let tap = (tz * height.kernel + ty) * width.kernel + tx;
                                    for (output, into) in into.iter_mut().take(here).enumerate() {
                                        *into = weight[(input * outputs + first + output) * all + tap];
                                    }
                                }
                            })
                        })
                        .collect();
                    classes.push(TransposedClass { remainders: [rz, ry, rx], taps, panels });
                }
            }
        }
        Self { classes }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        (0..count as u64)
            .map(|i| ((i + 1).wrapping_mul(seed.wrapping_mul(2) + 0x9E37_79B9) % 2003) as f32 / 1001.0 - 1.0)
            .collect()
    }

    /// Every triple of an output position, an input position and the place of the kernel between them, along one axis.
    fn meetings(span: &Span) -> Vec<[usize; 3]> {
        (0..span.output).flat_map(|o| span.taps(o).map(move |(tap, at)| [o, at, tap])).collect()
    }

    /// The sums of the definition in double precision: `weight` of (output, input of a group, tap), activations with
    /// the channel the fastest. The larger grid is the output of a transposed convolution and the input of another.
    fn plain(layer: &SpatialConvolution, input: &[f32], weight: &[f32], transposed: bool) -> Vec<f64> {
        let SpatialConvolution { images, spans, inputs, outputs, groups } = *layer;
        let (each_in, each_out) = (inputs / groups, outputs / groups);
        let positions = |of: fn(&Span) -> usize| spans.iter().map(of).product::<usize>();
        let (in_size, out_size) = (positions(|span| span.input), positions(|span| span.output));
        let mut sums = vec![0.0; images * out_size * outputs];
        // For a transposed convolution the roles of the grids are exchanged.
        let pairs = |span: &Span| -> Vec<[usize; 3]> {
            if !transposed {
                return meetings(span);
            }
            let turned = Span { input: span.output, output: span.input, ..*span };
            meetings(&turned).into_iter().map(|[small, large, tap]| [large, small, tap]).collect()
        };
        let [depth, height, width] = spans;
        for [oz, iz, tz] in pairs(&depth) {
            for [oy, iy, ty] in pairs(&height) {
                for [ox, ix, tx] in pairs(&width) {
                    let tap = (tz * height.kernel + ty) * width.kernel + tx;
                    let from = (iz * height.input + iy) * width.input + ix;
                    let into = (oz * height.output + oy) * width.output + ox;
                    for image in 0..images {
                        for output in 0..outputs {
                            for channel in 0..each_in {
                                let source = output / each_out * each_in + channel;
                                let value = input[(image * in_size + from) * inputs + source];
                                let w = weight[(output * each_in + channel) * layer.taps() + tap];
                                sums[(image * out_size + into) * outputs + output] += f64::from(value) * f64::from(w);
                            }
                        }
                    }
                }
            }
        }
        sums
    }

    fn close(got: &[f32], want: &[f64]) -> bool {
        got.len() == want.len() && got.iter().zip(want).all(|(got, want)| (f64::from(*got) - want).abs() < 1e-4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Both kinds of convolution on odd shapes, with groups, strides, dilations and one-sided padding, against the
        /// definition, for every instruction set.
        #[test]
        fn sums_are_those_of_the_definition(
            images in 1usize..3, sizes in prop::array::uniform3(1usize..7), kernels in prop::array::uniform3(1usize..4),
            strides in prop::array::uniform3(1usize..4), dilations in prop::array::uniform3(1usize..3),
            pads in prop::array::uniform6(0usize..3), channels in prop::sample::select(vec![[1usize, 1], [3, 5], [4, 37], [17, 2]]),
            groups in 1usize..4, seed in 0u64..1000,
        ) {
            let [each_in, each_out] = channels;
            // Kernels of single channels are computed for whole registers of channels and for what is left of them.
            let groups = if channels == [1, 1] { 13 * groups - 4 } else { groups };
            let extent = |axis: usize| (kernels[axis] - 1) * dilations[axis] + 1;
            let (inputs, outputs) = (each_in * groups, each_out * groups);
            let of = |axis: usize, input: usize, output: usize| Span {
                input, output, kernel: kernels[axis], stride: strides[axis], dilation: dilations[axis],
                before: pads[axis], after: pads[3 + axis],
            };
            let room = [0, 1, 2].map(|axis| (sizes[axis] + pads[axis] + pads[3 + axis]).checked_sub(extent(axis)));
            if let [Some(z), Some(y), Some(x)] = room {
                let room = [z, y, x];
                let spans = [0, 1, 2].map(|axis| of(axis, sizes[axis], room[axis] / strides[axis] + 1));
                let layer = SpatialConvolution { images, spans, inputs, outputs, groups };
                let input = numbers(images * sizes.iter().product::<usize>() * inputs, seed);
                let weight = numbers(outputs * each_in * layer.taps(), seed + 7);
                let mut ordered = vec![0.0; weight.len()];
                for (place, into) in ordered.iter_mut().enumerate() {
                    let (output, tap, channel) = (place / layer.patch(), place % layer.patch() / each_in, place % each_in);
                    *into = weight[(output * each_in + channel) * layer.taps() + tap];
                }
                let panels: Vec<Panels> = ordered
                    .chunks_exact(each_out * layer.patch())
                    .map(|group| Panels::of_rows(group, each_out, layer.patch(), Buffer::zeros))
                    .collect();
                let wanted = plain(&layer, &input, &weight, false);
                for instructions in Instructions::available() {
                    let mut output = vec![0.0; wanted.len()];
                    layer.forward(instructions, &input, &panels, Epilogue::default(), &mut output);
                    prop_assert!(close(&output, &wanted));
                }
                if each_in == 1 && each_out == 1 {
                    let by_place: Vec<f32> =
                        (0..layer.taps()).flat_map(|tap| (0..outputs).map(move |o| (o, tap))).map(|(o, tap)| weight[o * layer.taps() + tap]).collect();
                    let (bias, residual) = (numbers(outputs, seed + 1), numbers(wanted.len(), seed + 2));
                    let finished: Vec<f64> = wanted
                        .iter()
                        .enumerate()
                        .map(|(place, sum)| sum + f64::from(bias[place % outputs]) + f64::from(residual[place]))
                        .map(|sum| sum.max(0.0))
                        .collect();
                    let all = Epilogue { bias: Some(&bias), residual: Residual::Of(&residual), relu: true };
                    for instructions in Instructions::available() {
                        let mut output = vec![0.0; wanted.len()];
                        layer.forward_depthwise(instructions, &input, &by_place, Epilogue::default(), &mut output);
                        prop_assert!(close(&output, &wanted));
                        layer.forward_depthwise(instructions, &input, &by_place, all, &mut output);
                        prop_assert!(close(&output, &finished));
                    }
                }
            }
            let full = [0, 1, 2].map(|axis| {
                ((sizes[axis] - 1) * strides[axis] + extent(axis)).checked_sub(pads[axis] + pads[3 + axis]).filter(|n| *n > 0)
            });
            if let [Some(z), Some(y), Some(x)] = full {
                let full = [z, y, x];
                let spans = [0, 1, 2].map(|axis| of(axis, sizes[axis], full[axis]));
                let layer = SpatialConvolution { images, spans, inputs, outputs, groups };
                let input = numbers(images * sizes.iter().product::<usize>() * inputs, seed);
                let weight = numbers(outputs * each_in * layer.taps(), seed + 7);
                // From (output, input of a group, tap) to (input, output of a group, tap).
                let mut turned = vec![0.0; weight.len()];
                for output in 0..outputs {
                    for channel in 0..each_in {
                        for tap in 0..layer.taps() {
                            let input = output / each_out * each_in + channel;
                            turned[(input * each_out + output % each_out) * layer.taps() + tap] =
                                weight[(output * each_in + channel) * layer.taps() + tap];
                        }
                    }
                }
                let wanted = plain(&layer, &input, &weight, true);
                let packed = TransposedWeight::of(&layer, &turned);
                for instructions in Instructions::available() {
                    let mut output = vec![0.0; wanted.len()];
                    layer.forward_transposed(instructions, &input, &packed, None, &mut output);
                    prop_assert!(close(&output, &wanted));
                }
            }
        }
    }
}
