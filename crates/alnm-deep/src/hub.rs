//! Downloads of torchvision's ImageNet weights by name.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alnm_imaging::file::AtomicFile;
use sha2::{Digest, Sha256};

use crate::backbone::Backbone;
use crate::error::{DeepError, Result};
use crate::state_dict::MAXIMUM_FILE_BYTES;

/// Where PyTorch publishes its weights.
const SOURCE: &str = "https://download.pytorch.org/models";
const CONNECTION: Duration = Duration::from_secs(30);

/// A file of weights with its SHA-256.
///
/// The first eight digits of the hash are part of the file's name, by which PyTorch's own hub checks it; the whole
/// hashes are those that independent public repositories record for these files in agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedWeights {
    backbone: Backbone,
    file: &'static str,
    sha256: &'static str,
}

impl PublishedWeights {
    /// The network that the weights belong to.
    #[must_use]
    pub fn backbone(&self) -> Backbone {
        self.backbone
    }

    /// Name of the file on the server.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// SHA-256 of the file in hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &'static str {
        self.sha256
    }

    /// torchvision's `IMAGENET1K_V1` of a backbone.
    #[must_use]
    pub fn imagenet(backbone: Backbone) -> Self {
        let (file, sha256) = match backbone {
            Backbone::ResNet18 => {
                ("resnet18-f37072fd.pth", "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec")
            }
            Backbone::ResNet34 => {
                ("resnet34-b627a593.pth", "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f")
            }
            Backbone::ResNet50 => {
                ("resnet50-0676ba61.pth", "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a")
            }
            Backbone::ResNet101 => {
                ("resnet101-63fe2227.pth", "63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a")
            }
            Backbone::Vgg16 => {
                ("vgg16-397923af.pth", "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0")
            }
            Backbone::DenseNet121 => {
                ("densenet121-a639ec97.pth", "a639ec97d7c33b07ae66f0b5fb7d0192f95a3b11b7576c66c0126c2a727c4395")
            }
        };
        Self { backbone, file, sha256 }
    }
}

/// A folder of downloaded weights and the server that they come from (feature `hub`).
///
/// ```no_run
/// use alnm_deep::{Backbone, Head, Hub, Initialisation, Network, PublishedWeights};
///
/// let weights = PublishedWeights::imagenet(Backbone::ResNet50);
/// let path = Hub::new("weights").fetch(&weights)?;
/// let mut network = Network::initialised(weights.backbone(), Head::None, Initialisation::default());
/// network.load_weights(path)?;
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Hub {
    cache: PathBuf,
    source: String,
}

impl Hub {
    /// Weights from PyTorch's own server, kept in `cache`, which is made where it does not exist.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), source: SOURCE.to_owned() }
    }

    /// Weights from another server, under the same names and hashes: `source` is the address of the folder that holds
    /// them.
    pub fn with_source(self, source: impl Into<String>) -> Self {
        Self { source: source.into(), ..self }
    }

    /// The path of a file with the expected hash: the one in the cache, or a new download. A file of another hash in
    /// the cache is replaced; a download of another hash is removed.
    ///
    /// # Errors
    /// [`DeepError::Download`] when the server does not give the file, or gives a file with another hash,
    /// [`DeepError::WeightFile`] when the cache cannot be read or written.
    pub fn fetch(&self, weights: &PublishedWeights) -> Result<PathBuf> {
        let path = self.cache.join(weights.file);
        if path.exists() {
            let mut file = File::open(&path).map_err(|error| DeepError::file(&path, error))?;
            let (hash, _) = copy(&mut file, &mut std::io::sink()).map_err(|error| DeepError::file(&path, error))?;
            if hash == weights.sha256 {
                return Ok(path);
            }
        }
        fs::create_dir_all(&self.cache).map_err(|error| DeepError::file(&self.cache, error))?;
        self.download(weights, &path)?;
        Ok(path)
    }

    /// The file appears under its name only when it is complete and has the expected hash.
    fn download(&self, weights: &PublishedWeights, path: &Path) -> Result<()> {
        let url = format!("{}/{}", self.source, weights.file);
        let failed =
            |reason: &dyn std::fmt::Display| DeepError::Download { url: url.clone(), reason: reason.to_string() };
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_connect(Some(CONNECTION)).build().into();
        let response = agent.get(&url).call().map_err(|error| failed(&error))?;
        let mut body = response.into_body().into_reader().take(MAXIMUM_FILE_BYTES);
        let mut file = AtomicFile::create(path).map_err(|error| DeepError::file(path, error))?;
        let (hash, size) = copy(&mut body, &mut file).map_err(|error| failed(&error))?;
        if hash != weights.sha256 {
            return Err(failed(&format!(
                "the {size} bytes received have the SHA-256 {hash} instead of {}; nothing was kept",
                weights.sha256
            )));
        }
        file.commit().map_err(|error| DeepError::file(path, error))
    }
}

