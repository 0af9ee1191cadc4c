//! What follows a sum of products before it is stored: bias, residual and rectified linear unit.

use super::microkernel::{Addend, Finish, PANEL};

/// What is done with a sum before it is stored.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) residual: Residual<'a>,
    pub(crate) relu: bool,
}

/// What is added to a convolution's output.
#[derive(Clone, Copy, Default)]
pub(crate) enum Residual<'a> {
    /// Nothing: the output is replaced.
    #[default]
    None,
    /// Other activations of the output's shape.
    Of(&'a [f32]),
    /// What the output held before.
    Output,
}

impl<'a> Epilogue<'a> {
    /// What becomes of the sums of rows of the output from `row` on in the columns of a panel, whose bias is given.
    pub(crate) fn finish<'b>(&self, row: usize, outputs: usize, panel: usize, bias: &'b [f32; PANEL]) -> Finish<'b>
    where
        'a: 'b,
    {
        Finish { bias, addend: self.addend(row, outputs, panel), floor: self.floor() }
    }

    /// What is added to rows of the output from `row` on in the columns of a panel.
    fn addend(&self, row: usize, outputs: usize, panel: usize) -> Addend<'a> {
        match self.residual {
            Residual::None => Addend::None,
            Residual::Output => Addend::Output,
            Residual::Of(values) => Addend::Rows { values: &values[row * outputs + panel * PANEL..], stride: outputs },
        }
    }

    /// The value to which smaller ones are raised.
    fn floor(&self) -> f32 {
        if self.relu { 0.0 } else { f32::NEG_INFINITY }
    }
}
