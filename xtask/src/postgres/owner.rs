//! The user that Postgres runs as. It refuses root, so root has to lend it an ordinary user of the system.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Users that exist nearly everywhere and own nothing of value, in order of preference.
const CANDIDATES: [&str; 3] = ["postgres", "nobody", "daemon"];

/// Who runs the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever runs the command.
    Myself,
    /// Another user, because the command runs as root.
    Other {
        /// Its number.
        uid: u32,
        /// Its group's number.
        gid: u32,
    },
}

/// Chooses the user: oneself, unless one is root.
pub fn choose() -> Result<Owner> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Owner::Myself);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    match CANDIDATES.iter().find_map(|name| in_passwd(&users, name)) {
        Some((uid, gid)) => Ok(Owner::Other { uid, gid }),
        None => bail!(
            "Postgres refuses to run as root and none of the users {} exists. Run `cargo xtask` as an ordinary user.",
            CANDIDATES.join(", ")
        ),
    }
}

fn in_passwd(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let (uid, gid) = (number(fields.next()?)?, number(fields.next()?)?);
    (uid != 0).then_some((uid, gid))
}

/// Some systems write the last numbers as negative ones.
fn number(field: &str) -> Option<u32> {
    field.parse::<u32>().ok().or_else(|| field.parse::<i32>().ok().map(i32::cast_unsigned))
}

impl Owner {
    /// Whether the user can enter all folders above this one.
    pub fn can_reach(&self, folder: &Path) -> bool {
        let Self::Other { uid, gid } = *self else { return true };
        let open = |metadata: Metadata| {
            let bit = match (metadata.uid() == uid, metadata.gid() == gid) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            metadata.mode() & bit != 0
        };
        folder.ancestors().filter(|part| part.exists()).all(|part| std::fs::metadata(part).is_ok_and(open))
    }

    /// Makes the command run as this user.
    pub fn apply(&self, command: &mut Command) {
        if let Self::Other { uid, gid } = *self {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a file or folder to this user.
    pub fn give(&self, path: &Path) -> Result<()> {
        match *self {
            Self::Myself => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid))
                .with_context(|| format!("cannot give {} to the user that Postgres runs as", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_users_in_either_notation_and_never_root() {
        let users = "root:x:0:0::/root:/bin/sh\nnobody:*:-2:-2::/:/bin/false\npostgres:x:101:104::/:/bin/sh\ntoor:x:0:0:::\n";
        assert_eq!(in_passwd(users, "postgres"), Some((101, 104)));
        assert_eq!(in_passwd(users, "nobody"), Some((4_294_967_294, 4_294_967_294)));
        assert_eq!(in_passwd(users, "toor"), None);
        assert_eq!(in_passwd(users, "absent"), None);
    }

    #[test]
    fn a_private_folder_is_out_of_reach_for_another_user() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = Owner::Other { uid: 4_000_000_000, gid: 4_000_000_000 };
        assert!(!stranger.can_reach(&folder.path().join("checkout")));
        assert!(Owner::Myself.can_reach(&folder.path().join("checkout")));
    }
}
