//! The Tofts models: transfer of contrast agent between plasma and tissue.
//!
//! From signals to parameters there are three steps. [`SignalModel`] turns the signals of a spoiled gradient echo into
//! concentrations by T1 and relaxivity; an [`InputFunction`] says what concentration the plasma has; [`ToftsFitter`]
//! finds by least squares
//!
//! C(t) = v_p · C_p(t) + K^trans · ∫₀ᵗ C_p(u) · exp(−k_ep · (t − u)) du,  v_e = K^trans / k_ep
//!
//! (Tofts, J. Magn. Reson. Imaging 7:91, 1997; without the first term the standard model). The input function is
//! straight between its points, for which the integral is exact whatever the times of the phases are.
//!
//! For a given k_ep the model is linear, so the fit is a search over k_ep alone, with K^trans and v_p at least 0 found
//! exactly at each (separable least squares: Golub and Pereyra, SIAM J. Numer. Anal. 10:413, 1973). It needs no
//! starting values and ends at the same minimum as a Levenberg-Marquardt fit that finds the lowest one.

mod concentration;
mod fit;
mod input_function;
mod maps;

pub use concentration::{SignalModel, SignalModelParams};
pub use fit::{Tofts, ToftsFit, ToftsFitter, ToftsModel, ToftsParams};
pub use input_function::{InputFunction, ParkerParams};
pub use maps::{T1, ToftsMaps};
