#![allow(clippy::disallowed_methods)] // IO: reads and writes credentials.json.
//! The key pair that tokens are signed with: `credentials.json` in the data directory, for its owner's eyes only.

use crate::rooms::id;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const FILE: &str = "credentials.json";
/// Its owner may read and write, nobody else anything.
const MODE: u32 = 0o600;
const ACCESS_KEY_BYTES: usize = 12;
/// HS256 asks for a key of at least its hash's 256 bits (RFC 7518 section 3.2); hex doubles the characters.
const SECRET_BYTES: usize = 32;
const MIN_SECRET_CHARS: usize = 32;
/// The file is some 150 bytes; whatever is larger is another file.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The key pair of this installation. Neither `Debug` nor an error ever shows the secret.
#[derive(Clone, Deserialize, Serialize)]
pub struct Credentials {
    access_key: String,
    secret: String,
}

/// Why there are no credentials. The operator's to mend; no use in trying again before that.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file is not there.
    #[error("{}: there are no credentials yet; they are made by the first `footlight serve` with this data directory", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read: {cause}; give a data directory that this user may use (data_dir, --data-dir)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// Others than the owner may touch the file.
    #[error("{}: its permissions are {mode:o}, so others may have read the secret; run `chmod 600 {}`, and make new credentials if they have", path.display(), path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file says something else.
    #[error("{}: {problem}; restore it from a backup, or move it away and new credentials are made at the next start (all tokens made before end)", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the file's content.
        problem: String,
    },
    /// The file cannot be made.
    #[error("{}: cannot be written: {cause}; give a data directory that this user may write to (data_dir, --data-dir)", path.display())]
    Unwritable {
        /// The file, or the directory.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
}

impl Credentials {
    /// A pair from elsewhere.
    pub fn new(access_key: &str, secret: &str) -> Self {
        Self { access_key: access_key.to_owned(), secret: secret.to_owned() }
    }

    /// The pair of `data_dir`.
    pub fn load(data_dir: &Path) -> Result<Self, CredentialsError> {
        let path = data_dir.join(FILE);
        let text = read(&path)?;
        let malformed = |problem: String| CredentialsError::Malformed { path: path.clone(), problem };
        // The parser's own words may quote the secret; the place of the mistake does not.
        let pair: Self = serde_json::from_slice(&text).map_err(|e| {
            malformed(format!("not {{\"access_key\", \"secret\"}} as JSON, line {} column {}", e.line(), e.column()))
        })?;
        if pair.access_key.is_empty() {
            return Err(malformed("access_key is empty".to_owned()));
        }
        if pair.secret.len() < MIN_SECRET_CHARS {
            return Err(malformed(format!("secret is shorter than {MIN_SECRET_CHARS} characters")));
        }
        Ok(pair)
    }

    /// The pair of `data_dir`, made at the first start.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, CredentialsError> {
        match Self::load(data_dir) {
            Err(CredentialsError::Missing { path }) => {
                create(data_dir, &path)?;
                // Read back rather than kept: another process may have been first.
                Self::load(data_dir)
            }
            loaded => loaded,
        }
    }

    /// Names the pair; not a secret.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CredentialsError> {
    let unreadable = |cause: io::Error| match cause.kind() {
        ErrorKind::NotFound => CredentialsError::Missing { path: path.to_owned() },
        _ => CredentialsError::Unreadable { path: path.to_owned(), cause },
    };
    let file = OpenOptions::new().read(true).open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & !MODE != 0 {
        return Err(CredentialsError::Permissions { path: path.to_owned(), mode });
    }
    let mut text = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// Writes a new pair beside `path` and links it there: whoever is killed in between leaves no half a file, and of two processes
/// that start at once the first one's pair stays.
fn create(data_dir: &Path, path: &Path) -> Result<(), CredentialsError> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |cause| CredentialsError::Unwritable { path, cause }
    };
    fs::create_dir_all(data_dir).map_err(unwritable(data_dir))?;
    let draft = data_dir.join(format!("{FILE}.{}", id::generate(&mut rand::rng())));
    let written = write(&draft, &fresh()).and_then(|()| match fs::hard_link(&draft, path) {
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    written.map_err(unwritable(path))?;
    removed.map_err(unwritable(&draft))
}

fn fresh() -> Credentials {
    let mut random = rand::rng();
    let mut bytes = [0; ACCESS_KEY_BYTES + SECRET_BYTES];
    random.fill_bytes(&mut bytes);
    let (access_key, secret) = bytes.split_at(ACCESS_KEY_BYTES);
    Credentials { access_key: id::hex(access_key), secret: id::hex(secret) }
}

fn write(path: &Path, pair: &Credentials) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    // The process's umask may have taken bits away.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(format!("{}\n", serde_json::to_string_pretty(pair)?).as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        assert!(matches!(Credentials::load(&data), Err(CredentialsError::Missing { .. })));
        let made = Credentials::load_or_create(&data).unwrap();
        let again = Credentials::load_or_create(&data).unwrap();
        assert_eq!((made.access_key(), made.secret()), (again.access_key(), again.secret()));
        assert_eq!((made.access_key().len(), made.secret().len()), (24, 64));
        let mode = fs::metadata(data.join(FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, MODE);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn debug_and_errors_do_not_show_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let made = Credentials::load_or_create(dir.path()).unwrap();
        assert!(!format!("{made:?}").contains(made.secret()));
        let broken = format!("{{\"access_key\": \"a\", \"secret\": [\"{}\"]}}", made.secret());
        fs::write(dir.path().join(FILE), broken).unwrap();
        let error = Credentials::load(dir.path()).unwrap_err().to_string();
        assert!(!error.contains(made.secret()) && error.contains("line 1"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said_with_its_path() {
        let check = |content: &str, mode: u32, want: &str| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(FILE);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = Credentials::load_or_create(dir.path()).unwrap_err().to_string();
            assert!(error.starts_with(path.to_str().unwrap()) && error.contains(want), "{error}");
        };
        let good = format!("{{\"access_key\": \"a\", \"secret\": \"{}\"}}", "s".repeat(64));
        check(&good, 0o640, "permissions are 640");
        check(&good, 0o604, "chmod 600");
        check("", 0o600, "line 1 column 0");
        check("{\"access_key\": \"a\"}", 0o600, "not {\"access_key\", \"secret\"}");
        check("{\"access_key\": \"a\", \"secret\": \"short\"}", 0o600, "shorter than 32");
        check(&good.replace("\"a\"", "\"\""), 0o600, "access_key is empty");
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Credentials::load_or_create(&file.join("data")).unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        // Not even root may make a directory there.
        let error = Credentials::load_or_create(Path::new("/proc/footlight")).unwrap_err().to_string();
        assert!(error.starts_with("/proc/footlight: cannot be written"), "{error}");
    }
}
