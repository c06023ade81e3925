//! One supervisor a stack: the kernel holds the lock as long as its process lives, however that process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Who holds a stack.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: i32,
    /// Whether `up` started it.
    pub background: bool,
    /// Where its gateway answers.
    pub gateway: String,
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it is not enough: a child that has just been forked holds every file until it becomes a program, and
        // the lock with it. Should this fail, closing is what is left.
        let _ = self.file.unlock();
    }
}

/// What trying to take a lock came to.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours now.
    Taken(Lock),
    /// Somebody else has it; who, if they had the time to say.
    Held(Option<Holder>),
}

/// Tries to take the lock and says who we are.
pub fn attempt(path: &Path, holder: &Holder) -> Result<Attempt> {
    let mut file = open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Held(read(path))),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    let text = serde_json::to_string(holder).context("cannot describe the lock's holder")?;
    file.set_len(0)
        .and_then(|()| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Attempt::Taken(Lock { file }))
}

/// Who holds the lock now; `None` when it is free.
pub fn holder(path: &Path) -> Result<Option<Option<Holder>>> {
    if !path.exists() {
        return Ok(None);
    }
    let file = open(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read(path))),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot look at {}", path.display()))
        }
    }
}

/// Waits until the lock is free.
pub async fn wait_until_free(path: &Path, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    while holder(path)?.is_some() {
        if Instant::now() >= deadline {
            bail!("it did not end within {} s", limit.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Takes a lock that others hold only for a while (setting up, building), saying so when it has to wait.
pub async fn queue_for(path: PathBuf, what: &str) -> Result<Lock> {
    let file = open(&path)?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { file }),
            Err(TryLockError::WouldBlock) if !said => {
                println!("• waiting: another `cargo xtask` is {what} in this checkout");
                said = true;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

fn read(path: &Path) -> Option<Holder> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_learns_who_was_first_and_may_follow_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let me = Holder { pid: 42, background: true, gateway: "http://g".into() };
        assert_eq!(holder(&path).unwrap(), None);
        let Attempt::Taken(lock) = attempt(&path, &me).unwrap() else { panic!("the lock was free") };
        assert!(matches!(attempt(&path, &me).unwrap(), Attempt::Held(Some(who)) if who == me));
        assert_eq!(holder(&path).unwrap(), Some(Some(me.clone())));
        drop(lock);
        assert_eq!(holder(&path).unwrap(), None);
        assert!(matches!(attempt(&path, &me).unwrap(), Attempt::Taken(_)));
    }
}