/// Copies everything and gives the SHA-256 in hexadecimal digits and the number of bytes.
fn copy(from: &mut impl Read, into: &mut impl Write) -> std::io::Result<(String, usize)> {
    let (mut hasher, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            count => {
                hasher.update(&buffer[..count]);
                into.write_all(&buffer[..count])?;
                size += count;
            }
        }
    }
    into.flush()?;
    Ok((hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), size))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    const CONTENT: &[u8] = b"weights";
    /// `printf weights | sha256sum`
    const WEIGHTS: PublishedWeights = PublishedWeights {
        backbone: Backbone::ResNet18,
        file: "weights.pth",
        sha256: "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c",
    };

    /// A server on this machine that answers each connection with the next answer; it gives the paths that were asked
    /// for.
    fn server(answers: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/models", listener.local_addr().unwrap());
        let handle = std::thread::spawn(move || {
            let answer = |answer: &Vec<u8>| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                let request = lines.next().unwrap();
                let _headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                stream.write_all(answer).unwrap();
                request
            };
            answers.iter().map(answer).collect()
        });
        (address, handle)
    }

    fn answer(status: &str, announced: usize, content: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n");
        [head.as_bytes(), content].concat()
    }

    fn files(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_downloaded_once() {
        let folder = tempfile::tempdir().unwrap();
        let (source, server) = server(vec![answer("200 OK", 7, CONTENT)]);
        let hub = Hub::new(folder.path().join("cache")).with_source(source);
        let path = hub.fetch(&WEIGHTS).unwrap();
        assert_eq!(fs::read(&path).unwrap(), CONTENT);
        assert_eq!(server.join().unwrap(), ["GET /models/weights.pth HTTP/1.1"]);
        assert_eq!(hub.fetch(&WEIGHTS).unwrap(), path);
        assert_eq!(files(&folder.path().join("cache")), ["weights.pth"]);
    }

    #[test]
    fn a_damaged_file_in_the_cache_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("weights.pth"), "other bytes").unwrap();
        let (source, server) = server(vec![answer("200 OK", 7, CONTENT)]);
        let path = Hub::new(folder.path()).with_source(source).fetch(&WEIGHTS).unwrap();
        assert_eq!(fs::read(path).unwrap(), CONTENT);
        server.join().unwrap();
    }

    #[test]
    fn what_is_not_the_file_is_refused_and_not_kept() {
        for (reply, words) in [
            (answer("200 OK", 7, b"weightz"), "SHA-256"),
            (answer("200 OK", 7, b"weig"), ""),
            (answer("200 OK", 4, b"weig"), "SHA-256"),
            (answer("404 Not Found", 0, b""), "404"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (source, server) = server(vec![reply]);
            let error = Hub::new(folder.path()).with_source(source).fetch(&WEIGHTS).unwrap_err();
            assert!(matches!(&error, DeepError::Download { reason, .. } if reason.contains(words)), "{error}");
            assert!(files(folder.path()).is_empty());
            server.join().unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let nobody = Hub::new(folder.path()).with_source("http://127.0.0.1:1/models");
        assert!(matches!(nobody.fetch(&WEIGHTS), Err(DeepError::Download { .. })));
    }

    #[test]
    fn names_begin_the_hashes_that_are_pinned() {
        for backbone in Backbone::ALL {
            let weights = PublishedWeights::imagenet(backbone);
            assert_eq!(weights.file, format!("{backbone}-{}.pth", &weights.sha256[..8]));
            assert!(weights.sha256.len() == 64 && weights.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()));
        }
    }
}
