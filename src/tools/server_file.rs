//! `yaml_path` and `template_file`: a file of the server's machine, in the one folder that the operator has opened for that.
//!
//! The caller of a server is somewhere else: a path that it chooses must not make the server read files of its own
//! machine, and say what is in them. Without a folder no file is read.

use std::path::Path;

use tokio::io::AsyncReadExt;

use super::ToolError;

/// The longest file that is read, in bytes. One byte more is read, so that the reader can tell that it is longer.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The text of a file in the folder. Links are followed before it is asked where the file is. The errors name the argument
/// that has the path, and the one that takes the text instead.
pub(super) async fn read(
    folder: Option<&Path>,
    path: &str,
    [argument, instead]: [&str; 2],
) -> Result<String, ToolError> {
    let Some(folder) = folder else {
        return Err(ToolError::Refused(format!(
            "{argument} is not allowed here: this server reads no files; pass the text of the file as {instead}"
        )));
    };
    let unreadable = || {
        ToolError::NotFound(format!(
            "{argument} {path:?} is not a readable text file in the folder of this server; give a path relative to it, or \
             pass the text of the file as {instead}"
        ))
    };
    // The same words for all that is outside: nobody learns which files there are.
    let folder = tokio::fs::canonicalize(folder).await.map_err(|_| unreadable())?;
    let path = tokio::fs::canonicalize(folder.join(path)).await.map_err(|_| unreadable())?;
    let is_file = || async { tokio::fs::metadata(&path).await.is_ok_and(|metadata| metadata.is_file()) };
    if !path.starts_with(&folder) || !is_file().await {
        return Err(unreadable());
    }
    let file = tokio::fs::File::open(&path).await.map_err(|_| unreadable())?;
    let mut text = String::new();
    // One byte more than is taken, which is then refused.
    let read = file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text).await;
    read.map(|_| text).map_err(|_| unreadable())
}
