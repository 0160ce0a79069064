//! The files of a bundle, from a directory or a `.tar.gz`, within bounds.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path};

use flate2::read::GzDecoder;

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 256 << 20;
/// Most that is read in all, in bytes.
const MAX_TOTAL: u64 = 1 << 30;
/// Most files.
const MAX_FILES: usize = 200_000;

/// A file's path inside the bundle, with `/`, and its content or why it has none.
pub(super) type BundleFile = (String, Result<Vec<u8>, String>);

/// Reads all files below `path`, or in the archive at `path`.
pub(super) fn read(path: &Path) -> io::Result<Vec<BundleFile>> {
    let mut files = Files::default();
    if path.is_dir() {
        files.add_folder(path, path)?;
    } else {
        files.add_archive(File::open(path)?)?;
    }
    Ok(files.found)
}

#[derive(Default)]
struct Files {
    found: Vec<BundleFile>,
    total: u64,
}

impl Files {
    fn add_folder(&mut self, root: &Path, folder: &Path) -> io::Result<()> {
        let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let Some(name) = path.strip_prefix(root).ok().and_then(inner_name) else { continue };
            if kind.is_dir() {
                if let Err(error) = self.add_folder(root, &path) {
                    self.found.push((name, Err(error.to_string())));
                }
            } else if kind.is_file() {
                let size = entry.metadata().map_or(0, |metadata| metadata.len());
                self.add(name, size, || File::open(&path));
            }
        }
        Ok(())
    }

    /// Links and whatever else is no file are passed over; so are names that lead out of the archive. An archive that
    /// breaks off is used as far as it goes.
    fn add_archive(&mut self, file: File) -> io::Result<()> {
        let mut archive = tar::Archive::new(GzDecoder::new(file).take(MAX_TOTAL));
        for entry in archive.entries()? {
            let entry = match entry {
                Err(error) if !self.found.is_empty() => {
                    self.found.push(("the rest of the archive".to_owned(), Err(error.to_string())));
                    break;
                }
                entry => entry?,
            };
            let name = entry.path().ok().and_then(|path| inner_name(&path));
            if let Some(name) = name.filter(|_| entry.header().entry_type().is_file()) {
                let size = entry.size();
                self.add(name, size, || Ok(entry));
            }
        }
        strip_common_folder(&mut self.found);
        Ok(())
    }

    fn add<R: Read>(&mut self, name: String, size: u64, open: impl FnOnce() -> io::Result<R>) {
        let content = if self.found.len() >= MAX_FILES || size > MAX_FILE || self.total + size > MAX_TOTAL {
            Err(format!("too large ({size} bytes), or beyond what a bundle may hold"))
        } else {
            self.total += size;
            read_all(open).map_err(|error| error.to_string())
        };
        if self.found.len() <= MAX_FILES {
            self.found.push((name, content));
        }
    }
}

fn read_all<R: Read>(open: impl FnOnce() -> io::Result<R>) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open()?.take(MAX_FILE).read_to_end(&mut content)?;
    Ok(content)
}

/// The path with `/`, or nothing where it is absolute or leads upwards.
fn inner_name(path: &Path) -> Option<String> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!names.is_empty()).then(|| names.join("/"))
}

/// Archives usually hold one folder with everything in it.
fn strip_common_folder(files: &mut [BundleFile]) {
    let Some(folder) =
        files.first().and_then(|(name, _)| name.split_once('/')).map(|(folder, _)| format!("{folder}/"))
    else {
        return;
    };
    let known = ["resources/", "logs/", "cluster-resources/"].contains(&folder.as_str());
    let inside = |(name, content): &BundleFile| name.starts_with(&folder) || content.is_err();
    if !known && files.iter().all(inside) {
        for (name, _) in files.iter_mut().filter(|(name, _)| name.starts_with(&folder)) {
            name.replace_range(..folder.len(), "");
        }
    }
}
