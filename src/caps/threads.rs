//! The threads of the CPU: those of rayon's pool, started here so that a failure is an error and not a panic.

/// Threads of the pool that the caller is in, or of rayon's global one.
///
/// # Errors
/// Why the global pool has no threads. The pool must not be used then, since rayon would panic.
pub(crate) fn count() -> Result<usize, String> {
    #[cfg(not(target_arch = "wasm32"))]
    if rayon::current_thread_index().is_none() {
        global()?;
    }
    Ok(rayon::current_num_threads())
}

/// Starts the global pool unless it was started. rayon tries only once in a process, so this is called once too.
#[cfg(not(target_arch = "wasm32"))]
fn global() -> Result<(), String> {
    use std::error::Error as _;
    use std::panic::catch_unwind;
    use std::sync::OnceLock;

    static GLOBAL: OnceLock<Result<(), String>> = OnceLock::new();
    let start = || match rayon::ThreadPoolBuilder::new().build_global() {
        Ok(()) => Ok(()),
        Err(error) => match error.source() {
            Some(cause) => Err(format!("rayon's pool of threads cannot be started: {cause}")),
            // Somebody else was first, with or without success. rayon has no way to ask but this.
            None => match catch_unwind(rayon::current_num_threads) {
                Ok(_) => Ok(()),
                Err(_) => Err("rayon's pool of threads could not be started earlier".to_owned()),
            },
        },
    };
    GLOBAL.get_or_init(start).clone()
}
