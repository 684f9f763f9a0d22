#![allow(clippy::disallowed_methods)] // IO: reads certificates, and writes a development one.
//! The HTTPS listener's certificate: the operator's, or a self-signed one for localhost that is made at the first start and kept.

use crate::config::HttpsConfig;
use rcgen::{CertifiedKey, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CERTIFICATE: &str = "development-certificate.pem";
const KEY: &str = "development-key.pem";

/// Why there is no certificate. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The development certificate cannot be kept.
    #[error("{}: cannot be written: {cause}; give a data directory that this user may write to (data_dir, --data-dir)", path.display())]
    Unwritable {
        /// The file, or the directory.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// A file is no PEM of the kind.
    #[error("{}: {cause}; give a PEM file (https.certificate, https.key)", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The parser's words.
        cause: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not fit.
    #[error("https.certificate and https.key: {0}")]
    Pair(#[from] rustls::Error),
    /// The development certificate could not be made: ours.
    #[error("making a development certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// What the HTTPS listener is given: TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1. A process without a `data_dir` keeps no development certificate.
pub fn server_config(config: &HttpsConfig, data_dir: Option<&Path>) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = match data_dir {
        _ if !config.certificate.as_os_str().is_empty() => read(&config.certificate, &config.key)?,
        Some(data_dir) => {
            let (certificate, key) = development_files(data_dir)?;
            read(&certificate, &key)?
        }
        None => {
            let made = development_certificate()?;
            let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
            (vec![made.cert.der().clone()], key.into())
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

fn read(certificate: &Path, key: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |cause| TlsError::Pem { path, cause }
    };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(pem(certificate))?;
    Ok((chain, PrivateKeyDer::from_pem_file(key).map_err(pem(key))?))
}

fn development_certificate() -> Result<CertifiedKey<KeyPair>, rcgen::Error> {
    rcgen::generate_simple_self_signed(["localhost", "127.0.0.1", "::1"].map(str::to_owned))
}

/// The kept development certificate and its key, made when one of them is missing.
fn development_files(data_dir: &Path) -> Result<(PathBuf, PathBuf), TlsError> {
    let (certificate, key) = (data_dir.join(CERTIFICATE), data_dir.join(KEY));
    if certificate.exists() && key.exists() {
        return Ok((certificate, key));
    }
    let made = development_certificate()?;
    let file = |path: &Path| {
        let path = path.to_owned();
        move |cause| TlsError::Unwritable { path, cause }
    };
    fs::create_dir_all(data_dir).map_err(file(data_dir))?;
    // The key first: a certificate without its key would be found and used.
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(&key).and_then(|mut f| f.write_all(made.signing_key.serialize_pem().as_bytes()));
    written.map_err(file(&key))?;
    fs::write(&certificate, made.cert.pem()).map_err(file(&certificate))?;
    Ok((certificate, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_that_cannot_be_written_is_named_with_its_key() {
        // Root may write anywhere but below a file.
        let below_a_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml/data");
        let said = development_files(&below_a_file).expect_err("is no directory").to_string();
        assert!(said.contains("Cargo.toml/data"), "{said}");
        assert!(said.contains("data_dir") && said.contains("--data-dir"), "{said}");
    }
}
