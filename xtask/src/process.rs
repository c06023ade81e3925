//! The processes of a stack: each in a process group of its own, known by a mark, written down when it starts, so that
//! it can be ended by whoever comes next. Knows nothing of what they do.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

use crate::layout::Layout;
use crate::process_table;

/// The environment variable that carries the mark.
const MARK: &str = "ORDAK_STACK_FOLDER";
/// The logs that processes write on.
const LOGS: [&str; 2] = ["edge", "postgres"];
/// How long a process may take to end when asked kindly.
const PATIENCE: Duration = Duration::from_secs(12);

/// A running process of a stack.
pub struct Managed {
    /// What it is to the developer.
    pub what: &'static str,
    /// Where its output goes.
    pub log: PathBuf,
    child: Child,
    pid: Pid,
    stop_with: Signal,
    book: Book,
    /// How many processes the group has when it is whole.
    whole: usize,
}

impl Managed {
    /// Starts the command in a process group of its own, with output to the stack's log of that name.
    pub fn start(
        layout: &Layout,
        what: &'static str,
        name: &'static str,
        stop_with: Signal,
        mut command: Command,
    ) -> Result<Self> {
        let log = layout.log(name);
        // What is started again writes on: why its predecessor ended is worth knowing.
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let copy = file.try_clone().with_context(|| format!("cannot write {}", log.display()))?;
        let book = Book::of(layout);
        let mark = book.mark.clone();
        command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .process_group(0)
            .kill_on_drop(true)
            .env(MARK, mark);
        let child = command.spawn().with_context(|| format!("cannot start {what}"))?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.with_context(|| format!("{what} ended as it started"))?;
        book.add(Entry { name: name.to_owned(), pid: pid.as_raw_nonzero().get(), up: false })?;
        Ok(Self { what, log, child, pid, stop_with, book, whole: 1 })
    }

    /// Its number.
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Waits until the process ends by itself.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.with_context(|| format!("cannot wait for {}", self.what))
    }

    /// For what does not notice that a process it started was killed: from now on a smaller group than this is a broken
    /// one. What is there only for a moment does not count.
    pub async fn count_group(&mut self) {
        let before = process_table::group_size(self.id());
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.whole = before.min(process_table::group_size(self.id()));
    }

    /// It does its work now, and that is written down.
    pub fn came_up(&mut self) -> Result<()> {
        self.book.mark_as_up(self.id())
    }

    /// Returns when the group has had fewer processes than when it was whole, for longer than an exchange of one takes.
    pub fn broken(&self) -> impl Future<Output = ()> + use<> {
        let (group, whole) = (self.pid.as_raw_nonzero().get(), self.whole);
        async move {
            let mut seen = 0;
            while seen < 3 {
                tokio::time::sleep(Duration::from_millis(500)).await;
                seen = if process_table::group_size(group) < whole { seen + 1 } else { 0 };
            }
        }
    }

    /// Kills the group at once.
    pub fn kill(&self) {
        // A group that is gone is what is wanted.
        let _gone = kill_process_group(self.pid, Signal::KILL);
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends the process and whatever it started: first kindly, then not.
    pub async fn stop(mut self) -> Result<()> {
        if self.has_ended().is_none() {
            // A process that ends between the look and the signal is what is wanted.
            let _gone = kill_process(self.pid, self.stop_with);
            let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
            if ended.is_err() && self.stop_with == Signal::INT {
                let _gone = kill_process(self.pid, Signal::QUIT);
                let _ended = tokio::time::timeout(Duration::from_secs(3), self.child.wait()).await;
            }
        }
        self.kill();
        let _ended = self.child.wait().await;
        self.book.remove(self.pid.as_raw_nonzero().get())
    }
}

/// Forgets what the processes of an earlier run have written.
pub fn begin_logs(layout: &Layout) -> Result<()> {
    for name in LOGS {
        let log = layout.log(name);
        match std::fs::remove_file(&log) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", log.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The record of a stack's processes.
#[derive(Clone)]
struct Book {
    path: PathBuf,
    mark: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    name: String,
    pid: i32,
    /// For whoever has to wait until it is there: the suites that kill it.
    #[serde(default)]
    up: bool,
}

impl Book {
    fn of(layout: &Layout) -> Self {
        Self { path: layout.path("processes.json"), mark: layout.path("").to_string_lossy().into_owned() }
    }

    fn read(&self) -> Vec<Entry> {
        std::fs::read(&self.path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    fn write(&self, entries: &[Entry]) -> Result<()> {
        let text = serde_json::to_string(entries).context("cannot describe the processes")?;
        // Whoever reads it, or is left with it when this is killed, has the one before or this one.
        let next = self.path.with_extension("next");
        std::fs::write(&next, text)
            .and_then(|()| std::fs::rename(&next, &self.path))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn add(&self, entry: Entry) -> Result<()> {
        let mut entries = self.read();
        entries.push(entry);
        self.write(&entries)
    }

    fn mark_as_up(&self, pid: i32) -> Result<()> {
        let mut entries = self.read();
        entries.iter_mut().filter(|entry| entry.pid == pid).for_each(|entry| entry.up = true);
        self.write(&entries)
    }

    fn remove(&self, pid: i32) -> Result<()> {
        let entries: Vec<Entry> = self.read().into_iter().filter(|entry| entry.pid != pid).collect();
        self.write(&entries)
    }
}

/// Ends what a supervisor that was killed has left behind. Only processes that carry this stack's mark are touched,
/// whatever has become of the recorded numbers since; says how many there were. To be called while holding the stack's lock.
pub async fn end_leftovers(layout: &Layout, also_marked_by: &Path) -> Result<usize> {
    let book = Book::of(layout);
    let mut ended = 0;
    for entry in book.read() {
        let Some(group) = Pid::from_raw(entry.pid) else { continue };
        let marks = [format!("{MARK}={}", book.mark), also_marked_by.to_string_lossy().into_owned()];
        if !process_table::group_has_mark(entry.pid, &marks) {
            continue;
        }
        ended += 1;
        println!(
            "• ending {} (process {}), left over from a supervisor that was killed",
            entry.name, entry.pid
        );
        for (signal, patience) in
            [(Signal::INT, PATIENCE), (Signal::QUIT, Duration::from_secs(3)), (Signal::KILL, PATIENCE)]
        {
            let _gone = kill_process_group(group, signal);
            let deadline = Instant::now() + patience;
            while process_table::group_has_mark(entry.pid, &marks) && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    book.write(&[])?;
    Ok(ended)
}
