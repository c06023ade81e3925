//! Tells whether something has to be done again: a digest over its inputs, kept in a stamp file when it was done.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Collects inputs; equal inputs in equal order give an equal digest.
#[derive(Default)]
pub struct Inputs(Sha256);

impl Inputs {
    /// Adds a value.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// Adds a file's name and content.
    pub fn file(&mut self, path: &Path) -> Result<&mut Self> {
        let content = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        self.text(&path.to_string_lossy());
        self.0.update((content.len() as u64).to_be_bytes());
        self.0.update(&content);
        Ok(self)
    }

    /// Adds all files below a folder, except in folders of the given names.
    pub fn folder(&mut self, folder: &Path, except: &[&str]) -> Result<&mut Self> {
        for file in files_below(folder, except)? {
            self.file(&file)?;
        }
        Ok(self)
    }

    /// The digest in hexadecimal.
    pub fn finish(&self) -> String {
        self.0.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The digest of one file's content, whatever its name.
pub fn of_content(path: &Path) -> Result<String> {
    let content = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Inputs::default().text(&content).finish())
}

/// All files below a folder in a stable order, except in folders of the given names.
pub fn files_below(folder: &Path, except: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            let kind =
                entry.file_type().with_context(|| format!("cannot read {}", entry.path().display()))?;
            if kind.is_dir() {
                if !except.iter().any(|name| entry.file_name().as_os_str() == *name) {
                    waiting.push(entry.path());
                }
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What a stamp file remembers.
pub struct Stamp {
    path: PathBuf,
}

impl Stamp {
    /// The stamp kept in this file.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Whether the stamp carries this digest.
    pub fn is(&self, digest: &str) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|kept| kept == digest)
    }

    /// Remembers the digest.
    pub fn set(&self, digest: &str) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(&self.path, digest).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_follows_content_names_and_order_but_not_skipped_folders() {
        let folder = tempfile::tempdir().unwrap();
        let digest = || Inputs::default().folder(folder.path(), &["build"]).unwrap().finish();
        std::fs::write(folder.path().join("a"), "1").unwrap();
        let first = digest();
        std::fs::create_dir(folder.path().join("build")).unwrap();
        std::fs::write(folder.path().join("build/out"), "x").unwrap();
        assert_eq!(digest(), first);
        std::fs::write(folder.path().join("a"), "2").unwrap();
        assert_ne!(digest(), first);
        std::fs::write(folder.path().join("a"), "1").unwrap();
        assert_eq!(digest(), first);
        std::fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_ne!(digest(), first);
    }

    #[test]
    fn a_stamp_holds_only_what_was_set_last() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = Stamp::new(folder.path().join("deep/stamp"));
        assert!(!stamp.is("one"));
        stamp.set("one").unwrap();
        stamp.set("two").unwrap();
        assert!(stamp.is("two") && !stamp.is("one"));
    }
}
