//! The files of a recording, written by a thread of their own. They appear under their name when all are there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Files that may wait for the disk.
const WAITING: usize = 16;

/// True where a recording would mix with something, or replace it.
pub(super) fn is_occupied(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

fn is_archive(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}

/// Writes beside the place where the recording is to be, and moves it there in the end.
pub(super) struct Writer {
    path: PathBuf,
    unfinished: PathBuf,
    archive: Option<tar::Builder<GzEncoder<File>>>,
}

impl Writer {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::other("this is no name for a recording"))?;
        let name = format!(".{}.{}.unfinished", name.to_string_lossy(), std::process::id());
        let unfinished = path.with_file_name(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let archive = match is_archive(path) {
            true => {
                Some(tar::Builder::new(GzEncoder::new(File::create(&unfinished)?, Compression::default())))
            }
            false => {
                fs::create_dir(&unfinished)?;
                None
            }
        };
        Ok(Self { path: path.to_owned(), unfinished, archive })
    }

    /// `name` has been checked: it does not lead elsewhere.
    fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        match &mut self.archive {
            Some(archive) => {
                let mut header = tar::Header::new_gnu();
                header.set_size(content.len() as u64);
                header.set_mode(0o644);
                header.set_cksum();
                archive.append_data(&mut header, name, content)
            }
            None => {
                let file = self.unfinished.join(name);
                file.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::write(file, content)
            }
        }
    }

    fn finish(mut self) -> io::Result<()> {
        match self.archive.take() {
            Some(archive) => {
                let mut file = archive.into_inner()?.finish()?;
                file.flush()?;
                file.sync_all()?;
            }
            // An empty folder may be there.
            None if self.path.is_dir() => fs::remove_dir(&self.path)?,
            None => {}
        }
        fs::rename(&self.unfinished, &self.path)
    }
}

impl Drop for Writer {
    /// What is still under its unfinished name is of no use.
    fn drop(&mut self) {
        let _ = match self.unfinished.is_dir() {
            true => fs::remove_dir_all(&self.unfinished),
            false => fs::remove_file(&self.unfinished),
        };
    }
}

/// Files on their way to the writer.
pub(super) struct Files {
    queue: mpsc::Sender<(String, Vec<u8>)>,
    writing: JoinHandle<io::Result<()>>,
}

impl Files {
    pub(super) fn start(mut writer: Writer) -> Self {
        let (queue, mut waiting) = mpsc::channel::<(String, Vec<u8>)>(WAITING);
        let writing = tokio::task::spawn_blocking(move || {
            while let Some((name, content)) = waiting.blocking_recv() {
                writer.add(&name, &content)?;
            }
            writer.finish()
        });
        Self { queue, writing }
    }

    /// Adds a file. Where the writer has failed, [`Files::finish`] says so.
    pub(super) async fn add(&self, name: String, content: Vec<u8>) {
        let _ = self.queue.send((name, content)).await;
    }

    pub(super) async fn finish(self) -> io::Result<()> {
        drop(self.queue);
        self.writing.await.map_err(io::Error::other)?
    }
}
