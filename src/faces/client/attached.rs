//! Files that travel with a message of ours, and those that came with an answer.

use super::{Client, ClientError, problem_of, unreachable};
use crate::base::ids::Code;
use crate::base::limits;
use crate::host::transport::{Outflow, Received, sized};
use crate::message::crypto::{Sha256, equal, random, sha256};
use crate::message::envelope::Attachment;
use crate::message::parts::plain;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file that is to travel with a message.
#[derive(Clone, Debug)]
pub struct Attached {
    path: PathBuf,
    attachment: Attachment,
}

impl Attached {
    /// Reads a file through, for its size and its hash; `number` tells it from others of the same message.
    pub fn of_file(path: &Path, number: usize) -> Result<Self, ClientError> {
        let failed = |cause: io::Error| ClientError::Config(format!("{}: {cause}", path.display()));
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| plain(name).ok());
        let name = name.ok_or_else(|| ClientError::Config(format!("{}: no name for an attachment", path.display())))?;
        let (size, sha256) = hash(path).map_err(failed)?;
        let (id, media_type) = (format!("file-{number}"), media_type(name).to_owned());
        Ok(Self {
            path: path.to_owned(),
            attachment: Attachment { id, name: name.to_owned(), media_type, size, sha256, document: None },
        })
    }

    /// It is a document of this type, which its message names as one (`message.md`, "Documents that are attached").
    #[must_use]
    pub fn as_document(self, document_type: Code) -> Self {
        let attachment =
            Attachment { document: Some(document_type), media_type: "application/xml".to_owned(), ..self.attachment };
        Self { attachment, ..self }
    }

    /// What the message says of it.
    pub fn attachment(&self) -> &Attachment {
        &self.attachment
    }
}

impl Client {
    /// Sends a message with the files that it names, and gives whatever comes back.
    pub async fn post_with(
        &self,
        octets: Vec<u8>,
        files: &[Attached],
        prefer: &str,
        deadline: Duration,
    ) -> Result<Received, ClientError> {
        let token = random::<16>().map_err(|_| ClientError::Config("the system gives no random octets".to_owned()))?;
        let boundary = format!("og-{}", sha256(&token));
        let mut first = format!("--{boundary}\r\nContent-Type: application/xml\r\n\r\n").into_bytes();
        first.extend(octets);
        let head = |file: &Attached| {
            let Attachment { id, media_type, .. } = &file.attachment;
            format!("\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-ID: <{id}>\r\n\r\n").into_bytes()
        };
        let rows: Vec<(Vec<u8>, PathBuf, u64)> =
            files.iter().map(|file| (head(file), file.path.clone(), file.attachment.size)).collect();
        let last = format!("\r\n--{boundary}--\r\n").into_bytes();
        let length = rows.iter().map(|(head, _, size)| head.len() as u64 + size).sum::<u64>();
        let (out, body) = sized(length + (first.len() + last.len()) as u64);
        // Without its end the connection is broken off, and the gateway forgets what has come.
        tokio::task::spawn_blocking(move || give_all(&out, first, rows, last));
        let headers = [
            ("accept", "application/xml;q=0.9, application/problem+json".to_owned()),
            ("prefer", prefer.to_owned()),
            ("content-type", format!("multipart/related; boundary=\"{boundary}\"; type=\"application/xml\"")),
        ];
        let allowed = Duration::from_millis(length.saturating_mul(1000) / limits::TRANSFER_RATE);
        self.upstream.send_made(&self.at("/v1/messages"), body, &headers, deadline + allowed).await.map_err(unreachable)
    }

    /// Fetches what a message names into a folder, and believes it when it has been checked; goes on where it was cut off. Gives
    /// the file.
    pub async fn fetch(&self, attachment: &Attachment, folder: &Path) -> Result<PathBuf, ClientError> {
        let untrusted = |what: &str| ClientError::Untrusted(format!("attachment {}: {what}", attachment.id));
        let name = plain(&attachment.name).map_err(|_| untrusted("its name is not safe"))?;
        let (to, part) = (folder.join(name), folder.join(format!("{name}.part")));
        let failed = |cause: io::Error| ClientError::Config(format!("{}: {cause}", part.display()));
        let mut came = 0;
        let mut tries = 0;
        while came < attachment.size || tries == 0 {
            let mut file =
                OpenOptions::new().create(true).write(true).append(came > 0).truncate(came == 0).open(&part).map_err(failed)?;
            let headers = [("accept", "application/json".to_owned()), ("range", format!("bytes={came}-"))];
            let headers = if came > 0 { &headers[..] } else { &headers[..1] };
            let take = |octets: &[u8]| {
                came += octets.len() as u64;
                if came > attachment.size { Err(io::Error::other("it is too large")) } else { file.write_all(octets) }
            };
            let path = format!("/v1/attachments/{}", attachment.sha256);
            let got = self.upstream.download(&self.at(&path), headers, Duration::from_secs(60), take).await;
            match got {
                Ok(received) if received.status.is_success() => {}
                Ok(received) => return Err(ClientError::Refused(problem_of(&received))),
                Err(_) if tries < TRIES && came < attachment.size => {}
                Err(cause) => return Err(unreachable(cause)),
            }
            tries += 1;
        }
        let (size, sha256) = hash(&part).map_err(failed)?;
        if size != attachment.size || !equal(&sha256, &attachment.sha256) {
            let _ = std::fs::remove_file(&part);
            return Err(untrusted("it is not what was signed"));
        }
        std::fs::rename(&part, &to).map_err(failed)?;
        Ok(to)
    }
}

const TRIES: usize = 3;

fn give_all(out: &Outflow, first: Vec<u8>, rows: Vec<(Vec<u8>, PathBuf, u64)>, last: Vec<u8>) -> Option<()> {
    out.give(first).ok()?;
    for (head, path, size) in rows {
        out.give(head).ok()?;
        // It may have grown since it was hashed.
        let mut file = File::open(&path).ok()?.take(size);
        loop {
            let mut chunk = Vec::with_capacity(limits::CHUNK_BYTES);
            file.by_ref().take(limits::CHUNK_BYTES as u64).read_to_end(&mut chunk).ok()?;
            if chunk.is_empty() {
                break;
            }
            out.give(chunk).ok()?;
        }
        // Or have shrunk: then its end never comes.
        (file.limit() == 0).then_some(())?;
    }
    out.give(last).ok()
}

fn hash(path: &Path) -> io::Result<(u64, crate::base::ids::Digest)> {
    let (mut file, mut hash, mut size) = (File::open(path)?, Sha256::new(), 0);
    let mut chunk = vec![0; limits::CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((size, hash.finish())),
            count => {
                hash.update(chunk.get(..count).unwrap_or_default());
                size += count as u64;
            }
        }
    }
}

/// By the end of the name; it only helps whoever opens the file.
fn media_type(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    let known = MEDIA_TYPES.iter().find(|(known, _)| *known == end);
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

const MEDIA_TYPES: [(&str, &str); 8] = [
    ("pdf", "application/pdf"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("tif", "image/tiff"),
    ("txt", "text/plain"),
];
