//! What the developer sees: one line a step, a sign of life while a long one runs, one clear message when it fails.
//! Knows nothing of what the steps do.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

/// How many lines of a failed command are shown.
const TAIL_LINES: usize = 30;

/// One line of plain information.
pub fn info(text: impl AsRef<str>) {
    println!("{}", text.as_ref());
}

/// A step that has begun; say how it ended with [`Step::done`].
pub struct Step {
    started: Instant,
}

/// Announces a step.
pub fn step(what: impl AsRef<str>) -> Step {
    println!("• {}", what.as_ref());
    Step { started: Instant::now() }
}

impl Step {
    /// Reports the duration of a step that took noticeable time.
    pub fn done(self) {
        let took = self.started.elapsed();
        if took >= Duration::from_secs(2) {
            println!("  done in {}", seconds(took));
        }
    }
}

/// A duration as people say it.
pub fn seconds(took: Duration) -> String {
    let whole = took.as_secs();
    if whole >= 60 {
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

/// The last lines of a text, for error messages.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all.iter().skip(all.len().saturating_sub(lines)).map(|line| format!("    {line}\n")).collect()
}

/// The last lines of a log file; empty when there is none.
pub fn tail_of_file(path: &Path) -> String {
    std::fs::read(path).map(|bytes| tail(&String::from_utf8_lossy(&bytes), TAIL_LINES)).unwrap_or_default()
}

/// Announces and runs a long command with its output in a log file and a sign of life on the terminal. On failure the
/// error carries the end of the output and `remedy`.
pub async fn run(what: &str, command: Command, log: &Path, remedy: &str) -> Result<()> {
    let step = step(what);
    run_unannounced(what, command, log, remedy, true).await?;
    step.done();
    Ok(())
}

/// The same without the announcement, for commands that run side by side: one of them may show that they live.
pub async fn run_unannounced(
    what: &str,
    mut command: Command,
    log: &Path,
    remedy: &str,
    shows_life: bool,
) -> Result<()> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let mut file = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("{what}: cannot start {program}. {remedy}"))?;
    let (lines, mut incoming) = mpsc::unbounded_channel();
    forward(child.stdout.take(), lines.clone());
    forward(child.stderr.take(), lines);

    let mut progress = Progress::new(Instant::now());
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            line = incoming.recv() => match line {
                Some(line) => {
                    writeln!(file, "{line}").with_context(|| format!("cannot write {}", log.display()))?;
                    progress.last = line;
                }
                None => break,
            },
            _ = tick.tick(), if shows_life => progress.show(),
        }
    }
    let status = child.wait().await.with_context(|| format!("{what}: cannot wait for {program}"))?;
    if shows_life {
        progress.clear();
    }
    if !status.success() {
        bail!(
            "{what} failed ({status}).\n{}\n  The whole output: {}\n  {remedy}",
            tail_of_file(log),
            log.display()
        );
    }
    Ok(())
}

/// Runs a short command and returns its standard output.
pub async fn output(mut command: Command, remedy: &str) -> Result<String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let result = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = result.with_context(|| format!("cannot start {program}. {remedy}"))?;
    if !output.status.success() {
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{program} failed ({}).\n{}\n  {remedy}", output.status, tail(&text, TAIL_LINES));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn forward(stream: Option<impl AsyncRead + Unpin + Send + 'static>, lines: mpsc::UnboundedSender<String>) {
    let Some(stream) = stream else { return };
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream).split(b'\n');
        while let Ok(Some(line)) = reader.next_segment().await {
            if lines.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                break;
            }
        }
    });
}

/// The sign of life: on a terminal one line that is rewritten, elsewhere a line now and then.
struct Progress {
    started: Instant,
    shown: Instant,
    terminal: bool,
    last: String,
}

impl Progress {
    fn new(started: Instant) -> Self {
        Self { started, shown: started, terminal: std::io::stdout().is_terminal(), last: String::new() }
    }

    fn show(&mut self) {
        let quiet = if self.terminal { Duration::from_secs(1) } else { Duration::from_secs(20) };
        if self.shown.elapsed() < quiet {
            return;
        }
        self.shown = Instant::now();
        let last: String = self.last.trim().chars().filter(|c| !c.is_control()).take(80).collect();
        if self.terminal {
            print!("\r\x1b[2K  {} {last}", seconds(self.started.elapsed()));
            // A terminal that is gone must not stop the work.
            let _gone = std::io::stdout().flush();
        } else {
            println!("  still at it after {}: {last}", seconds(self.started.elapsed()));
        }
    }

    fn clear(&self) {
        if self.terminal {
            print!("\r\x1b[2K");
        }
    }
}
