//! Looks into the operating system's table of processes: which of a group are really ours. Only looks.

use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// Whether a living process of the group carries one of the marks in its environment or command line.
pub fn group_has_mark(group: i32, marks: &[String]) -> bool {
    if Path::new("/proc/self/stat").exists() { linux(group, marks) } else { ps(group, marks) }
}

/// How many living processes the group has.
pub fn group_size(group: i32) -> usize {
    if !Path::new("/proc/self/stat").exists() {
        return ps_lines(group).len();
    }
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let stats = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| is_living_member(stat, group)).count()
}

/// Whether there is a process of this number.
pub fn exists(pid: i32) -> bool {
    let Some(pid) = Pid::from_raw(pid) else { return false };
    !matches!(test_kill_process(pid), Err(Errno::SRCH))
}

/// Milliseconds of processor time that a process and its threads have used; `None` where there is no `/proc`.
pub fn cpu_ms(pid: i32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(cpu_ticks(&stat)? as f64 * 1000.0 / rustix::param::clock_ticks_per_second() as f64)
}

/// In user mode and in the kernel: the 14th and the 15th field.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11).map(|field| field.parse::<u64>().ok());
    Some(fields.next()?? + fields.next()??)
}

/// Whether this process carries one of the marks.
pub fn process_has_mark(pid: i32, marks: &[String]) -> bool {
    if !Path::new("/proc/self/stat").exists() {
        return ps(pid, marks);
    }
    let folder = Path::new("/proc").join(pid.to_string());
    ["environ", "cmdline"].iter().any(|file| {
        let text = std::fs::read(folder.join(file)).unwrap_or_default();
        has_mark(&text, marks)
    })
}

fn linux(group: i32, marks: &[String]) -> bool {
    let Ok(entries) = std::fs::read_dir("/proc") else { return false };
    entries.flatten().any(|entry| {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            return false;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        is_living_member(&stat, group) && process_has_mark(pid, marks)
    })
}

/// Reads `pid (name) state parent group …`; the name may contain anything, so the fields start after the last `)`.
fn is_living_member(stat: &str, group: i32) -> bool {
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut fields = rest.split_whitespace();
    let state = fields.next().unwrap_or("Z");
    state != "Z" && fields.nth(1).and_then(|field| field.parse::<i32>().ok()) == Some(group)
}

/// Whether the NUL-separated text has a mark as an item, or as the beginning of one up to a `/`.
fn has_mark(text: &[u8], marks: &[String]) -> bool {
    text.split(|byte| *byte == 0).any(|item| {
        let item = String::from_utf8_lossy(item);
        marks
            .iter()
            .any(|mark| item.strip_prefix(mark.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/')))
    })
}

/// Systems without `/proc` (macOS): `ps` shows the environment of one's own processes.
fn ps(group: i32, marks: &[String]) -> bool {
    ps_lines(group).iter().any(|command| marks.iter().any(|mark| command.contains(mark.as_str())))
}

fn ps_lines(group: i32) -> Vec<String> {
    let output = Command::new("ps").args(["-axEww", "-o", "pgid=,command="]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.trim_start().split_once(' '));
    lines
        .filter(|(number, _)| number.parse::<i32>() == Ok(group))
        .map(|(_, command)| command.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_group_of_a_process_whatever_its_name() {
        assert!(is_living_member("12 (a) b) S 1 77 77 0", 77));
        assert!(!is_living_member("12 (a) S 77 1 77 0", 77));
        assert!(!is_living_member("12 (a) Z 1 77 77 0", 77), "a zombie is no living process");
        assert!(!is_living_member("", 77));
    }

    #[test]
    fn reads_the_processor_time_of_a_process() {
        assert_eq!(cpu_ticks("12 (a) b) S 1 77 77 0 -1 4 1 2 3 4 30 12 5 6 20"), Some(42));
        assert_eq!(cpu_ticks("12 (a) S 1 77"), None);
    }

    #[test]
    fn a_mark_is_a_whole_item_or_a_folder_above() {
        let marks = ["FOLDER=/a/dev".to_owned(), "/a/data".to_owned()];
        assert!(has_mark(b"X=1\0FOLDER=/a/dev\0", &marks));
        assert!(has_mark(b"postgres\0-D\0/a/data/pg\0", &marks));
        assert!(!has_mark(b"FOLDER=/a/dev2\0", &marks));
        assert!(!has_mark(b"less\0x/a/data/pg\0", &marks));
    }
}
