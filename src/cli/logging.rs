//! Logs on stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{LogArgs, LogFormat};

/// Starts logging. Says what is wrong with a filter that is not understood.
pub(super) fn start(args: &LogArgs, default: &str) -> Result<(), String> {
    let filter = args.log.as_deref().filter(|filter| !filter.trim().is_empty()).unwrap_or(default);
    let filter = EnvFilter::builder().parse(filter).map_err(|error| {
        format!("--log {filter:?} is not understood ({error}); try info, debug, or drydock=debug,warn")
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match args.log_format.unwrap_or_default() {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}
