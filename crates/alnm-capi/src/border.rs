//! The border between C and Rust: status codes, the text of the last error, panics, threads.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use rayon::ThreadPoolBuilder;

/// How a call ended. For every status other than `ALNM_STATUS_OK`, `alnm_last_error` returns the error as text.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlnmStatus {
    /// The work is done.
    Ok = 0,
    /// An argument is not what it must be, or the work cannot be done on it.
    Failed = 1,
    /// A pointer that must not be null is null.
    NullPointer = 2,
    /// A fault of the library, which ended this call alone; please report it.
    Fault = 3,
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// The version of the library, such as `0.1.0`. The text stays valid as long as the program runs.
#[unsafe(no_mangle)]
pub extern "C" fn alnm_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("the version holds a zero byte"),
    };
    VERSION.as_ptr()
}

/// The error of the last call on this thread that did not return `ALNM_STATUS_OK`, in UTF-8; an empty text if there was
/// none. The text stays valid until the next call of the library on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn alnm_last_error() -> *const c_char {
    LAST_ERROR.with(|last| last.borrow().as_ptr())
}

/// Why a call ended without a result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A null pointer, by the name of the argument.
    Null(&'static str),
    /// An error with its text.
    Error(String),
}

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.to_string())
    }
}

fn remember(text: &str) {
    // C ends a text at its first zero byte.
    let text: Vec<u8> = text.bytes().filter(|&byte| byte != 0).collect();
    LAST_ERROR.with(|last| *last.borrow_mut() = CString::new(text).unwrap_or_default());
}

/// Runs the body of a function: neither an error nor a panic crosses the border.
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), Failure>) -> AlnmStatus {
    // What a panic leaves behind half done is owned by the body and dropped with it.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => AlnmStatus::Ok,
        Ok(Err(Failure::Null(argument))) => {
            remember(&format!("{argument} is a null pointer; it must point to a value"));
            AlnmStatus::NullPointer
        }
        Ok(Err(Failure::Error(text))) => {
            remember(&text);
            AlnmStatus::Failed
        }
        Err(panic) => {
            remember(&format!("a fault of the library, please report it: {}", panic_text(panic.as_ref())));
            AlnmStatus::Fault
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no details")
}

/// The value behind a pointer.
///
/// # Safety
/// A pointer that is not null points to a value that lives and is not changed during `'a`.
pub(crate) unsafe fn borrowed<'a, T>(pointer: *const T, argument: &'static str) -> Result<&'a T, Failure> {
    // SAFETY: promised by the caller.
    unsafe { pointer.as_ref() }.ok_or(Failure::Null(argument))
}

/// The text behind a pointer.
///
/// # Safety
/// A pointer that is not null points to bytes that end with a zero and are not changed during `'a`.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, argument: &'static str) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(Failure::Null(argument));
    }
    // SAFETY: promised by the caller.
    let bytes = unsafe { CStr::from_ptr(pointer) };
    bytes.to_str().map_err(|error| Failure::Error(format!("{argument} is not UTF-8 ({error}); it must be UTF-8")))
}

/// Makes a value and gives its handle to the caller, null where it could not be made.
///
/// # Safety
/// A pointer that is not null points to memory for a pointer.
pub(crate) unsafe fn hand_out<T>(
    out: *mut *mut T,
    argument: &'static str,
    make: impl FnOnce() -> Result<T, Failure>,
) -> AlnmStatus {
    guarded(|| {
        if out.is_null() {
            return Err(Failure::Null(argument));
        }
        // SAFETY: `out` is not null, so it points to memory for a pointer, as the caller promised.
        unsafe { out.write(ptr::null_mut()) };
        let value = Box::into_raw(Box::new(make()?));
        // SAFETY: as above.
        unsafe { out.write(value) };
        Ok(())
    })
}

/// Takes back a handle and drops its value; null is nothing.
///
/// # Safety
/// A handle that is not null came from [`hand_out`] with this type and was not taken back before.
pub(crate) unsafe fn take_back<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: the handle came from `Box::into_raw`, and nobody else will use it: promised by the caller.
        let value = unsafe { Box::from_raw(handle) };
        // No value of this library panics when it is dropped; were there one, it must not cross the border.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
    }
}

/// Runs work on `threads` threads, 0 for as many as the processor has.
pub(crate) fn on_threads<T: Send>(
    threads: u32,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    const MOST: u32 = 1024;
    if threads > MOST {
        return Err(Failure::Error(format!(
            "threads is {threads}; it must be at most {MOST}, or 0 for as many as the processor has"
        )));
    }
    if threads == 0 {
        return work();
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads as usize).build();
    pool.map_err(|error| Failure::Error(format!("{threads} threads cannot be started: {error}")))?.install(work)
}
